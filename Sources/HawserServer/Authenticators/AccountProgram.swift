// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserSystem

/// A program that the configuration names and an account of its own runs: `AuthorizedKeysCommand`
/// prints authorized_keys lines for a user, `AuthorizedPrincipalsCommand` principals.
struct AccountProgram {
    /// The keyword, for the log.
    let keyword: String
    let command: String
    /// The account that runs it.
    let account: User
    let log: Log

    /// What it prints; nil when it may not be run or fails. A program that is named without
    /// arguments is given `defaultArgument`.
    func output(tokens: Tokens, defaultArgument: String?) -> [UInt8]? {
        guard let words = try? ConfigLine.split(command[...]) else {
            log.error("\(keyword) \"\(command)\" contains invalid quotes")
            return nil
        }
        guard let path = words.first, path.hasPrefix("/") else {
            log.error("\(keyword) path is not absolute")
            return nil
        }
        if let reason = distrust(path) {
            log.error("Unsafe \(keyword) \"\(path)\": \(reason)")
            return nil
        }
        var arguments = words.dropFirst().compactMap { tokens.expand($0) }
        if words.count == 1, let defaultArgument { arguments = [defaultArgument] }
        return run(path, arguments)
    }

    /// The file and every directory above it must be root's, and writable by nobody else.
    private func distrust(_ path: String) -> String? {
        guard let file = Files.status(path), file.isRegular else { return "not a regular file" }
        var part = path
        while true {
            guard let status = Files.status(part), status.uid == 0, status.mode & 0o022 == 0 else {
                return "bad ownership or modes for \(part == path ? "file" : "directory") \(part)"
            }
            guard part != "/" else { return nil }
            part = Files.parent(of: part)
        }
    }

    private func run(_ path: String, _ arguments: [String]) -> [UInt8]? {
        guard let pipe = try? Descriptor.pipe(), let null = try? Descriptor.open("/dev/null", 2)
        else { return nil }
        defer { Descriptor.close(null) }
        // A process of ours becomes the account, then the program.
        var spawn = Spawn(
            "/proc/self/exe",
            ["sshd", ServerRole.command.rawValue, account.name, path] + arguments
        )
        spawn.environment = [
            "PATH=\(LoginEnvironment.userPath)", "USER=\(account.name)",
            "LOGNAME=\(account.name)", "HOME=\(account.home)",
        ]
        spawn.descriptors = [
            (child: 0, ours: null), (child: 1, ours: pipe.write), (child: 2, ours: null),
        ]
        guard let pid = try? spawn.start() else {
            Descriptor.close(pipe.read)
            Descriptor.close(pipe.write)
            return nil
        }
        Descriptor.close(pipe.write)
        let output = Descriptor.readAll(pipe.read, limit: 16 << 20)
        Descriptor.close(pipe.read)
        let end = Child.wait(pid)
        guard end == .exited(0) else {
            let words = ([path] + arguments).joined(separator: " ")
            if case .exited(let status) = end {
                log.error("\(keyword) \(words) failed, status \(status)")
            } else {
                log.error("\(keyword) \(words) failed")
            }
            return nil
        }
        return output
    }

    /// In the process that was started for it: becomes the account and then the program.
    static func become(_ arguments: [String]) -> Int32 {
        guard arguments.count >= 2, let account = User.named(arguments[0]) else { return 255 }
        if Identity.isPrivileged {
            do throws(PrivilegeError) {
                try Identity.setGroups(account.groupNumbers)
                try Identity.becomePermanently(uid: account.uid, gid: account.gid)
            } catch { return 255 }
        }
        Identity.execute(arguments[1], Array(arguments[1...]))
        return 255
    }
}
