// SPDX-License-Identifier: Apache-2.0

/// What a user sets for their sessions: the lines of `~/.ssh/environment` (sshd(8)).
struct UserEnvironment {
    var variables: [(name: String, value: String)] = []
    /// The numbers of lines that set nothing and are no comments.
    var badLines: [Int] = []
    /// More lines than are read.
    var isTooLong = false

    static let maximumLines = 1000

    init() {}

    init(fileContents text: String) {
        var number = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            guard number <= Self.maximumLines || line.isEmpty else {
                isTooLong = true
                return
            }
            let line = line.drop { $0 == " " || $0 == "\t" }
            guard let first = line.first, first != "#" else { continue }
            guard let equals = line.firstIndex(of: "=") else {
                badLines.append(number)
                continue
            }
            variables.append((String(line[..<equals]), String(line[line.index(after: equals)...])))
        }
    }
}
