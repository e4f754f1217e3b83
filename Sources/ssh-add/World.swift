// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// Files, terminal and account, as far as this program needs them.
enum World {
    static func exit(_ status: Int32) -> Never { Daemon.exit(status) }

    /// The home directory of the account, whatever HOME says.
    static var home: String? { User.numbered(Daemon.realUser)?.home }

    static func exists(_ path: String) -> Bool { Files.exists(path) }

    /// A small file, or why it cannot be read.
    static func read(_ path: String) -> Result<[UInt8], SystemError> {
        do {
            return .success(try Files.read(path, limit: maximumBytes))
        } catch {
            return .failure(error)
        }
    }

    static func readStandardInput() -> [UInt8] {
        Descriptor.readAll(Descriptor.standardInput, limit: maximumBytes) ?? []
    }

    private static let maximumBytes = 16 << 20

    /// A private key file, opened once: who may read it, and what it holds.
    static func readPrivate(_ path: String) -> Result<(mode: UInt32?, [UInt8]), SystemError> {
        do {
            let descriptor = try Descriptor.open(path, 0)
            defer { Descriptor.close(descriptor) }
            guard let status = Files.status(of: descriptor) else {
                return .failure(SystemError("stat", path))
            }
            let isOurs = status.uid == Daemon.realUser
            if status.isDirectory {
                // What others may read is refused before it is read.
                if isOurs, status.mode & 0o077 != 0 { return .success((status.mode, [])) }
                return .failure(SystemError("read", path, number: 21))  // EISDIR
            }
            guard let bytes = Descriptor.readAll(descriptor, limit: 1 << 20) else {
                return .failure(SystemError("read", path))
            }
            return .success((isOurs ? status.mode : nil, bytes))
        } catch {
            return .failure(error)
        }
    }

    /// Asks for a secret: on the terminal, through SSH_ASKPASS, or on standard input when there is
    /// neither. No answer is an empty one.
    static func readSecret(_ prompt: String) -> SecretBytes {
        let isPiped = !Descriptor.isTerminal(Descriptor.standardInput)
        if let answer = Prompts.ask(prompt, prefersProgram: isPiped, beginsLine: false) {
            return answer
        }
        if Prompts.mayAskProgram { return SecretBytes([]) }
        if let terminal = try? Descriptor.open("/dev/tty", 2) {
            Descriptor.close(terminal)
            return SecretBytes([])
        }
        printError(prompt)
        return readLine()
    }

    /// Byte by byte, to leave the next line to whoever reads next.
    private static func readLine() -> SecretBytes {
        var line: [UInt8] = []
        line.reserveCapacity(1024)
        var byte: [UInt8] = [0]
        while line.count < 1023 {
            var span = byte.mutableRawBytes
            guard case .bytes = Descriptor.read(Descriptor.standardInput, into: &span) else {
                break
            }
            if byte[0] == 0x0a || byte[0] == 0x0d { break }
            line.append(byte[0])
        }
        return SecretBytes(line)
    }
}
