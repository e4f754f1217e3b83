// SPDX-License-Identifier: Apache-2.0

/// How a monitor that a listener has started ends: its exit status, from which the listener learns
/// what its client did.
package enum MonitorEnding: Int32, Sendable {
    /// Someone was logged in.
    case loggedIn = 0
    case noAuthentication = 120
    case authenticationFailed = 121
    case invalidUser = 122
    case graceExceeded = 123
    case refusedConnection = 124
    case crash = 125

    package var offence: Offence? {
        switch self {
        case .loggedIn: nil
        case .noAuthentication: .noAuthentication
        case .authenticationFailed: .authenticationFailed
        case .invalidUser: .invalidUser
        case .graceExceeded: .graceExceeded
        case .refusedConnection: .refusedConnection
        case .crash: .crash
        }
    }
}
