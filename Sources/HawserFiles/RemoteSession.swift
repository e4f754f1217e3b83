// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
package import HawserSFTP
package import HawserSystem
internal import HawserWire

/// Why a session with a server is over.
package enum SessionFault: Error, Equatable, Sendable {
    /// The connection is gone.
    case closed
    /// The server does not speak the protocol; the text is for the user.
    case misspoken(String)
    /// The first thing that it says, of this type, is no greeting.
    case notGreeted(UInt8)
    /// A signal wants the program to end.
    case interrupted
}

/// A connection to one server, with a program (ssh or a server itself) that carries it.
package final class RemoteSession {
    package var client = Client()
    package private(set) var limits = ServerLimits()
    private let reader: Int32
    private let writer: Int32
    private let program: Int32
    /// Where relative paths begin, when `greet` has asked.
    package private(set) var startDirectory: [UInt8] = [46]
    private var limitsRequest: UInt32?
    private var forgotten: Set<UInt32> = []
    /// A signal that is watched ends a wait for the server (`signal` is which).
    package var endsOnSignals = false
    package private(set) var signal: Int32?
    private var hasEnded = false
    private var set = PollSet()
    /// The pipe took nothing more; cleared by the next poll.
    private var writerIsFull = false
    /// The last read got everything that was there.
    private(set) var readerIsEmpty = true
    package var log: (_ level: Int, _ text: @autoclosure () -> String) -> Void = { _, _ in }

    private init(reader: Int32, writer: Int32, program: Int32) {
        self.reader = reader
        self.writer = writer
        self.program = program
        Descriptor.setNonblocking(reader)
        Descriptor.setNonblocking(writer)
    }

    /// Starts a program and talks to its standard input and output.
    package static func start(
        _ program: String,
        _ arguments: [String]
    ) throws(SystemError)
        -> RemoteSession
    {
        let pipes = try ProgramPipes.start(program, arguments)
        return RemoteSession(reader: pipes.reader, writer: pipes.writer, program: pipes.program)
    }

    /// Greets the server and asks for its limits, where it tells them; they come before the answer to
    /// whatever is asked next.
    ///
    /// `asksDirectory`: `startDirectory` is wanted. The request for it stands behind the greeting, so
    /// that a long path is gone once for both.
    package func greet(asksDirectory: Bool = false) throws(SessionFault) {
        let directory = asksDirectory ? client.request(.realpath, [46]) : nil
        while client.version == 0 {
            if let reply = try next() {
                guard case .version = reply.content else { throw .notGreeted(0) }
                break
            }
            try waitForGreeting()
        }
        if supports("limits@openssh.com") {
            limitsRequest = client.extended("limits@openssh.com") { _ in }
        }
        guard let directory else { return }
        guard case .names(let names) = try answer(to: directory).content,
            let name = names.first?.name
        else { throw .misspoken("Need cwd") }
        startDirectory = name
    }

    /// Waits for bytes. A server that takes none itself may have said why, before it ended.
    private func waitForGreeting() throws(SessionFault) {
        do throws(SessionFault) {
            try wait()
        } catch .closed {
            while (try? fill()) == true {}
            _ = try next()
            if client.version == 0 { throw .closed }
        }
    }

    /// The limits have been asked for and have not come.
    var awaitsLimits: Bool { limitsRequest != nil }

    /// Waits for the limits, if they have been asked for and have not come.
    func awaitLimits() throws(SessionFault) {
        while limitsRequest != nil {
            if let reply = try next() { throw .misspoken("Unexpected reply \(reply.id)") }
            if limitsRequest != nil { try wait() }
        }
    }

    /// The answer to this request is of no interest when it comes.
    func forget(_ id: UInt32) { forgotten.insert(id) }

    package func supports(_ fullName: String) -> Bool { client.extensions[fullName] != nil }

    // MARK: One request at a time

    /// Waits for the answer to one request while no other is under way.
    package func answer(to id: UInt32) throws(SessionFault) -> Reply {
        while true {
            if let reply = try next() {
                guard reply.id == id else { throw .misspoken("ID mismatch (\(reply.id) != \(id))") }
                return reply
            }
            try wait()
        }
    }

    /// The status that answers a request.
    package func status(of id: UInt32) throws(SessionFault) -> (Status, text: [UInt8]) {
        if case .status(let status, let text) = try answer(to: id).content { return (status, text) }
        throw .misspoken("Expected SSH2_FXP_STATUS(101) packet")
    }

    // MARK: Many requests at a time

    package func next() throws(SessionFault) -> Reply? {
        do throws(ClientFault) {
            while let reply = try client.next() {
                if reply.id == limitsRequest {
                    limitsRequest = nil
                    if case .extended = reply.content { takeLimits() }
                } else if forgotten.isEmpty || forgotten.remove(reply.id) == nil {
                    return reply
                }
            }
            return nil
        } catch {
            switch error {
            case .badMessage(let text): throw .misspoken(text)
            case .badGreeting(let type): throw .notGreeted(type)
            }
        }
    }

    private func takeLimits() {
        let told = extendedData
        var reader = WireReader(told.rawBytes)
        if let told = try? ServerLimits(from: &reader) { limits = told }
    }

    /// Sends what it can without waiting.
    package func flush() throws(SessionFault) {
        while !client.output.isEmpty, !writerIsFull {
            switch Descriptor.write(writer, client.output.bytes) {
            case .bytes(let count): client.output.removeFirst(count)
            case .wouldBlock: writerIsFull = true
            case .ended, .failed:
                hasEnded = true
                throw .closed
            }
        }
    }

    /// To be called after a poll of what `add` put into its set.
    func polled() {
        writerIsFull = false
        readerIsEmpty = false
    }

    /// Takes what has come, without waiting; whether there was something.
    package func fill() throws(SessionFault) -> Bool {
        var result = Transfer.wouldBlock
        let descriptor = reader
        _ = client.receive(upTo: inputBytes) { room in
            result = Descriptor.read(descriptor, into: &room)
            if case .bytes(let count) = result { return count }
            return 0
        }
        switch result {
        case .bytes(let count):
            readerIsEmpty = count < inputBytes
            return true
        case .wouldBlock:
            readerIsEmpty = true
            return false
        case .ended, .failed:
            hasEnded = true
            throw .closed
        }
    }

    /// Puts what this session waits for into a set.
    func add(to set: inout PollSet) {
        set.add(reader, read: true)
        if !client.output.isEmpty { set.add(writer, write: true) }
    }

    /// Sends, and waits for bytes.
    package func wait() throws(SessionFault) {
        try flush()
        while true {
            if try fill() { return }
            set.removeAll()
            add(to: &set)
            if endsOnSignals { set.add(Signals.descriptor, read: true) }
            set.wait(timeout: nil)
            if endsOnSignals, let signal = Signals.take().last {
                self.signal = signal
                throw .interrupted
            }
            polled()
            try flush()
        }
    }

    // MARK: The data of the last reply

    package var dataBytes: Int { client.withData { $0.byteCount } }

    /// A copy of the fields of an extended reply.
    package var extendedData: [UInt8] { client.withData { [UInt8](copying: $0) } }

    func dataEquals(_ bytes: [UInt8]) -> Bool {
        client.withData { $0.elementsEqual(bytes.rawBytes) }
    }

    /// Writes all of it to a file; 0 or the negative error number.
    func writeData(to file: Int32, at offset: UInt64) -> Int {
        client.withData { data in
            var done = 0
            while done < data.byteCount {
                let result = FileCalls.write(
                    file,
                    at: offset &+ UInt64(done),
                    data.extracting(droppingFirst: done)
                )
                guard result > 0 else { return result }
                done += result
            }
            return 0
        }
    }

    /// Sends it on to a file of another server.
    func sendData(to other: RemoteSession, _ handle: [UInt8], at offset: UInt64) -> UInt32 {
        client.withData { other.client.write(handle, at: offset, $0) }
    }

    /// Ends the connection and returns how its program ended.
    @discardableResult
    package func end() -> ChildEnd? {
        Descriptor.close(writer)
        // Answers that nobody waits for are still to come.
        if !forgotten.isEmpty, !hasEnded { drain() }
        Descriptor.close(reader)
        guard program > 0 else { return nil }
        return Child.wait(program)
    }

    private func drain() {
        var scratch = [UInt8](repeating: 0, count: 4096)
        while true {
            set.removeAll()
            set.add(reader, read: true)
            set.wait(timeout: nil)
            var span = scratch.mutableRawBytes
            switch Descriptor.read(reader, into: &span) {
            case .bytes, .wouldBlock: continue
            case .ended, .failed: return
            }
        }
    }

    /// Ends the program too.
    package func abandon() {
        if program > 0 { Child.kill(program, 15) }
    }
}

/// A program with pipes to its standard input and output.
package struct ProgramPipes {
    package var reader: Int32
    package var writer: Int32
    package var program: Int32

    /// An interrupt from the keyboard does not reach it: the one who started it decides.
    package static func start(
        _ program: String,
        _ arguments: [String],
        lastArgument: [UInt8]? = nil
    )
        throws(SystemError) -> ProgramPipes
    {
        let input = try Descriptor.pipe()
        let output = try Descriptor.pipe()
        FileCalls.setPipeBytes(input.write, pipeBytes)
        FileCalls.setPipeBytes(output.read, pipeBytes)
        var spawn = Spawn(program, [program] + arguments)
        spawn.lastArgument = lastArgument
        spawn.searchesPath = true
        spawn.keptSignals = [2]  // INT
        spawn.descriptors = [(child: 0, ours: input.read), (child: 1, ours: output.write), (2, 2)]
        defer {
            Descriptor.close(input.read)
            Descriptor.close(output.write)
        }
        do throws(SystemError) {
            return ProgramPipes(
                reader: output.read,
                writer: input.write,
                program: try spawn.start()
            )
        } catch {
            Descriptor.close(input.write)
            Descriptor.close(output.read)
            throw error
        }
    }
}

/// How much is asked of the connection at once, in bytes.
private let inputBytes = 512 * 1024
private let pipeBytes: Int32 = 1 << 20
