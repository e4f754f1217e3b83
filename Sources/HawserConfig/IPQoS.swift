// SPDX-License-Identifier: Apache-2.0

/// The values of `IPQoS`: classes of RFC 2474, 2597, 3246, 5865 and 8622 by name, or a number.
package enum IPQoS {
    /// Name and the value of the type of service byte.
    private static let classes: [(name: String, value: UInt8)] = [
        ("af11", 0x28), ("af12", 0x30), ("af13", 0x38),
        ("af21", 0x48), ("af22", 0x50), ("af23", 0x58),
        ("af31", 0x68), ("af32", 0x70), ("af33", 0x78),
        ("af41", 0x88), ("af42", 0x90), ("af43", 0x98),
        ("cs0", 0x00), ("cs1", 0x20), ("cs2", 0x40), ("cs3", 0x60),
        ("cs4", 0x80), ("cs5", 0xa0), ("cs6", 0xc0), ("cs7", 0xe0),
        ("ef", 0xb8), ("le", 0x04), ("va", 0xb0),
    ]

    /// What a word is shown as: its class by name where it has one, else a number. The words of
    /// RFC 1349 mean nothing any more.
    package static func canonical(_ word: String) -> String? {
        switch word.lowercased() {
        case "none", "lowdelay", "throughput", "reliability": return "none"
        default: break
        }
        guard let value = value(word) else { return nil }
        return classes.first { $0.value == value }?.name ?? hexadecimal(value)
    }

    /// The type of service byte; nil for `none`, which leaves it to the system.
    package static func value(_ word: String) -> UInt8? {
        let word = word.lowercased()
        if let known = classes.first(where: { $0.name == word }) { return known.value }
        if word.hasPrefix("0x") { return UInt8(word.dropFirst(2), radix: 16) }
        return word.utf8.allSatisfy { (48...57).contains($0) } ? UInt8(word) : nil
    }

    private static func hexadecimal(_ value: UInt8) -> String {
        "0x" + (value < 16 ? "0" : "") + String(value, radix: 16)
    }
}
