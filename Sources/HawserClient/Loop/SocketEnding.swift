// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem

/// How the connection to the server ended under us, in the words of OpenSSH.
enum SocketEnding {
    /// The peer closed it.
    case closed
    /// The number of the error.
    case reading(Int32)
    case writing(Int32)

    var isOfReading: Bool {
        if case .writing = self { return false }
        return true
    }

    /// Before the login.
    func textWhenEarly(_ peer: String, isIdentified: Bool) -> String {
        switch self {
        case .closed:
            return
                (isIdentified
                ? "" : "kex_exchange_identification: Connection closed by remote host\r\n")
                + "Connection closed by \(peer)"
        case .reading(let error):
            let reason = SystemError.reason(error)
            return (isIdentified ? "" : "kex_exchange_identification: read: \(reason)\r\n")
                + Self.failure(error, "ssh_dispatch_run_fatal", peer)
        case .writing(let error):
            let place = isIdentified ? "ssh_dispatch_run_fatal" : "banner exchange"
            return Self.failure(error, place, peer)
        }
    }

    /// While sessions ran.
    func text(_ host: String) -> String {
        switch self {
        case .closed: "Connection to \(host) closed by remote host."
        case .reading(let error): "Read from remote host \(host): \(SystemError.reason(error))"
        case .writing(let error): "client_loop: send disconnect: \(SystemError.reason(error))"
        }
    }

    private static func failure(_ error: Int32, _ place: String, _ peer: String) -> String {
        SystemError.isReset(error)
            ? "Connection reset by \(peer)"
            : "\(place): Connection to \(peer): \(SystemError.reason(error))"
    }
}
