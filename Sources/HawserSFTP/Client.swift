// SPDX-License-Identifier: Apache-2.0

package import HawserWire

/// Why a client gives up on its server.
package enum ClientFault: Error, Equatable, Sendable {
    /// A packet that is none; the text is for the user.
    case badMessage(String)
    /// Something else than `SSH_FXP_VERSION` first.
    case badGreeting(UInt8)
}

/// The answer to one request.
package struct Reply: Sendable {
    package enum Content: Sendable {
        case version
        /// The number as it came and the server's text.
        case status(Status, text: [UInt8])
        case handle([UInt8])
        /// So many bytes, to be read by `Client.withData` before the next reply is asked for.
        case data(Int)
        case names([ReplyName])
        case attributes(Attributes)
        /// To be read by `Client.withData`.
        case extended
    }

    package var id: UInt32
    package var content: Content
}

/// One name of an answer.
package struct ReplyName: Sendable {
    package var name: [UInt8]
    package var longName: [UInt8]
    package var attributes: Attributes
}

/// A client of one server: requests out, answers in, each with the number that joins them. Any
/// number may be under way. Does no I/O.
package struct Client: ~Copyable {
    private var input = ByteQueue(capacityBytes: 4096)
    /// Requests not yet sent.
    package var output = ByteQueue(capacityBytes: 4096)
    private var nextID: UInt32 = 1
    /// The reply that was told last, still in the queue.
    private var toldBytes = 0
    private var dataRange = 0..<0

    /// What the server speaks; 0 before its greeting.
    package private(set) var version: UInt32 = 0
    /// Name and version of each extension that the server told.
    package private(set) var extensions: [String: String] = [:]

    package init() {
        output.append(uint32: 5)
        output.append(byte: PacketType.initialize.rawValue)
        output.append(uint32: PacketLimits.version)
    }

    // MARK: Requests

    /// Starts a request; `finish` ends it. Returns its number and where it starts.
    package mutating func begin(_ type: PacketType) -> (id: UInt32, start: Int) {
        let start = output.count
        let id = nextID
        nextID &+= 1
        output.append(uint32: 0)
        output.append(byte: type.rawValue)
        output.append(uint32: id)
        return (id, start)
    }

    package mutating func finish(_ start: Int) {
        output.set(uint32: UInt32(output.count - start - 4), at: start)
    }

    /// A request of one path or handle: close, lstat, fstat, opendir, readdir, remove, rmdir,
    /// realpath, stat, readlink.
    package mutating func request(_ type: PacketType, _ name: [UInt8]) -> UInt32 {
        let (id, start) = begin(type)
        output.append(string: name)
        finish(start)
        return id
    }

    /// A request of two paths: rename, symlink.
    package mutating func request(_ type: PacketType, _ first: [UInt8], _ second: [UInt8]) -> UInt32
    {
        let (id, start) = begin(type)
        output.append(string: first)
        output.append(string: second)
        finish(start)
        return id
    }

    /// A request of a path or handle and attributes: setstat, fsetstat, mkdir.
    package mutating func request(
        _ type: PacketType,
        _ name: [UInt8],
        _ attributes: Attributes
    )
        -> UInt32
    {
        let (id, start) = begin(type)
        output.append(string: name)
        attributes.write(to: &output)
        finish(start)
        return id
    }

    package mutating func open(
        _ path: [UInt8],
        _ flags: OpenFlags,
        _ attributes: Attributes
    )
        -> UInt32
    {
        let (id, start) = begin(.open)
        output.append(string: path)
        output.append(uint32: flags.rawValue)
        attributes.write(to: &output)
        finish(start)
        return id
    }

    package mutating func read(_ handle: [UInt8], at offset: UInt64, count: Int) -> UInt32 {
        let (id, start) = begin(.read)
        output.append(string: handle)
        output.append(uint64: offset)
        output.append(uint32: UInt32(clamping: count))
        finish(start)
        return id
    }

    /// A write whose data `fill` puts in place, up to `count` bytes; it returns how many. Nil, and
    /// nothing is sent, when there are none.
    package mutating func write<Failure: Error>(
        _ handle: [UInt8],
        at offset: UInt64,
        upTo count: Int,
        _ fill: (inout MutableRawSpan) throws(Failure) -> Int
    ) throws(Failure) -> (id: UInt32, count: Int)? {
        let (id, start) = begin(.write)
        output.append(string: handle)
        output.append(uint64: offset)
        let place = output.count
        output.append(uint32: 0)
        let written: Int
        do throws(Failure) {
            written = try output.appendUpTo(count, fill)
        } catch {
            output.removeLast(output.count - start)
            throw error
        }
        if written == 0 {
            output.removeLast(output.count - start)
            return nil
        }
        output.set(uint32: UInt32(written), at: place)
        finish(start)
        return (id, written)
    }

    package mutating func write(_ handle: [UInt8], at offset: UInt64, _ data: RawSpan) -> UInt32 {
        let (id, start) = begin(.write)
        output.append(string: handle)
        output.append(uint64: offset)
        output.append(uint32: UInt32(data.byteCount))
        output.append(data)
        finish(start)
        return id
    }

    /// An extended request whose fields `body` writes.
    package mutating func extended(_ name: String, _ body: (inout ByteQueue) -> Void) -> UInt32 {
        let (id, start) = begin(.extended)
        output.append(text: name)
        body(&output)
        finish(start)
        return id
    }

    // MARK: Answers

    package mutating func receive<Failure: Error>(
        upTo count: Int,
        _ body: (inout MutableRawSpan) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        forgetTold()
        return try input.appendUpTo(count, body)
    }

    /// The bytes of the last reply: its data, or an extended reply's fields.
    private var data: RawSpan {
        @_lifetime(borrow self) get { input.bytes.extracting(dataRange) }
    }

    /// Lends `data`.
    package func withData<Value>(_ body: (RawSpan) -> Value) -> Value { body(data) }

    /// The next answer; nil: more bytes are needed.
    package mutating func next() throws(ClientFault) -> Reply? {
        forgetTold()
        guard input.count >= 4 else { return nil }
        let length = Int(input.bytes.bigEndianUInt32(at: 0))
        guard length <= PacketLimits.packetBytes else {
            // Text instead of a greeting is mostly what a shell prints as it starts.
            let advice =
                "\nEnsure the remote shell produces no output for non-interactive sessions."
            throw .badMessage(
                "Received message too long \(length)" + (version == 0 ? advice : "")
            )
        }
        guard input.count >= 4 + length else { return nil }
        if version == 0, length > 0 {
            let type = input.bytes[byteAt: 4]
            guard type == PacketType.version.rawValue else { throw .badGreeting(type) }
        }
        guard length >= 5 else {
            throw .badMessage("bad message from server: incomplete message")
        }
        toldBytes = 4 + length
        do throws(WireError) {
            return try parse(length)
        } catch {
            throw .badMessage("bad message from server: \(error)")
        }
    }

    private mutating func forgetTold() {
        input.removeFirst(toldBytes)
        toldBytes = 0
        dataRange = 0..<0
    }

    private mutating func parse(_ length: Int) throws(WireError) -> Reply {
        var version: UInt32?
        var extensions: [String: String] = [:]
        var range = 0..<0
        let reply = try Self.parse(input, length, &version, &extensions, &range)
        if let version {
            self.version = version
            self.extensions = extensions
        }
        dataRange = range
        return reply
    }

    private static func parse(
        _ queue: borrowing ByteQueue,
        _ length: Int,
        _ version: inout UInt32?,
        _ extensions: inout [String: String],
        _ range: inout Range<Int>
    ) throws(WireError) -> Reply {
        var reader = WireReader(queue.bytes.extracting(4..<4 + length))
        let number = try reader.readByte()
        let id = try reader.readUInt32()
        guard let type = PacketType(rawValue: number) else { throw .badName }
        switch type {
        case .version:
            version = id
            while !reader.isAtEnd, extensions.count < 256 {
                let name = String(octets: try reader.readBytes())
                extensions[name] = String(octets: try reader.readBytes())
            }
            return Reply(id: 0, content: .version)
        case .status:
            let code = Status(rawValue: try reader.readUInt32()) ?? .failure
            // Servers of versions before 3 send no text.
            let text = reader.isAtEnd ? [] : try reader.readBytes()
            return Reply(id: id, content: .status(code, text: text))
        case .handle:
            return Reply(id: id, content: .handle(try reader.readBytes(limit: 256)))
        case .data:
            let count = try reader.readString().byteCount
            range = 13..<13 + count
            return Reply(id: id, content: .data(count))
        case .name:
            let count = try reader.readUInt32()
            var names: [ReplyName] = []
            for _ in 0..<count {
                names.append(
                    ReplyName(
                        name: try reader.readBytes(),
                        longName: try reader.readBytes(),
                        attributes: try Attributes(from: &reader)
                    )
                )
            }
            return Reply(id: id, content: .names(names))
        case .attributes:
            return Reply(id: id, content: .attributes(try Attributes(from: &reader)))
        case .extendedReply:
            range = 9..<4 + length
            return Reply(id: id, content: .extended)
        default: throw .badName
        }
    }
}

/// What a server takes at once, limits@openssh.com.
package struct ServerLimits: Equatable, Sendable {
    package var packetBytes: UInt64 = 34000
    package var readBytes = UInt64(PacketLimits.cautiousDataBytes)
    package var writeBytes = UInt64(PacketLimits.cautiousDataBytes)
    /// 0: not known.
    package var openHandles: UInt64 = 0

    package init() {}

    package init(from reader: inout WireReader) throws(WireError) {
        packetBytes = try reader.readUInt64()
        readBytes = try reader.readUInt64()
        writeBytes = try reader.readUInt64()
        openHandles = try reader.readUInt64()
        let most = UInt64(PacketLimits.dataBytes)
        // A server may say "no limit" by zero.
        if packetBytes == 0 { packetBytes = UInt64(PacketLimits.packetBytes) }
        readBytes = min(readBytes == 0 ? most : readBytes, most)
        writeBytes = min(writeBytes == 0 ? most : writeBytes, most)
    }
}
