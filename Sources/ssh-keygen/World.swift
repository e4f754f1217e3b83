// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import HawserWire

/// Files, terminal and account, as far as this program needs them. What fails says why in the
/// words of the system.
enum World {
    static let configurationFolder = "/etc/ssh"

    static var arguments: [String] { Array(CommandLine.arguments.dropFirst()) }

    static func exit(_ status: Int32) -> Never { Glibc.exit(status) }

    // MARK: Output and input

    static func print(_ line: String) { write(line + "\n") }

    static func write(_ text: String) { write(Array(text.utf8)) }

    static func write(_ bytes: [UInt8]) { _ = writeAll(bytes, to: STDOUT_FILENO) }

    /// A message, each of its lines ended as OpenSSH ends them, for terminals in raw mode too.
    static func error(_ message: String) {
        let lines = message.split(separator: "\n", omittingEmptySubsequences: false)
        writeError(lines.map { $0 + "\r\n" }.joined())
    }

    static func writeError(_ text: String) { _ = writeAll(Array(text.utf8), to: STDERR_FILENO) }

    /// A line from standard input without its end; nil when there is none.
    static func readLine() -> String? {
        readLine(from: STDIN_FILENO).map { String(decoding: $0, as: UTF8.self) }
    }

    static func readStandardInput() -> [UInt8] { readAll(from: STDIN_FILENO) }

    private static func readLine(from descriptor: Int32) -> [UInt8]? {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        // SAFETY: reads one byte into `byte`.
        while unsafe Glibc.read(descriptor, &byte, 1) == 1 {
            if byte == 0x0a { return line }
            line.append(byte)
            if line.count >= 65536 { return line }
        }
        return line.isEmpty ? nil : line
    }

    // MARK: Passphrases

    /// Asks on the terminal with echo off, through SSH_ASKPASS, or on standard input when there is
    /// neither.
    static func readPassphrase(_ prompt: String) -> SecretBytes {
        let require = environment("SSH_ASKPASS_REQUIRE")?.lowercased()
        let hasDisplay = environment("DISPLAY") != nil || environment("WAYLAND_DISPLAY") != nil
        let isForced = require == "force"
        let mayAsk = require != "never" && (hasDisplay || isForced || require == "prefer")
        if isForced || mayAsk && (require == "prefer" || isatty(STDIN_FILENO) == 0) {
            return ask(environment("SSH_ASKPASS") ?? "/usr/bin/ssh-askpass", prompt)
        }
        let terminal = unsafe open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        defer { if terminal >= 0 { close(terminal) } }
        let input = terminal >= 0 ? terminal : STDIN_FILENO
        let output = terminal >= 0 ? terminal : STDERR_FILENO
        var saved = termios()
        // SAFETY: fills one `termios`.
        let isTerminal = unsafe tcgetattr(input, &saved) == 0
        if isTerminal {
            var silent = saved
            silent.c_lflag &= ~tcflag_t(ECHO | ECHOE | ECHOK | ECHONL)
            _ = unsafe tcsetattr(input, TCSAFLUSH, &silent)
        }
        _ = writeAll(Array(prompt.utf8), to: output)
        let line = readLine(from: input) ?? []
        if isTerminal {
            _ = unsafe tcsetattr(input, TCSAFLUSH, &saved)
            _ = writeAll([0x0a], to: output)
        }
        return SecretBytes(line)
    }

    /// Runs a program that asks; what it prints is the answer, if it ends well.
    private static func ask(_ program: String, _ prompt: String) -> SecretBytes {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { return SecretBytes([]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        var child: pid_t = 0
        let name = unsafe strdup(program)
        let question = unsafe strdup(prompt)
        defer {
            unsafe free(name)
            unsafe free(question)
        }
        let arguments = unsafe [name, question, nil]
        // SAFETY: the strings and the environment live until the call returns.
        let failure = unsafe posix_spawn(&child, program, &actions, nil, arguments, environ)
        close(ends[1])
        defer { close(ends[0]) }
        if failure != 0 {
            error("ssh_askpass: exec(\(program)): \(unsafe String(cString: strerror(failure)))")
            return SecretBytes([])
        }
        let answer = readLine(from: ends[0]) ?? []
        var status: Int32 = 0
        while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
        return SecretBytes(status == 0 ? answer : [])
    }

    private static func environment(_ name: String) -> String? {
        // SAFETY: copied at once; nothing here changes the environment.
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    // MARK: Files

    /// The whole file; nil when it cannot be read or is too large to be one of ours.
    static func read(_ path: String) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return readAll(from: descriptor)
    }

    /// Why a file cannot be read; nil when it can.
    static func problem(reading path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return lastError }
        close(descriptor)
        return status(of: path).map { $0.st_mode & S_IFMT == S_IFDIR } == true
            ? "Is a directory" : nil
    }

    static func exists(_ path: String) -> Bool { status(of: path) != nil }

    static func size(of path: String) -> Int? { status(of: path).map { Int($0.st_size) } }

    /// The permission bits.
    static func mode(of path: String) -> UInt32? {
        status(of: path).map { UInt32($0.st_mode) & 0o7777 }
    }

    /// Whether the user who runs this owns the file.
    static func isOwned(_ path: String) -> Bool { status(of: path)?.st_uid == getuid() }

    static func makeFolder(_ path: String, mode: UInt32) -> String? {
        unsafe mkdir(path, mode) == 0 ? nil : lastError
    }

    /// Puts a new file in the place of an old one, all of it or nothing.
    static func replace(_ path: String, with contents: [UInt8], mode: UInt32) -> String? {
        let temporary = "\(path).\(suffix)"
        if let problem = create(temporary, contents, mode: mode) { return problem }
        return rename(temporary, to: path)
    }

    /// As `replace`, keeping the old file as `backup` and its mode for the new one.
    static func replaceKeeping(
        _ path: String,
        with contents: [UInt8],
        backup: String
    ) -> String? {
        let temporary = "\(path).\(suffix)"
        if let problem = create(temporary, contents, mode: 0o600) {
            return "mkstemp: \(problem)"
        }
        if let mode = mode(of: path) { _ = unsafe chmod(temporary, mode & 0o777) }
        _ = unsafe unlink(backup)
        if unsafe link(path, backup) != 0 {
            let problem = lastError
            _ = unsafe unlink(temporary)
            return "link \(path) to \(backup): \(problem)"
        }
        return rename(temporary, to: path).map { "rename\"\(temporary)\" to \"\(path)\": \($0)" }
    }

    private static func create(_ path: String, _ contents: [UInt8], mode: UInt32) -> String? {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
        let descriptor = unsafe open(path, flags, mode)
        guard descriptor >= 0 else { return lastError }
        let problem =
            writeAll(contents, to: descriptor) ?? (fsync(descriptor) == 0 ? nil : lastError)
        close(descriptor)
        if problem != nil { _ = unsafe unlink(path) }
        return problem
    }

    private static func rename(_ from: String, to path: String) -> String? {
        if unsafe Glibc.rename(from, path) == 0 { return nil }
        let problem = lastError
        _ = unsafe unlink(from)
        return problem
    }

    private static func status(of path: String) -> stat? {
        var status = stat()
        // SAFETY: fills one `stat`.
        return unsafe stat(path, &status) == 0 ? status : nil
    }

    /// A name that no other file has.
    private static var suffix: String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        return String((0..<10).map { _ in letters[Int.random(in: 0..<letters.count)] })
    }

    private static func readAll(from descriptor: Int32) -> [UInt8] {
        var contents: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while contents.count < maximumBytes {
            // SAFETY: fills at most `chunk.count` bytes.
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            contents += chunk.prefix(count)
        }
        chunk.wipe()
        return contents
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> String? {
        var rest = bytes[...]
        while !rest.isEmpty {
            // SAFETY: reads `count` bytes.
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return lastError }
            rest = rest.dropFirst(count)
        }
        return nil
    }

    private static let maximumBytes = 256 << 20

    /// The words for `errno`.
    private static var lastError: String { unsafe String(cString: strerror(errno)) }

    // MARK: Account

    /// The home directory of the account, whatever HOME says.
    static var home: String {
        guard let entry = unsafe getpwuid(getuid()), let folder = unsafe entry.pointee.pw_dir else {
            fatal("No user exists for uid \(getuid())")
        }
        return unsafe String(cString: folder)
    }

    /// The usual comment.
    static var userAtHost: String {
        guard let entry = unsafe getpwuid(getuid()), let name = unsafe entry.pointee.pw_name else {
            fatal("No user exists for uid \(getuid())")
        }
        var host = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&host, host.count - 1) == 0 else {
            fatal("gethostname: \(lastError)")
        }
        let hostName = host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return unsafe String(cString: name) + "@" + String(decoding: hostName, as: UTF8.self)
    }
}
