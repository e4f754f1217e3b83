// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The libraries that know accounts, nsswitch.conf(5).
package enum NameServices {
    /// Loads them, without asking any of them anything: copies of this process share what loading
    /// has written, and need not do it themselves.
    package static func load() {
        guard let text = try? Files.read("/etc/nsswitch.conf", limit: 64 << 10) else { return }
        for name in names(in: String(octets: text)) {
            // Kept for good; nothing is called in it but by the C library.
            _ = DynamicLibrary("libnss_\(name).so.2")
        }
    }

    /// Those that are asked for users and groups and are not part of the C library itself.
    static func names(in configuration: String) -> [String] {
        var found: [String] = []
        for line in configuration.split(separator: "\n") {
            let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }
            guard let database = words.first, ["passwd:", "group:"].contains(database) else {
                continue
            }
            for word in words.dropFirst() where !found.contains(String(word)) {
                let isName = word.utf8.allSatisfy { byte in
                    byte == 0x5F || (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
                }
                if isName, word != "files", word != "dns" { found.append(String(word)) }
            }
        }
        return found
    }
}
