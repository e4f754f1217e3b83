// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The nearest real keyword, for a misspelt one.
enum Suggestion {
    /// ` (Keyword?)`, or nothing when no name is near.
    static func text(for word: String, among names: [String]) -> String {
        var best: (name: String, distance: Int)?
        for name in names {
            let distance = distance(word.lowercased(), name.lowercased())
            if distance < best?.distance ?? 3 { best = (name, distance) }
        }
        return best.map { " (\($0.name)?)" } ?? ""
    }

    /// How many letters differ (Levenshtein).
    private static func distance(_ first: String, _ second: String) -> Int {
        guard first.utf8.count < 64, second.utf8.count < 64 else { return .max }
        let second = second.octets
        var row = Array(0...second.count)
        for (index, letter) in first.utf8.enumerated() {
            var previous = row[0]
            row[0] = index + 1
            for column in second.indices {
                let change = previous + (second[column] == letter ? 0 : 1)
                previous = row[column + 1]
                row[column + 1] = min(change, previous + 1, row[column] + 1)
            }
        }
        return row[second.count]
    }
}
