// SPDX-License-Identifier: Apache-2.0

/// Wildcards in names, as glob(7) has them: `*`, `?`, `[a-z]`, `[!a-z]`, and a backslash that takes
/// the next character as it is.
package struct GlobPattern: Sendable {
    private enum Part: Sendable, Equatable {
        case byte(UInt8)
        case any
        case anyRun
        case oneOf(ranges: [ClosedRange<UInt8>], isNegated: Bool)
    }

    private var parts: [Part] = []
    /// Whether there is a wildcard in it at all.
    package private(set) var isPattern = false

    package init(_ text: [UInt8]) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\\") where index < text.count:
                parts.append(.byte(text[index]))
                index += 1
            case UInt8(ascii: "*"):
                if parts.last != .anyRun { parts.append(.anyRun) }
                isPattern = true
            case UInt8(ascii: "?"):
                parts.append(.any)
                isPattern = true
            case UInt8(ascii: "["):
                if let (set, end) = Self.set(text, from: index) {
                    parts.append(set)
                    index = end
                    isPattern = true
                } else {
                    parts.append(.byte(byte))
                }
            default: parts.append(.byte(byte))
            }
        }
    }

    /// The name that a pattern without wildcards means.
    package var literal: [UInt8] {
        parts.compactMap { part in
            if case .byte(let byte) = part { return byte }
            return nil
        }
    }

    private static func set(_ text: [UInt8], from start: Int) -> (Part, end: Int)? {
        var index = start
        var isNegated = false
        if index < text.count, text[index] == UInt8(ascii: "!") || text[index] == UInt8(ascii: "^")
        {
            isNegated = true
            index += 1
        }
        var ranges: [ClosedRange<UInt8>] = []
        var isFirst = true
        while index < text.count {
            var low = text[index]
            if low == UInt8(ascii: "]"), !isFirst {
                return (.oneOf(ranges: ranges, isNegated: isNegated), index + 1)
            }
            isFirst = false
            if low == UInt8(ascii: "\\"), index + 1 < text.count {
                index += 1
                low = text[index]
            }
            index += 1
            if index + 1 < text.count, text[index] == UInt8(ascii: "-"),
                text[index + 1] != UInt8(ascii: "]")
            {
                let high = text[index + 1]
                index += 2
                if low <= high { ranges.append(low...high) }
            } else {
                ranges.append(low...low)
            }
        }
        return nil
    }

    /// Whether a name fits. A leading dot has to be matched by a dot.
    package func matches(_ name: [UInt8]) -> Bool {
        if name.first == UInt8(ascii: "."), parts.first != .byte(UInt8(ascii: ".")) { return false }
        var partIndex = 0
        var nameIndex = 0
        var retryPart: Int?
        var retryName = 0
        while true {
            if partIndex == parts.count {
                if nameIndex == name.count { return true }
            } else if parts[partIndex] == .anyRun {
                retryPart = partIndex
                retryName = nameIndex
                partIndex += 1
                continue
            } else if nameIndex < name.count, fits(parts[partIndex], name[nameIndex]) {
                partIndex += 1
                nameIndex += 1
                continue
            }
            // Only the last run needs to be tried longer.
            guard let part = retryPart, retryName < name.count else { return false }
            retryName += 1
            nameIndex = retryName
            partIndex = part + 1
        }
    }

    private func fits(_ part: Part, _ byte: UInt8) -> Bool {
        switch part {
        case .byte(let wanted): wanted == byte
        case .any: true
        case .anyRun: false
        case .oneOf(let ranges, let isNegated):
            ranges.contains { $0.contains(byte) } != isNegated
        }
    }

    /// A name with everything that a pattern would take for a wildcard made plain.
    package static func escape(_ name: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for byte in name {
            if [UInt8](#"*?[]\"#.utf8).contains(byte) { result.append(UInt8(ascii: "\\")) }
            result.append(byte)
        }
        return result
    }
}

/// Paths as bytes.
package enum RemotePath {
    package static let slash = UInt8(ascii: "/")

    /// `second` below `first`, unless it starts at the root.
    package static func join(_ first: [UInt8], _ second: [UInt8]) -> [UInt8] {
        if first.isEmpty || second.first == slash { return second }
        return first.last == slash ? first + second : first + [slash] + second
    }

    /// A path without the slashes at its end; the root stays what it is.
    package static func withoutSlash(_ path: [UInt8]) -> [UInt8] {
        var end = path.count
        while end > 1, path[end - 1] == slash { end -= 1 }
        return Array(path[..<end])
    }

    /// The last part, trailing slashes aside.
    package static func name(of path: [UInt8]) -> [UInt8] {
        let trimmed = withoutSlash(path)
        if trimmed.count == 1 { return Array(trimmed) }
        return Array(trimmed[(trimmed.lastIndex(of: slash).map { $0 + 1 } ?? 0)...])
    }

    /// What is before the last part.
    package static func parent(of path: [UInt8]) -> [UInt8] {
        var end = path.count
        while end > 1, path[end - 1] == slash { end -= 1 }
        guard let index = path[..<end].lastIndex(of: slash) else { return [UInt8(ascii: ".")] }
        return index == 0 ? [slash] : Array(path[..<index])
    }

    /// How many levels a path is below another, neither with a slash too much; nil when it is not.
    package static func levels(from upper: [UInt8], to lower: [UInt8]) -> Int? {
        if upper == lower { return 0 }
        let prefix = upper == [slash] ? upper : upper + [slash]
        guard lower.count > prefix.count, lower.starts(with: prefix) else { return nil }
        return lower[prefix.count...].split(separator: slash).count
    }

    /// Whether a name from a directory can be one: no way out of it, and nothing that is not a name.
    package static func isSafe(name: [UInt8]) -> Bool {
        !name.isEmpty && name != [46] && name != [46, 46] && !name.contains(slash)
            && !name.contains(0)
    }
}
