// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// A question to the domain name system and its answer (RFC 1035 §4), as bytes.
package enum DomainNameMessage {
    /// What an answer says.
    package struct Answer: Equatable, Sendable {
        /// The resolver says that it has checked the signatures (RFC 6840 §5.8).
        package var isAuthenticated: Bool
        /// 0 for none, 3 when there is no such name (§4.1.1, RCODE).
        package var responseCode: UInt8
        /// It did not fit: ask again over a stream.
        package var isTruncated: Bool
        /// The data of the records of the type that was asked for.
        package var records: [[UInt8]]
    }

    /// The question for the records of a type in the class IN, with an OPT record (RFC 6891) that
    /// allows answers of `Self.datagramBytes` and asks for signatures to be checked. Nil for what is
    /// no domain name.
    package static func question(
        _ name: String,
        type: UInt16,
        identifier: UInt16
    ) -> [UInt8]? {
        guard let encoded = encoded(name) else { return nil }
        var bytes: [UInt8] = []
        // RD and AD; one question and one additional record.
        for value in [identifier, 0x0120, 1, 0, 0, 1] { append(value, to: &bytes) }
        bytes += encoded
        append(type, to: &bytes)
        append(1, to: &bytes)
        bytes.append(0)
        for value in [41, datagramBytes, 0, 0, 0] { append(value, to: &bytes) }
        return bytes
    }

    /// The answer in `bytes` to such a question; nil when it is none, or is not well formed.
    package static func answer(
        _ bytes: [UInt8],
        to name: String,
        type: UInt16,
        identifier: UInt16
    ) -> Answer? {
        var reader = Reader(bytes: bytes)
        guard let identified = reader.number(), identified == identifier,
            let flags = reader.number(), flags & 0x8000 != 0,
            let questions = reader.number(), questions == 1,
            let answers = reader.number(), reader.number() != nil, reader.number() != nil,
            let asked = reader.name(), let wanted = encoded(name).map(lowercased),
            lowercased(asked) == wanted,
            reader.number() == type, reader.number() == 1
        else { return nil }
        var result = Answer(
            isAuthenticated: flags & 0x0020 != 0,
            responseCode: UInt8(flags & 0xf),
            isTruncated: flags & 0x0200 != 0,
            records: []
        )
        if result.isTruncated { return result }
        // Aliases stand before what they lead to.
        var current = wanted
        for _ in 0..<answers {
            guard let owner = reader.name(), let recordType = reader.number(),
                let recordClass = reader.number(), reader.skip(4), let count = reader.number()
            else { return nil }
            let start = reader.position
            guard reader.skip(Int(count)) else { return nil }
            guard recordClass == 1, lowercased(owner) == current else { continue }
            if recordType == 5 {
                var alias = Reader(bytes: bytes, position: start)
                guard let target = alias.name() else { return nil }
                current = lowercased(target)
            } else if recordType == type {
                result.records.append(Array(bytes[start..<reader.position]))
            }
        }
        return result
    }

    /// The largest answer that a datagram may bring.
    package static let datagramBytes: UInt16 = 1232

    private static func append(_ value: UInt16, to bytes: inout [UInt8]) {
        bytes.append(UInt8(value >> 8))
        bytes.append(UInt8(value & 0xff))
    }

    /// Labels with their lengths (§3.1).
    private static func encoded(_ name: String) -> [UInt8]? {
        var result: [UInt8] = []
        var labels = name.octets.split(
            separator: UInt8(ascii: "."),
            omittingEmptySubsequences: false
        )
        if labels.last?.isEmpty == true { labels.removeLast() }
        guard !labels.isEmpty else { return nil }
        for label in labels {
            guard (1...63).contains(label.count) else { return nil }
            result.append(UInt8(label.count))
            result += label
        }
        result.append(0)
        return result.count <= 255 ? result : nil
    }

    private static func lowercased(_ name: [UInt8]) -> [UInt8] {
        name.map { (65...90).contains($0) ? $0 + 32 : $0 }
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        mutating func number() -> UInt16? {
            guard bytes.count - position >= 2 else { return nil }
            defer { position += 2 }
            return UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1])
        }

        mutating func skip(_ count: Int) -> Bool {
            guard bytes.count - position >= count else { return false }
            position += count
            return true
        }

        /// A name in labels, pointers followed (§4.1.4). Pointers lead backwards only.
        mutating func name() -> [UInt8]? {
            var result: [UInt8] = []
            var place = position
            var end: Int?
            while true {
                guard place < bytes.count else { return nil }
                let count = Int(bytes[place])
                if count & 0xc0 == 0xc0 {
                    guard place + 1 < bytes.count else { return nil }
                    let target = (count & 0x3f) << 8 | Int(bytes[place + 1])
                    if end == nil { end = place + 2 }
                    guard target < place else { return nil }
                    place = target
                } else {
                    guard count <= 63, bytes.count - place > count else { return nil }
                    result += bytes[place...place + count]
                    guard result.count <= 255 else { return nil }
                    place += count + 1
                    if count == 0 { break }
                }
            }
            position = end ?? place
            return result
        }
    }
}
