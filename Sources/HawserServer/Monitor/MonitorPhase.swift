// SPDX-License-Identifier: Apache-2.0

/// How far a connection has come, as its monitor sees it. What may be asked is one table,
/// phase by request; anything else ends the connection.
package enum MonitorPhase: Equatable, Sendable {
    /// Keys are being agreed on; nobody has said a name.
    case keyExchange
    /// A name has been said; methods are being tried.
    case authenticating
    /// The user is in; the connection's state is awaited.
    case authenticated
    /// The user's own process serves the connection.
    case session

    /// Whether a process may ask this in this phase.
    package func allows(_ kind: MonitorRequest.Kind) -> Bool {
        switch (self, kind) {
        case (_, .log), (_, .sign), (_, .group), (_, .ended): true
        case (.keyExchange, .user): true
        case (.authenticating, .authenticate): true
        case (.authenticated, .handOver): true
        case (.session, .openTerminal), (.session, .releaseTerminal): true
        case (.session, .report): true
        default: false
        }
    }
}
