// SPDX-License-Identifier: Apache-2.0

/// What a list of algorithms starts from, and every name that it may hold.
package struct AlgorithmNames: Sendable {
    package var offered: [String]
    package var all: [String]

    package init(offered: [String], all: [String]) {
        self.offered = offered
        self.all = all
    }

    /// Whether every name of a list exists. What is only removed needs not to.
    package func isValid(_ list: String, allowsPatterns: Bool) -> Bool {
        guard let first = list.utf8.first else { return false }
        if first == UInt8(ascii: "-") { return true }
        let isEdit = first == UInt8(ascii: "+") || first == UInt8(ascii: "^")
        // A comma too many, at the end say, stands for nothing.
        let names = list.utf8.dropFirst(isEdit ? 1 : 0).split(separator: UInt8(ascii: ","))
        guard isEdit || !names.isEmpty else { return false }
        return names.allSatisfy { name in
            all.contains {
                allowsPatterns
                    ? Patterns.matches(Substring(name), $0) : $0.utf8.elementsEqual(name)
            }
        }
    }

    /// The first name of a list, without its sign, that stands for nothing.
    package func firstUnknown(_ list: String) -> String? {
        let isEdit = list.utf8.first == UInt8(ascii: "+") || list.utf8.first == UInt8(ascii: "^")
        return list.utf8.dropFirst(isEdit ? 1 : 0).split(separator: UInt8(ascii: ","))
            .map { String(Substring($0)) }
            .first { !isValid($0, allowsPatterns: false) }
    }

    /// The names that a valid list stands for: an edit of what is offered (`+` behind it, `^` before
    /// it, `-` out of it), or the list itself, its patterns replaced by what they match.
    package func resolved(_ list: String) -> [String] {
        guard let first = list.utf8.first else { return offered }
        let isEdit = [UInt8(ascii: "+"), UInt8(ascii: "^"), UInt8(ascii: "-")].contains(first)
        let patterns = list.utf8.dropFirst(isEdit ? 1 : 0).split(separator: UInt8(ascii: ","))
            .map { Substring($0) }
        if first == UInt8(ascii: "-") {
            return offered.filter { name in !patterns.contains { Patterns.matches($0, name) } }
        }
        var chosen: [String] = []
        func add(_ name: String) { if !chosen.contains(name) { chosen.append(name) } }
        if first == UInt8(ascii: "+") { offered.forEach(add) }
        for pattern in patterns {
            for name in all where Patterns.matches(pattern, name) { add(name) }
        }
        if first == UInt8(ascii: "^") { offered.forEach(add) }
        return chosen
    }
}
