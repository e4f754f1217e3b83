// SPDX-License-Identifier: Apache-2.0

/// One JSON object of texts, numbers and truths (RFC 8259), on one line, for programs that read what
/// ours print.
package struct JSONObject: Sendable {
    private var members: [String] = []

    package init() {}

    package mutating func add(_ name: String, _ value: String) {
        members.append("\(Self.quoted(name)):\(Self.quoted(value))")
    }

    package mutating func add(_ name: String, _ value: some BinaryInteger) {
        members.append("\(Self.quoted(name)):\(String(value))")
    }

    package mutating func add(_ name: String, _ value: Bool) {
        members.append("\(Self.quoted(name)):\(value ? "true" : "false")")
    }

    package var text: String { "{" + members.joined(separator: ",") + "}" }

    /// A text as a JSON string (RFC 8259 section 7). Control characters, also those above 0x7f, and the
    /// line ends of Unicode are escaped: a peer's text can end neither the string nor the line, and says
    /// nothing to a terminal.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22: result += "\\\""
            case 0x5c: result += "\\\\"
            case 0..<0x20, 0x7f..<0xa0, 0x2028, 0x2029:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            case 0x10_ff80...: result += "\u{FFFD}"  // a byte that is not UTF-8
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
