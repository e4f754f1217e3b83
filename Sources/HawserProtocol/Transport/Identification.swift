// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Version lines (RFC 4253 §4.2).
package enum Identification {
    /// What the peer's line says.
    package struct Line: Equatable, Sendable {
        /// The whole line without its end, as it enters the exchange hash.
        package let text: String
        package let bytes: [UInt8]
        package let protocolVersion: String
        package let softwareVersion: String
    }

    enum Step: Equatable {
        /// The line is not complete yet.
        case incomplete
        /// A line before the identification, without its end.
        case other(String, consumedBytes: Int)
        case identified(Line, consumedBytes: Int)
    }

    /// Looks for a line at the start of `input`. Throws `ProtocolError` of kind `badIdentification`
    /// for a line that is too long or holds a NUL, `versionMismatch` for another protocol version.
    static func read(_ input: RawSpan, isClient: Bool) throws(ProtocolError) -> Step {
        let limit = min(input.byteCount, Limits.bannerLineBytes)
        var end = 0
        while end < limit, input[byteAt: end] != UInt8(ascii: "\n") {
            if input[byteAt: end] == 0 {
                throw ProtocolError(.badIdentification, "Invalid SSH identification string.")
            }
            end += 1
        }
        guard end < limit else {
            if input.byteCount >= Limits.bannerLineBytes || (!isClient && input.byteCount > 255) {
                throw ProtocolError(.badIdentification, "banner line too long")
            }
            // A server knows after four bytes that this is not a client of its own.
            if !isClient, !isPrefix(input, of: "SSH-") {
                throw ProtocolError(.badIdentification, "Invalid SSH identification string.")
            }
            return .incomplete
        }
        var bytes = [UInt8](copying: input.extracting(first: end))
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard bytes.starts(with: "SSH-".utf8) else {
            guard isClient else {
                throw ProtocolError(.badIdentification, "Invalid SSH identification string.")
            }
            return .other(String(octets: bytes), consumedBytes: end + 1)
        }
        guard end < Limits.identificationBytes else {
            throw ProtocolError(.badIdentification, "identification string is too long")
        }
        return .identified(try parse(bytes), consumedBytes: end + 1)
    }

    private static func parse(_ bytes: [UInt8]) throws(ProtocolError) -> Line {
        let text = String(octets: bytes)
        let rest = text.dropFirst(4)
        guard let dash = rest.firstIndex(of: "-") else {
            throw ProtocolError(
                .badIdentification,
                "Bad remote protocol version identification: '\(text)'"
            )
        }
        let version = String(rest[..<dash])
        let numbers = version.split(separator: ".", omittingEmptySubsequences: false)
        guard numbers.count == 2, numbers.allSatisfy({ isNumber($0) }) else {
            throw ProtocolError(
                .badIdentification,
                "Bad remote protocol version identification: '\(text)'"
            )
        }
        // 1.99 is an old server that speaks 2 too (RFC 4253 §5.1).
        guard numbers[0] == "2" || version == "1.99" else {
            throw ProtocolError(
                .versionMismatch(theirs: version),
                "Protocol major versions differ: 2 vs. \(numbers[0])"
            )
        }
        return Line(
            text: text,
            bytes: bytes,
            protocolVersion: version,
            softwareVersion: String(rest[rest.index(after: dash)...])
        )
    }

    private static func isNumber(_ text: Substring) -> Bool {
        (1...9).contains(text.utf8.count)
            && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    private static func isPrefix(_ input: RawSpan, of text: String) -> Bool {
        zip(0..<input.byteCount, text.utf8).allSatisfy { input[byteAt: $0] == $1 }
    }
}
