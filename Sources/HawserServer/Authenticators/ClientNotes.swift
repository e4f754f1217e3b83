// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog

/// What a client may know of how its keys were judged, once it is in: it is sent as
/// `SSH_MSG_DEBUG` (RFC 4253 §11.3), which `ssh -v` shows as `Remote: …`. Before that it would tell
/// strangers what stands in a user's files.
final class ClientNotes {
    /// Each stands once, in the order in which they came.
    private(set) var lines: [String] = []

    /// A client is told no more than this, whatever it tries.
    static let maximumCount = 64

    /// Also in the log, at debug level.
    func tell(_ text: String, _ log: Log) {
        log.debug(text)
        keep(text)
    }

    /// What the log has in words of its own.
    func keep(_ text: String) {
        guard lines.count < Self.maximumCount, !lines.contains(text) else { return }
        lines.append(text)
    }

    /// What a line's options, or a certificate's, allow and demand.
    func tell(_ options: AuthorizedKeyOptions, at place: String, _ log: Log) {
        tell("\(place): key options:" + options.summary.map { " \($0)" }.joined(), log)
        for variable in options.environment {
            tell("\(place): environment: \(variable.name)=\(variable.value)", log)
        }
    }
}

extension AuthorizedKeyOptions {
    /// What is allowed and demanded, a word each, as OpenSSH names it.
    fileprivate var summary: [String] {
        let tunnel: String? =
            switch self.tunnel {
            case nil: nil
            case .any: "tun=any"
            case .number(let number): "tun=\(number)"
            }
        let words: [(Bool, String)] = [
            (permitsAgentForwarding, "agent-forwarding"),
            (command != nil, "command"),
            (!environment.isEmpty, "environment"),
            (expiryTime != nil, "expires"),
            (!requiresUserPresence, "no-touch-required"),
            (!permitOpen.isEmpty, "permitopen"),
            (!permitListen.isEmpty, "permitlisten"),
            (permitsPortForwarding, "port-forwarding"),
            (principals != nil, "principals"),
            (permitsTerminal, "pty"),
            (requiresUserVerification, "uv"),
            (tunnel != nil, tunnel ?? ""),
            (permitsUserRC, "user-rc"),
            (permitsX11Forwarding, "x11-forwarding"),
        ]
        return words.compactMap { $0 ? $1 : nil }
    }
}
