// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserSystem
internal import HawserWire

/// One connection to the agent. It carries one request at a time.
final class Client {
    let descriptor: Int32
    var bindings = ConnectionBindings()
    /// Requests that have not been read; it holds secrets until then.
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    /// The request before has not been answered yet.
    var state = State.reading

    enum State {
        case reading
        /// The user is asked first.
        case asking(Question, PendingSignature)
        /// The user is asked when there are fewer questions.
        case queued(PendingSignature, question: String)
        /// The user is asked for a token's PIN.
        case askingPIN(Question, TokenSignature)
        /// The answer is held back until then.
        case held(AgentReply, until: UInt64)
        /// The request is looked at then.
        case postponed(SecretBytes, until: UInt64)
        /// A helper works on it.
        case waiting
        case closed
    }

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit {
        input.wipe()
        Descriptor.close(descriptor)
    }

    /// The question that this client waits for.
    var question: Question? {
        switch state {
        case .asking(let question, _): question
        case .askingPIN(let question, _): question
        default: nil
        }
    }

    var wantsToRead: Bool {
        if case .reading = state { output.isEmpty } else { false }
    }

    var wantsToWrite: Bool { !output.isEmpty }

    var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Takes what has arrived.
    func read() {
        var chunk = [UInt8](repeating: 0, count: 16384)
        defer { chunk.wipe() }
        var span = chunk.mutableRawBytes
        switch Descriptor.read(descriptor, into: &span) {
        case .bytes(let count): append(chunk[0..<count])
        case .wouldBlock: break
        case .ended, .failed: state = .closed
        }
    }

    /// Appends without leaving a copy of what was there behind.
    private func append(_ bytes: ArraySlice<UInt8>) {
        if input.capacity < input.count + bytes.count {
            var larger: [UInt8] = []
            larger.reserveCapacity(max(4096, 2 * (input.count + bytes.count)))
            larger += input
            input.wipe()
            input = larger
        }
        input += bytes
    }

    /// The next whole request; nil when there is none yet.
    func takeRequest() -> SecretBytes? {
        guard case .reading = state, input.count >= 4 else { return nil }
        let count = Int(input.rawBytes.bigEndianUInt32(at: 0))
        guard count >= 1, count <= AgentRequest.maximumBytes else {
            state = .closed
            return nil
        }
        guard input.count >= 4 + count else { return nil }
        let request = SecretBytes(Array(input[4..<(4 + count)]))
        let rest = Array(input[(4 + count)...])
        input.wipe()
        input = rest
        return request
    }

    func send(_ reply: AgentReply) {
        output += reply.frame
        write()
    }

    func write() {
        while !output.isEmpty {
            switch Descriptor.write(descriptor, output.rawBytes) {
            case .bytes(let count): output.removeFirst(count)
            case .wouldBlock: return
            case .ended, .failed:
                state = .closed
                return
            }
        }
    }
}
