// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// Files, terminal and account, as far as this program needs them. What fails says why in the
/// words of the system.
enum World {
    static let configurationFolder = "/etc/ssh"

    static var arguments: [String] { Array(RawArguments.texts.dropFirst()) }

    static func exit(_ status: Int32) -> Never { Daemon.exit(status) }

    // MARK: Output and input

    static func print(_ line: String) { write(line + "\n") }

    static func write(_ text: String) { write(text.octets) }

    static func write(_ bytes: [UInt8]) { Descriptor.writeAll(Descriptor.standardOutput, bytes) }

    /// A message, each of its lines ended as OpenSSH ends them, for terminals in raw mode too.
    static func error(_ message: String) {
        let lines = message.split(separator: "\n", omittingEmptySubsequences: false)
        writeError(lines.map { $0 + "\r\n" }.joined())
    }

    static func writeError(_ text: String) {
        Descriptor.writeAll(Descriptor.standardError, text.withVisibleOctets.octets)
    }

    /// A line from standard input without its end; nil when there is none.
    static func readLine() -> String? {
        readLine(from: Descriptor.standardInput).map { String(octets: $0) }
    }

    static func readStandardInput() -> [UInt8] {
        Descriptor.readAll(Descriptor.standardInput, limit: maximumBytes) ?? []
    }

    /// Byte by byte, to leave the next line to whoever reads next.
    private static func readLine(from descriptor: Int32) -> [UInt8]? {
        var line: [UInt8] = []
        var byte: [UInt8] = [0]
        while line.count < 65536 {
            var span = byte.mutableRawBytes
            guard case .bytes = Descriptor.read(descriptor, into: &span) else { break }
            if byte[0] == 0x0a { return line }
            line.append(byte[0])
        }
        return line.isEmpty ? nil : line
    }

    /// The digest of a file, or of standard input; nil when it cannot be read to its end.
    static func digest(of path: String?, _ hash: FileSignature.Hash, _ log: Log) -> [UInt8]? {
        var descriptor = Descriptor.standardInput
        if let path {
            guard let opened = try? Descriptor.open(path, 0) else { return nil }
            descriptor = opened
        }
        defer { if path != nil { Descriptor.close(descriptor) } }
        var digest = hash.digest
        var chunk = [UInt8](repeating: 0, count: 65536)
        var total = 0
        while true {
            var span = chunk.mutableRawBytes
            switch Descriptor.read(descriptor, into: &span) {
            case .bytes(let count):
                digest.update(chunk.rawBytes.extracting(first: count))
                total &+= count
            case .ended:
                let result = digest.finish()
                log.debug2("hash_file: hashed \(total) bytes")
                log.debug3("hash_file: final hash: \(Hexadecimal.encode(result))")
                return result
            case .wouldBlock: Descriptor.waitUntilReady(descriptor, forWriting: false)
            case .failed: return nil
            }
        }
    }

    // MARK: Passphrases

    /// Asks on the terminal with echo off, through SSH_ASKPASS, or on standard input when there is
    /// neither. No answer is an empty one.
    static func readPassphrase(_ prompt: String) -> SecretBytes {
        if let answer = Prompts.ask(prompt, beginsLine: false) { return answer }
        if Prompts.mayAskProgram { return SecretBytes([]) }
        if let terminal = try? Descriptor.open("/dev/tty", 2) {
            Descriptor.close(terminal)
            return SecretBytes([])
        }
        writeError(prompt)
        return SecretBytes(readLine(from: Descriptor.standardInput) ?? [])
    }

    // MARK: Tokens

    /// The middleware of FIDO tokens: `-w`, else what SSH_SK_PROVIDER says, else our own.
    static func securityKeyProvider(_ arguments: Arguments) -> String {
        arguments.securityKeyLibrary ?? Environment.value("SSH_SK_PROVIDER") ?? "internal"
    }

    // MARK: Files

    /// The whole file; nil when it cannot be read.
    static func read(_ path: String) -> [UInt8]? { try? Files.read(path, limit: maximumBytes) }

    /// Why a file cannot be read; nil when it can. A pipe is not opened: whoever writes into it would
    /// take that for a reader who comes and goes.
    static func problem(reading path: String) -> String? {
        guard let status = Files.status(path) else { return Files.reasonForAbsence(of: path) }
        guard status.isRegular else { return status.isDirectory ? isFolder : nil }
        do {
            Descriptor.close(try Descriptor.open(path, 0))
        } catch {
            return error.reason
        }
        return nil
    }

    /// What `problem(reading:)` says of a folder.
    static let isFolder = SystemError.reason(21)

    static func exists(_ path: String) -> Bool { Files.exists(path) }

    static func size(of path: String) -> Int64? { Files.status(path)?.bytes }

    /// The permission bits.
    static func mode(of path: String) -> UInt32? { Files.status(path)?.mode }

    /// Whether the user who runs this owns the file.
    static func isOwned(_ path: String) -> Bool { Files.status(path)?.uid == Daemon.realUser }

    static func makeFolder(_ path: String, mode: UInt32) -> String? {
        reason { () throws(SystemError) in try Files.makeDirectory(path, mode: mode) }
    }

    /// Puts a new file in the place of an old one, all of it or nothing where that can be. The old
    /// one's mode stays, unless `mode` is for a secret.
    static func replace(
        _ path: String,
        with contents: [UInt8],
        mode: UInt32,
        isSecret: Bool = false
    ) -> String? {
        reason { () throws(SystemError) in
            try Files.rewrite(path, with: contents, mode: mode, keepsMode: !isSecret)
        }
    }

    /// As `replace`, with a copy of the old file beside it and its mode for the new one.
    static func replaceKeeping(
        _ path: String,
        with contents: [UInt8],
        backup: String
    ) -> String? {
        guard let old = read(path) else {
            // No link can be made to a folder.
            return "link \(path) to \(backup): \(SystemError.reason(1))"
        }
        do throws(SystemError) {
            try Files.keep(old, of: path, in: backup)
        } catch {
            return "link \(path) to \(backup): \(error.reason)"
        }
        return replace(path, with: contents, mode: 0o600).map { "rename to \"\(path)\": \($0)" }
    }

    static func remove(_ path: String) { Files.remove(path) }

    private static func reason(_ work: () throws(SystemError) -> Void) -> String? {
        do {
            try work()
            return nil
        } catch {
            return error.reason
        }
    }

    private static let maximumBytes = 256 << 20

    // MARK: Time

    /// Seconds since 1970.
    static var now: UInt64 { Clock.epochSeconds }

    /// The time as ctime(3) writes it.
    static var moment: String { CivilTime.text(of: Int64(clamping: now)) }

    /// The time as `YYYYMMDDhhmmss`, UTC, as moduli(5) has it.
    static var compactTime: String { CivilTime.compactTimestamp(of: Int64(clamping: now)) }

    /// `YYYY-MM-DDThh:mm:ss` in the system's time zone.
    static func timestamp(_ seconds: UInt64) -> String {
        CivilTime.timestamp(of: Int64(clamping: seconds))
    }

    /// The moment that a date means, in the system's time zone unless it says UTC.
    static func seconds(_ time: TimeSpecification) -> UInt64? {
        if time.isUTC { return UInt64(exactly: time.secondsAsUTC) }
        return UInt64(
            exactly: CivilTime.seconds(
                year: time.year,
                month: time.month,
                day: time.day,
                hour: time.hour,
                minute: time.minute,
                second: time.second
            )
        )
    }

    // MARK: Account

    /// The home directory of the account, whatever HOME says.
    static var home: String { account.home }

    /// The usual comment.
    static var userAtHost: String { account.name + "@" + Resolver.ownHostName }

    private static var account: User {
        guard let user = User.numbered(Daemon.realUser) else {
            fatal("No user exists for uid \(Daemon.realUser)")
        }
        return user
    }
}
