// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import HawserWire

/// hosts_access(5): /etc/hosts.allow and /etc/hosts.deny, through libwrap where it is installed.
package enum HostAccess {
    /// Its type in tcpd.h.
    private typealias HostsControl =
        @convention(c) (
            UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?,
            UnsafePointer<CChar>?
        ) -> Int32

    /// Whether a client may use a service. Without the library, and without a rule, everyone may.
    /// C: `hosts_ctl`.
    package static func permits(service: String, host: String?, address: String) -> Bool {
        guard hasRules("/etc/hosts.allow") || hasRules("/etc/hosts.deny"),
            let library = DynamicLibrary("libwrap.so.0"),
            let control = unsafe library.function("hosts_ctl", HostsControl.self)
        else { return true }
        // SAFETY: the strings live to the end of the call, which does not change them.
        return unsafe service.withCOctets { service in
            unsafe control(service, host ?? "unknown", address, "unknown") != 0
        }
    }

    /// Whether a file has anything but blank lines and comments: the library brings several others
    /// with it, which no process should hold for nothing.
    private static func hasRules(_ path: String) -> Bool {
        guard let contents = try? Files.read(path, limit: 1 << 20) else {
            return Files.exists(path)
        }
        return contents.split(separator: UInt8(ascii: "\n")).contains { line in
            let first = line.first { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
            return first != nil && first != UInt8(ascii: "#")
        }
    }
}
