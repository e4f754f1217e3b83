// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The value of `-J` and `ProxyJump`: destinations, apart by commas, the first one nearest to us.
package enum JumpHosts {
    package static func hops(_ text: String) -> [String] {
        text.utf8.split(separator: UInt8(ascii: ",")).map { String(Substring($0)) }
    }

    package static func destination(_ hop: String) -> Destination? {
        Destination(hop.contains("://") ? hop : "ssh://" + hop, isTrusted: true)
    }

    /// The host of the last one, which is what `%j` stands for; empty without any.
    package static func lastHost(_ text: String?) -> String {
        text.flatMap { hops($0).last }.flatMap(destination)?.host ?? ""
    }

    /// The first name that could do harm in a command, in OpenSSH's words; nil for none.
    package static func harm(in text: String) -> String? {
        for hop in hops(text) {
            guard let destination = destination(hop) else { continue }
            if let user = destination.user, !Destination.isSafe(user: user) {
                return "parse_jump: invalid username \"\(user)\""
            }
            if !Destination.isSafe(host: destination.host) {
                return "parse_jump: invalid hostname \"\(destination.host)\""
            }
        }
        return nil
    }
}
