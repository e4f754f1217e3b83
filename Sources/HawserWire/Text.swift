// SPDX-License-Identifier: Apache-2.0

/// What the standard library has only together with its regular expressions, which no program of
/// ours links: their tables would make every start slower (docs/decisions/0003-linking.md).
extension StringProtocol {
    /// Whether `part` is in this text, byte by byte. The empty part is in every text.
    package func contains(_ part: String) -> Bool {
        let text = Array(utf8)
        let part = Array(part.utf8)
        guard let first = part.first else { return true }
        guard text.count >= part.count else { return false }
        for start in 0...(text.count - part.count) where text[start] == first {
            if text[start..<(start + part.count)].elementsEqual(part) { return true }
        }
        return false
    }
}

extension [String] {
    /// What the standard library's does, which makes metadata of five generic types at its first call.
    package func joined(separator: String) -> String {
        var result: [UInt8] = []
        for (index, text) in enumerated() {
            if index > 0 { result += separator.utf8 }
            result += text.utf8
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension [UInt8] {
    /// Appends the digits of a number, a negative one's with a sign before them.
    package mutating func append(decimal number: Int) {
        if number < 0 { append(UInt8(ascii: "-")) }
        let first = endIndex
        var rest = number.magnitude
        repeat {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit))
            rest = quotient
        } while rest > 0
        self[first...].reverse()
    }
}
