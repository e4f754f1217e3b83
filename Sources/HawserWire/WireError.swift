// SPDX-License-Identifier: Apache-2.0

/// Why bytes could not be read as the value they should hold (RFC 4251 §5).
package enum WireError: Error, Equatable, Sendable {
    /// The value needs more bytes than there are.
    case truncated
    /// Bytes are left after the last field.
    case trailingBytes
    /// An `mpint` is negative or not in its minimal form.
    case badMultiplePrecision
    /// A name or name-list holds something that RFC 4251 §6 forbids.
    case badName
    /// A `string` that must be text is not UTF-8.
    case badText
    /// A `string` is longer than its reader allows.
    case tooLong
}

extension WireError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .truncated: "message is truncated"
        case .trailingBytes: "message has bytes after its last field"
        case .badMultiplePrecision: "number is negative or not in minimal form"
        case .badName: "name is not valid"
        case .badText: "text is not valid UTF-8"
        case .tooLong: "string is too long"
        }
    }
}
