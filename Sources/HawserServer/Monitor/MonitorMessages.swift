// SPDX-License-Identifier: Apache-2.0

package import HawserLog
package import HawserProtocol
package import HawserSFTP

/// What the processes that speak with a client ask of their monitor.
///
/// The network process is not trusted: every field has a limit, and `MonitorPhase` says what may
/// come when.
package enum MonitorRequest: Equatable, Sendable {
    /// A line for the log; `isEarly` before the client's identification.
    case log(LogLevel, String, isEarly: Bool = false)
    /// Sign an exchange hash, or a proof of possession, with the host key of this blob.
    case sign(SigningRequest)
    /// Choose a group, sizes in bits.
    case group(minimum: Int, preferred: Int, maximum: Int)
    /// A user's name, once, with the session identifier that signatures are bound to.
    case user(name: String, sessionIdentifier: [UInt8])
    /// One attempt of a method.
    case authenticate(AuthenticationRequest.Method)
    /// The connection for the user's process.
    case handOver([UInt8])
    /// A terminal for channel `session`, 0 and up.
    case openTerminal(session: UInt32, term: String)
    case releaseTerminal(session: UInt32)
    /// Something for the event log.
    case report(SessionReport)
    /// The connection is over; what the log says about it has been said.
    case ended

    /// The message's type.
    package enum Kind: UInt8, Sendable, CaseIterable {
        case log = 1
        case sign
        case group
        case user
        case authenticate
        case handOver
        case openTerminal
        case releaseTerminal
        case ended
        case report
    }

    package var kind: Kind {
        switch self {
        case .log: .log
        case .sign: .sign
        case .group: .group
        case .user: .user
        case .authenticate: .authenticate
        case .handOver: .handOver
        case .openTerminal: .openTerminal
        case .releaseTerminal: .releaseTerminal
        case .ended: .ended
        case .report: .report
        }
    }
}

/// What the user's process has to tell for `EventLog`.
package enum SessionReport: Equatable, Sendable {
    case sessionStarted(id: UInt32, kind: String, command: String)
    case sessionEnded(id: UInt32)
    case forward(kind: String, target: String, isAllowed: Bool)
    /// What a client of sftp did, in a session.
    case file(id: UInt32, FileEvent)
    /// On the wire since the login.
    case bytes(received: UInt64, sent: UInt64)
}

/// What a monitor answers, in the order of the requests that need an answer.
package enum MonitorAnswer: Equatable, Sendable {
    /// The first message to the network process.
    case start(NetworkStart)
    /// The first message to the user's process.
    case session(SessionStart)
    /// An SSH signature blob; empty when the key cannot sign.
    case signature([UInt8])
    /// A group's prime and generator; empty when there is none.
    case group(prime: [UInt8], generator: [UInt8])
    /// What the user's name leads to.
    case user(UserAnswer)
    /// What an attempt leads to.
    case authentication(AuthenticationOutcome)
    /// The terminal's path; its descriptor travels beside it.
    case terminal(path: String)
    case noTerminal

    package enum Kind: UInt8, Sendable, CaseIterable {
        case start = 1
        case session
        case signature
        case group
        case user
        case authentication
        case terminal
        case noTerminal
    }
}

/// What a network process needs to serve one connection until someone is logged in.
package struct NetworkStart: Equatable, Sendable {
    package var identification: String
    package var proposal: Proposal
    package var rekeyLimit: RekeyLimit
    package var hostKeys: [HostKeyOffer]
    package var signatureAlgorithms: [String]
    package var logLevel: LogLevel
    /// `LogVerbose`.
    package var logVerbose: [String]
    package var peer: PeerAddress
    package var offersCompression: Bool
    /// Whether it has to give up its privileges, and into which directory and account.
    package var confinement: Confinement?

    package struct Confinement: Equatable, Sendable {
        package var directory: String
        package var uid: UInt32
        package var gid: UInt32

        package init(directory: String, uid: UInt32, gid: UInt32) {
            self.directory = directory
            self.uid = uid
            self.gid = gid
        }
    }
}

/// What becomes known with the user's name.
package struct UserAnswer: Equatable, Sendable {
    /// Methods that can be tried.
    package var methods: [String]
    /// The text of `Banner`.
    package var banner: String
    /// How log lines call the user before its address, e.g. `invalid user eve `.
    package var description: String

    /// The user's name as titles show it: `unknown` for one who cannot get in.
    package var title: String

    package init(methods: [String], banner: String, description: String, title: String) {
        self.description = description
        self.title = title
        self.methods = methods
        self.banner = banner
    }
}

/// What one attempt leads to.
package enum AuthenticationOutcome: Equatable, Sendable {
    case accepted
    /// One more of these methods is required.
    case partial(methods: [String])
    case refused(methods: [String])
    /// A signature with this key would do.
    case keyAcceptable
    case question(InformationRequest)
    case passwordExpired(prompt: String)
    /// The connection ends with this text.
    case disconnect(text: String)
    /// The next step of `gssapi-with-mic`; after an error another outcome follows.
    case gssapi(GSSAPIAnswer)
    /// What the account's modules have to say, shown as a banner; another outcome follows.
    case notice(String)
}

/// What the user's process needs: who it serves, and the connection.
package struct SessionStart: Equatable, Sendable {
    package var userName: String
    package var uid: UInt32
    package var gid: UInt32
    /// The effective configuration, one keyword a line.
    package var configuration: String
    /// The options field of the key that was accepted, as in authorized_keys.
    package var keyOptions: String
    /// The user's certificate that was accepted, whose options count too; empty for a plain key.
    package var certificate: [UInt8]
    package var peer: PeerAddress
    package var logLevel: LogLevel
    package var environment: [EnvironmentVariable]
    /// The login before this one.
    package var lastLogin: LastLogin?
    /// Text for the start of an interactive session: what PAM and the account have to say.
    package var messages: String
    /// The password has to be changed before anything else.
    package var mustChangePassword: Bool
    /// PAM has opened no session: nothing is run and nothing is forwarded.
    package var isRefused: Bool
    package var authenticationInfo: String
    /// What the client is told, as debug messages.
    package var notes: [String]
    package var hostKeys: [HostKeyOffer]
    /// Every plain host key, to be announced and proved.
    package var provableKeys: [HostKeyOffer]
    package var signatureAlgorithms: [String]
    package var proposal: Proposal
    package var handover: [UInt8]
    /// Whether the process still has to become the user.
    package var mustChangeIdentity: Bool

    package struct EnvironmentVariable: Equatable, Sendable {
        package var name: String
        package var value: String
    }

    package struct LastLogin: Equatable, Sendable {
        /// Seconds since 1970.
        package var time: Int64
        package var host: String
    }
}

/// The bounds of these messages, in bytes.
package enum MonitorLimits {
    /// A request before someone is logged in: a key, a signature, the data it is over.
    package static let requestBytes = 512 << 10
    /// The state of a connection, with what has arrived and not been read.
    package static let handoverBytes = 16 << 20
    /// A line of the log.
    package static let logBytes = 8192
    /// What is signed: a hash, or a proof's text with a key.
    package static let signedBytes = 64 << 10
    package static let listCount = 256
}
