// SPDX-License-Identifier: Apache-2.0

/// The commands that tell a shell where the agent is.
struct Announcement {
    let shell: Arguments.Shell

    init(_ wanted: Arguments.Shell?, loginShell: String?) {
        shell = wanted ?? (loginShell?.hasSuffix("csh") == true ? .c : .bourne)
    }

    func set(_ name: String, _ value: String) -> String {
        switch shell {
        case .bourne: "\(name)=\(value); export \(name);\n"
        case .c: "setenv \(name) \(value);\n"
        }
    }

    func unset(_ name: String) -> String {
        switch shell {
        case .bourne: "unset \(name);\n"
        case .c: "unsetenv \(name);\n"
        }
    }
}
