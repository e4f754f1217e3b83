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

    package enum Merge: Sendable {
        /// The first line counts.
        case first
        /// Lines add up; one that is already there counts once.
        case append
    }

    package enum Effect: Sendable {
        case full
        /// Read and kept, without effect in this version; a value that differs from the default is
        /// worth a warning.
        case none
        /// Read and kept, without effect and without a word.
        case silent
    }

    init(
        _ name: String,
        _ form: ValueForm,
        _ initial: String = "",
        merge: Merge = .first,
        effect: Effect = .full
    ) {
        self.name = name
        self.form = form
        self.initial = initial
        self.merge = merge
        self.effect = effect
    }
}
