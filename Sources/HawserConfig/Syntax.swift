// SPDX-License-Identifier: Apache-2.0

/// The forms of values that several keywords share. Each gives nil for what it cannot read.
package enum Syntax {
    package static func flag(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "yes", "true": true
        case "no", "false": false
        default: nil
        }
    }

    /// A time in seconds: `90`, `2m`, `1h30m`, `1w`.
    package static func seconds(_ text: String) -> Int? {
        var total = 0
        var number: Int?
        for character in text.lowercased() {
            if let digit = character.wholeNumberValue, character.isASCII {
                let (tens, high) = (number ?? 0).multipliedReportingOverflow(by: 10)
                let (sum, over) = tens.addingReportingOverflow(digit)
                guard !high, !over else { return nil }
                number = sum
                continue
            }
            let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604_800]
            guard let value = number, let unit = units[character] else { return nil }
            let (part, high) = value.multipliedReportingOverflow(by: unit)
            let (sum, over) = total.addingReportingOverflow(part)
            guard !high, !over else { return nil }
            total = sum
            number = nil
        }
        if let number { total += number } else if text.isEmpty { return nil }
        return total <= Int(Int32.max) ? total : nil
    }

    /// A size in bytes: `1024`, `64K`, `1G`.
    package static func bytes(_ text: String) -> UInt64? {
        var digits = text
        var factor: UInt64 = 1
        if let last = text.last,
            let scale = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30][
                last.lowercased()
            ] as UInt64?
        {
            factor = scale
            digits.removeLast()
        }
        guard let number = UInt64(digits) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : bytes
    }

    package static func port(_ text: String) -> UInt16? {
        guard let port = UInt16(text), port > 0 else { return nil }
        return port
    }

    /// `list` as an edit of `defaults`: `+` appends, `-` removes by pattern, `^` moves to the front;
    /// else it stands for itself, its patterns expanded over `known`. Nil for an unknown name.
    package static func algorithms(
        _ list: String,
        defaults: [String],
        known: [String]
    ) -> [String]? {
        guard let first = list.first else { return nil }
        let isEdit = first == "+" || first == "-" || first == "^"
        let names = (isEdit ? list.dropFirst() : list[...]).split(separator: ",").map(String.init)
        guard !names.isEmpty else { return nil }
        if first == "-" {
            return defaults.filter { name in !names.contains { Patterns.matches($0, name) } }
        }
        var chosen: [String] = []
        for name in names {
            let found = known.filter { Patterns.matches(name, $0) }
            guard !found.isEmpty else { return nil }
            for each in found where !chosen.contains(each) { chosen.append(each) }
        }
        switch first {
        case "+": return defaults + chosen.filter { !defaults.contains($0) }
        case "^": return chosen + defaults.filter { !chosen.contains($0) }
        default: return chosen
        }
    }
}
