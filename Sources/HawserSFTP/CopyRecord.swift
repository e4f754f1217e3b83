// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// One control line of the old copy protocol, which rcp began and `scp -O` speaks.
///
/// The source sends records, each answered by a zero byte, or by 1 (a warning) or 2 (the end) and a
/// line of text. A file's record is followed by its bytes and a zero.
package enum CopyRecord: Equatable, Sendable {
    /// Seconds since 1970.
    case times(modification: Int64, access: Int64)
    case file(mode: UInt32, size: UInt64, name: [UInt8])
    case directory(mode: UInt32, name: [UInt8])
    case endOfDirectory
    /// The other side could not do something, and goes on.
    case warning([UInt8])
    /// The other side ends.
    case fatal([UInt8])

    package enum Failure: Error, Equatable, Sendable {
        /// No record at all: the line of a shell or of a program, perhaps.
        case notARecord
        case malformed(String)
        /// A name that would lead out of the target, or is none.
        case unsafeName([UInt8])
    }

    /// The longest line that is taken, in bytes.
    package static let lineBytes = 16 * 1024

    /// Reads a line without its end.
    package init(_ line: [UInt8]) throws(Failure) {
        guard let kind = line.first else { throw .malformed("unexpected <newline>") }
        let rest = line.dropFirst()
        switch kind {
        case 1: self = .warning(Array(rest))
        case 2: self = .fatal(Array(rest))
        case UInt8(ascii: "E"): self = .endOfDirectory
        case UInt8(ascii: "T"): self = try Self.times(rest)
        case UInt8(ascii: "C"), UInt8(ascii: "D"):
            let (mode, size, name) = try Self.entry(rest)
            self =
                kind == UInt8(ascii: "C")
                ? .file(mode: mode, size: size, name: name)
                : .directory(mode: mode, name: name)
        default: throw .notARecord
        }
    }

    /// The line, with its end, for what a source or a sink sends.
    package var bytes: [UInt8] {
        switch self {
        case .times(let modification, let access):
            "T\(max(0, modification)) 0 \(max(0, access)) 0\n".octets
        case .file(let mode, let size, let name):
            "C\(Self.octal(mode)) \(size) ".octets + Self.oneLine(name) + [10]
        case .directory(let mode, let name):
            "D\(Self.octal(mode)) 0 ".octets + Self.oneLine(name) + [10]
        case .endOfDirectory: Array("E\n".utf8)
        case .warning(let text): [1] + Self.oneLine(text) + [10]
        case .fatal(let text): [2] + Self.oneLine(text) + [10]
        }
    }

    /// The line of a file's record whose size begins with a zero, which changes nothing for who does
    /// not know what it means (docs/protocol/scp.md).
    package static func asking(mode: UInt32, size: UInt64, name: [UInt8]) -> [UInt8] {
        "C\(octal(mode)) 0\(size) ".octets + oneLine(name) + [10]
    }

    /// Whether a line is such a record.
    package static func isAsking(_ line: [UInt8]) -> Bool {
        line.count > 7 && line[0] == UInt8(ascii: "C") && line[6] == UInt8(ascii: "0")
            && (48...57).contains(line[7])
    }

    private static func times(_ rest: ArraySlice<UInt8>) throws(Failure) -> CopyRecord {
        var fields = Fields(rest)
        let modification = try fields.seconds("mtime")
        guard let microseconds = fields.number(), microseconds < 1_000_000, fields.passSpace()
        else { throw .malformed("mtime.usec not delimited") }
        let access = try fields.seconds("atime")
        guard (fields.number() ?? 0) < 1_000_000, fields.isAtEnd else {
            throw .malformed("atime.usec not delimited")
        }
        return .times(modification: modification, access: access)
    }

    private static func entry(
        _ rest: ArraySlice<UInt8>
    ) throws(Failure) -> (
        UInt32, UInt64, [UInt8]
    ) {
        guard let mode = Self.mode(rest.prefix(4)) else { throw .malformed("bad mode") }
        var fields = Fields(rest.dropFirst(4))
        guard fields.passSpace() else { throw .malformed("mode not delimited") }
        guard let size = fields.number() else { throw .malformed("size not present") }
        guard fields.passSpace() else { throw .malformed("size not delimited") }
        guard size <= UInt64(Int64.max) else { throw .malformed("size out of range") }
        let name = Array(fields.rest)
        guard RemotePath.isSafe(name: name) else { throw .unsafeName(name) }
        return (mode, size, name)
    }

    /// Four octal digits.
    private static func mode(_ digits: ArraySlice<UInt8>) -> UInt32? {
        guard digits.count == 4, digits.allSatisfy({ (48...55).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 << 3 | UInt32($1 - 48) }
    }

    private static func octal(_ mode: UInt32) -> String {
        let digits = String(mode & 0o7777, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// A line end in a name would end the record.
    private static func oneLine(_ text: [UInt8]) -> [UInt8] {
        text.contains(10) ? text.flatMap { $0 == 10 ? Array("\\^J".utf8) : [$0] } : text
    }
}

/// The numbers of a record's line.
private struct Fields {
    private(set) var rest: ArraySlice<UInt8>

    init(_ rest: ArraySlice<UInt8>) { self.rest = rest }

    var isAtEnd: Bool { rest.isEmpty }

    /// The digits that come next, the largest number where they say more; nil when there are none.
    mutating func number() -> UInt64? {
        let digits = rest.prefix { (48...57).contains($0) }
        guard !digits.isEmpty else { return nil }
        rest = rest.dropFirst(digits.count)
        return UInt64(String(octets: digits)) ?? .max
    }

    mutating func passSpace() -> Bool {
        guard rest.first == 32 else { return false }
        rest = rest.dropFirst()
        return true
    }

    mutating func seconds(_ what: String) throws(CopyRecord.Failure) -> Int64 {
        guard let seconds = number() else { throw .malformed("\(what).sec not present") }
        guard passSpace() else { throw .malformed("\(what).sec not delimited") }
        return Int64(clamping: seconds)
    }
}

/// What `{a,b}` in a pattern stands for, as shells expand it.
package enum BraceExpansion {
    /// Every alternative; the text itself when there are no braces. Nil when there are too many.
    package static func expand(_ text: [UInt8], limit: Int = 4096) -> [[UInt8]]? {
        var results: [[UInt8]] = []
        var work = [text]
        while let next = work.popLast() {
            guard let (open, close, commas) = firstBraces(next) else {
                results.append(next)
                continue
            }
            var start = open + 1
            var alternatives: [[UInt8]] = []
            for end in commas + [close] {
                alternatives.append(
                    Array(next[..<open]) + Array(next[start..<end]) + Array(next[(close + 1)...])
                )
                start = end + 1
            }
            work += alternatives.reversed()
            if work.count + results.count > limit { return nil }
        }
        return results
    }

    private static func firstBraces(_ text: [UInt8]) -> (Int, Int, [Int])? {
        var index = 0
        while index < text.count {
            if text[index] == UInt8(ascii: "\\") {
                index += 2
                continue
            }
            if text[index] == UInt8(ascii: "{"), let found = matching(text, from: index) {
                return (index, found.0, found.1)
            }
            index += 1
        }
        return nil
    }

    private static func matching(_ text: [UInt8], from open: Int) -> (Int, [Int])? {
        var depth = 0
        var commas: [Int] = []
        var index = open
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "\\"): index += 1
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: ","): if depth == 1 { commas.append(index) }
            case UInt8(ascii: "}"):
                depth -= 1
                // `{}` stands for itself.
                if depth == 0 { return index == open + 1 ? nil : (index, commas) }
            default: break
            }
            index += 1
        }
        return nil
    }
}
