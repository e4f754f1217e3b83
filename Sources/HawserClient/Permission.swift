// SPDX-License-Identifier: Apache-2.0

internal import HawserTool
internal import HawserWire

/// A question that is answered by yes or no, before anything is done.
enum Permission {
    /// Whether somebody said yes; a program that asks may also confirm without a word.
    static func isGiven(_ question: String) -> Bool {
        guard let answer = Prompts.ask(question, .confirmation, prefersProgram: true) else {
            return false
        }
        let word = String(octets: answer.bytes).trimmed.lowercased()
        return word.isEmpty || word == "yes"
    }
}
