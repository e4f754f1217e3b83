// SPDX-License-Identifier: Apache-2.0

/// A keyword of ssh_config(5) or sshd_config(5): everything that is to know about it, in one row.
/// A row is plain data, so that the tables cost nothing at a program's start.
package struct KeywordRow: Sendable {
    /// As the manual page writes it.
    package let name: String
    /// How its arguments are read and shown again.
    package let form: ValueForm
    /// What holds when nobody says otherwise, as `-G` and `-T` show it; empty for nothing.
    package let initial: String
    /// What becomes of a second line.
    package let merge: Merge
    /// What the keyword does in this version.
    package let effect: Effect
    /// Whether it may stand under a `Match` of sshd_config(5).
    package let inMatch: Bool

    package enum Merge: Sendable {
        /// The first line counts.
        case first
        /// Lines add up; one that is already there counts once.
        case append
        /// The last line counts.
        case last
        /// The first line of each name counts.
        case named
    }

    package enum Effect: Sendable {
        case full
        /// Read and kept, without effect in this version; a value that differs from the default is
        /// worth a warning.
        case none
    }

    init(
        _ name: String,
        _ form: ValueForm,
        _ initial: String = "",
        merge: Merge = .first,
        effect: Effect = .full,
        inMatch: Bool = false
    ) {
        self.name = name
        self.form = form
        self.initial = initial
        self.merge = merge
        self.effect = effect
        self.inMatch = inMatch
    }
}

extension KeywordRow {
    /// The place of the row of a name, whatever the case of its letters.
    static func index(of word: ArraySlice<UInt8>, in rows: [KeywordRow]) -> Int? {
        rows.firstIndex { isSame($0.name, word) }
    }

    /// Whether a word is a name, whatever the case of its letters.
    static func isSame(_ name: String, _ word: ArraySlice<UInt8>) -> Bool {
        let name = name.utf8
        guard name.count == word.count else { return false }
        // A plain loop: this runs for every line, and at the start of every program.
        var index = word.startIndex
        for byte in name {
            guard byte | 0x20 == word[index] | 0x20 else { return false }
            index += 1
        }
        return true
    }
}
