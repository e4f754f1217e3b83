// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What a session runs: always through the user's shell.
package struct LoginShell: Equatable, Sendable {
    package var path: String
    package var arguments: [String]

    package init(path: String, arguments: [String]) {
        self.path = path
        self.arguments = arguments
    }

    /// A login shell, when there is nothing else to run: its name begins with a minus sign.
    package static func interactive(shell: String) -> LoginShell {
        LoginShell(path: shell, arguments: ["-" + name(of: shell)])
    }

    /// The shell with one command line.
    package static func command(_ command: [UInt8], shell: String) -> LoginShell {
        LoginShell(path: shell, arguments: [name(of: shell), "-c", String(octets: command)])
    }

    /// The last component of a path.
    static func name(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// `/bin/sh` running `~/.ssh/rc` or `/etc/ssh/sshrc` before the session (sshd(8), SSHRC).
    package static func startupFile(_ path: String, home: String, shell: String) -> LoginShell {
        if path.hasPrefix(home) {
            return LoginShell(path: shell, arguments: [name(of: shell), "-c", "/bin/sh .ssh/rc"])
        }
        return LoginShell(path: "/bin/sh", arguments: ["sh", path])
    }
}

/// The title of a session's process: `sshd: user@pts/2,pts/13`, or `@notty` without terminals.
package enum SessionTitle {
    package static func text(user: String, terminals: [String]) -> String {
        let names = terminals.map { $0.hasPrefix("/dev/") ? String($0.dropFirst(5)) : $0 }
        return "\(user)@\(names.isEmpty ? "notty" : names.joined(separator: ","))"
    }
}

/// Whether a client's variable may enter the environment, by the patterns of `AcceptEnv`.
package enum LoginDay {
    /// `Last login: Mon Jan  2 15:04:05 2006 from host`, with its line end.
    package static func lastLogin(time: String, host: String) -> String {
        host.isEmpty ? "Last login: \(time)\r\n" : "Last login: \(time) from \(host)\r\n"
    }
}
