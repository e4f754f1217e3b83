// SPDX-License-Identifier: Apache-2.0

/// Signals by the names of RFC 4254 §6.10.
enum SignalName {
    private static let names: [(Int32, String)] = [
        (6, "ABRT"), (14, "ALRM"), (8, "FPE"), (1, "HUP"), (4, "ILL"), (2, "INT"), (9, "KILL"),
        (13, "PIPE"), (3, "QUIT"), (11, "SEGV"), (15, "TERM"), (10, "USR1"), (12, "USR2"),
    ]

    static func name(of number: Int32) -> String {
        names.first { $0.0 == number }?.1 ?? "SIG@openssh.com"
    }

    static func number(of name: String) -> Int32? {
        names.first { $0.1 == name }?.0
    }
}
