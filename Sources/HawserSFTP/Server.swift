// SPDX-License-Identifier: Apache-2.0

package import HawserLog
internal import HawserWire

/// Why a server gives up on its client.
package enum ServerFault: Error, Equatable, Sendable {
    /// A packet that is none; the text is for the log.
    case badMessage(String)
}

/// One client's server: bytes in, answers out, files through a `ServerFileSystem`. Does no I/O
/// of its own but the files'.
package struct Server: ~Copyable {
    /// What has come and is not answered yet.
    private var input = ByteQueue(capacityBytes: 4096)
    private var session: ServerSession

    package init(
        files: any ServerFileSystem,
        rules: RequestRules = RequestRules(),
        log: Log = .none,
        witness: (any FileWitness)? = nil
    ) {
        session = ServerSession(files: files, rules: rules, log: log, witness: witness)
    }

    /// Answers not yet sent.
    package var output: RawSpan {
        @_lifetime(borrow self) get { session.output.bytes }
    }

    package var outputBytes: Int { session.output.count }

    /// Takes the oldest answers away, once they are sent.
    package mutating func sent(_ count: Int) { session.output.removeFirst(count) }

    /// Lets `body` put up to `count` bytes of the client behind those that wait.
    package mutating func receive<Failure: Error>(
        upTo count: Int,
        _ body: (inout MutableRawSpan) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        try input.appendUpTo(count, body)
    }

    /// Answers whole requests until there is none, or more than `limit` bytes wait to be sent.
    /// Returns whether it stopped for the limit.
    package mutating func answer(limit: Int) throws(ServerFault) -> Bool {
        while input.count >= 4 {
            if session.output.count > limit { return true }
            let length = Int(input.bytes.bigEndianUInt32(at: 0))
            guard length > 0, length <= PacketLimits.packetBytes else {
                throw .badMessage("bad message")
            }
            guard input.count >= 4 + length else { break }
            do throws(WireError) {
                try session.answer(firstOf: input, bytes: length)
            } catch {
                throw .badMessage("parse: \(error)")
            }
            input.removeFirst(4 + length)
        }
        return false
    }

    /// Closes what the client left open.
    package mutating func end() { session.closeAll() }
}

/// A server's state beside its input: handles, rules, answers.
struct ServerSession: ~Copyable {
    var output = ByteQueue(capacityBytes: 4096)
    var files: any ServerFileSystem
    let rules: RequestRules
    let log: Log
    var handles = HandleTable()
    private var hasGreeted = false
    private let witness: (any FileWitness)?
    /// What the request that is being answered does, if it is worth telling.
    private var event: FileEvent?

    init(files: any ServerFileSystem, rules: RequestRules, log: Log, witness: (any FileWitness)?) {
        self.files = files
        self.rules = rules
        self.log = log
        self.witness = witness
    }

    /// Says what this request does; it is told with what came of it.
    mutating func note(
        _ operation: String,
        _ path: [UInt8],
        _ change: (inout FileEvent) -> Void = { _ in }
    ) {
        guard witness != nil else { return }
        var event = FileEvent(operation: operation, path: path)
        change(&event)
        self.event = event
    }

    /// Tells it.
    mutating func tell(_ status: Status) {
        guard var event, let witness else { return }
        self.event = nil
        if status != .ok { event.failure = status.text }
        witness.note(event)
    }

    /// Answers the first packet of a queue, `bytes` long behind its length.
    mutating func answer(firstOf queue: borrowing ByteQueue, bytes: Int) throws(WireError) {
        var reader = WireReader(queue.bytes.extracting(4..<4 + bytes))
        let number = try reader.readByte()
        if number == PacketType.initialize.rawValue {
            let version = try reader.readUInt32()
            log.verbose("received client version \(version)")
            hasGreeted = true
            return greet()
        }
        guard hasGreeted else { throw .badName }
        let id = try reader.readUInt32()
        guard let type = PacketType(rawValue: number) else {
            return log.error("Unknown message \(number)")
        }
        if type == .extended {
            let name = try reader.readText(limit: 256)
            guard let request = ServerRequest(extendedName: name) else {
                log.error("Unknown extended request \"\(PrintableText.of(name.octets))\"")
                return send(.unsupported, to: id)
            }
            return try perform(request, id, &reader)
        }
        guard let request = ServerRequest(type) else {
            return log.error("Unknown message \(number)")
        }
        try perform(request, id, &reader)
    }

    private mutating func perform(
        _ request: ServerRequest,
        _ id: UInt32,
        _ reader: inout WireReader
    ) throws(WireError) {
        if let refusal = rules.refusal(of: request) {
            log.verbose(refusal)
            return send(.permissionDenied, to: id)
        }
        do throws(RequestFailure) {
            try run(request, id, &reader)
            tell(.ok)
        } catch {
            switch error {
            case .refused(let status):
                tell(status)
                send(status, to: id)
            case .malformed(let error): throw error
            }
        }
    }

    /// Version and extensions (draft-ietf-secsh-filexfer-02 §4).
    private mutating func greet() {
        let start = begin(.version)
        output.append(uint32: PacketLimits.version)
        for request in ServerRequest.allCases {
            guard let extended = request.extended else { continue }
            if let refusal = rules.refusal(of: request) {
                log.verbose(refusal)
                log.debug2(
                    "compose_extension: refusing to advertise disallowed extension "
                        + extended.name
                )
                continue
            }
            output.append(text: extended.name)
            output.append(text: extended.version)
        }
        finish(start)
    }

    mutating func closeAll() {
        for handle in handles.removeAll() {
            logClose(handle, forced: true)
            tell(.ok)
            if handle.directory == nil { try? files.close(handle.file) }
        }
    }

    // MARK: Answers

    /// Starts a packet and returns where.
    mutating func begin(_ type: PacketType) -> Int {
        let start = output.count
        output.append(uint32: 0)
        output.append(byte: type.rawValue)
        return start
    }

    mutating func begin(_ type: PacketType, _ id: UInt32) -> Int {
        let start = begin(type)
        output.append(uint32: id)
        return start
    }

    mutating func finish(_ start: Int) {
        output.set(uint32: UInt32(output.count - start - 4), at: start)
    }

    mutating func send(_ status: Status, _ text: String? = nil, to id: UInt32) {
        log.debug3("request \(id): sent status \(status.rawValue)")
        if log.level > .verbose || (status != .ok && status != .endOfFile) {
            log.verbose("sent status \(status.text)")
        }
        let start = begin(.status, id)
        output.append(uint32: status.rawValue)
        output.append(text: text ?? status.text)
        output.append(uint32: 0)
        finish(start)
    }

    mutating func send(_ attributes: Attributes, to id: UInt32) {
        log.debug("request \(id): sent attrib have 0x\(String(attributes.flags, radix: 16))")
        let start = begin(.attributes, id)
        attributes.write(to: &output)
        finish(start)
    }

    mutating func send(handle: Int, to id: UInt32) {
        log.debug("request \(id): sent handle handle \(handle)")
        let start = begin(.handle, id)
        output.append(uint32: 4)
        output.append(uint32: UInt32(handle))
        finish(start)
    }

    /// One name, as realpath and readlink answer.
    mutating func send(name: [UInt8], to id: UInt32) {
        log.debug("request \(id): sent names count 1")
        let start = begin(.name, id)
        output.append(uint32: 1)
        output.append(string: name)
        output.append(string: name)
        Attributes().write(to: &output)
        finish(start)
    }
}

/// Why a request was not carried out.
enum RequestFailure: Error {
    /// The client gets this.
    case refused(Status)
    /// The packet is none: the end.
    case malformed(WireError)
}

/// What a client has open.
struct HandleTable {
    struct Entry {
        var file: Int32
        var path: [UInt8]
        var directory: AnyObject?
        var appends = false
        var bytesRead: UInt64 = 0
        var bytesWritten: UInt64 = 0
    }

    private var entries: [Entry?] = []
    private var free: [Int] = []

    /// How many handles one client may have at most.
    static var limit: Int { 65536 }

    mutating func insert(_ entry: Entry) -> Int? {
        if let index = free.popLast() {
            entries[index] = entry
            return index
        }
        guard entries.count < Self.limit else { return nil }
        entries.append(entry)
        return entries.count - 1
    }

    subscript(index: Int) -> Entry? {
        entries.indices.contains(index) ? entries[index] : nil
    }

    /// The descriptor of an open file and whether it appends.
    func file(_ index: Int) -> (descriptor: Int32, appends: Bool)? {
        guard entries.indices.contains(index), let entry = entries[index],
            entry.directory == nil
        else { return nil }
        return (entry.file, entry.appends)
    }

    mutating func count(read: Int = 0, written: Int = 0, on index: Int) {
        guard entries.indices.contains(index) else { return }
        entries[index]?.bytesRead &+= UInt64(read)
        entries[index]?.bytesWritten &+= UInt64(written)
    }

    mutating func remove(_ index: Int) -> Entry? {
        guard entries.indices.contains(index), let entry = entries[index] else { return nil }
        entries[index] = nil
        free.append(index)
        return entry
    }

    mutating func removeAll() -> [Entry] {
        var all: [Entry] = []
        for case let entry? in entries { all.append(entry) }
        entries = []
        free = []
        return all
    }
}
