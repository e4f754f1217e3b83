// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserAgentClient
internal import HawserKeys
internal import HawserSystem
internal import HawserWire

/// What a client waits for while a helper works.
final class HelperTask {
    enum Purpose {
        /// The keys of a library.
        case load(ProviderRequest)
        /// A signature of a PKCS#11 token.
        case sign(TokenKey.Pending)
        /// A signature of a FIDO token, with or without a PIN.
        case signInToken(TokenSignature, hasPIN: Bool)
    }

    let client: Client
    let purpose: Purpose
    /// When the helper counts as stuck.
    let deadline: UInt64
    /// What tells the user to touch the token; it goes with the task.
    let notice: Question?

    init(_ client: Client, _ purpose: Purpose, notice: Question? = nil) {
        self.client = client
        self.purpose = purpose
        self.notice = notice
        deadline = Clock.nanoseconds &+ Self.patienceNanoseconds
    }

    /// Long enough to find a token and touch it.
    private static let patienceNanoseconds: UInt64 = 120 * 1_000_000_000
}

/// A helper process, the requests that are on their way to it, and its answers.
final class TokenHelper {
    /// The PKCS#11 library that it has opened; nil for a FIDO token's helper, which lives for one
    /// signature.
    let providerPath: String?
    let pid: Int32
    let descriptor: Int32
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private(set) var tasks: [HelperTask] = []
    private(set) var isBroken = false

    init?(_ name: String, providerPath: String?) {
        guard let started = try? Helper.start(name) else { return nil }
        pid = started.pid
        descriptor = started.descriptor
        self.providerPath = providerPath
        Descriptor.setNonblocking(descriptor)
    }

    deinit {
        output.wipe()
        Descriptor.close(descriptor)
        Child.kill(pid, SignalNumber.terminate)
        if Child.reap(pid) == nil {
            Child.kill(pid, 9)
            _ = Child.wait(pid)
        }
    }

    var wantsToWrite: Bool { !output.isEmpty }

    /// Sends a request; its answer is the task's.
    func ask(_ request: [UInt8], for task: HelperTask) {
        var frame = request
        output += frame
        frame.wipe()
        tasks.append(task)
        write()
    }

    func write() {
        while !output.isEmpty {
            switch Descriptor.write(descriptor, output.rawBytes) {
            case .bytes(let count):
                let rest = Array(output[count...])
                output.wipe()
                output = rest
            case .wouldBlock: return
            case .ended, .failed:
                isBroken = true
                return
            }
        }
    }

    /// Reads what there is; the answers that are whole, each with its task.
    func read() -> [(HelperTask, [UInt8])] {
        var chunk = [UInt8](repeating: 0, count: 16384)
        reading: while !isBroken {
            var span = chunk.mutableRawBytes
            switch Descriptor.read(descriptor, into: &span) {
            case .bytes(let count): input += chunk[0..<count]
            case .wouldBlock: break reading
            case .ended, .failed: isBroken = true
            }
            if input.count > 2 * AgentReply.maximumBytes { isBroken = true }
        }
        var answers: [(HelperTask, [UInt8])] = []
        while input.count >= 4, !tasks.isEmpty {
            let count = Int(input.rawBytes.bigEndianUInt32(at: 0))
            guard count > 0, count <= AgentReply.maximumBytes else {
                isBroken = true
                break
            }
            guard input.count >= 4 + count else { break }
            let message = Array(input[4..<(4 + count)])
            input.removeFirst(4 + count)
            answers.append((tasks.removeFirst(), message))
        }
        return answers
    }

    /// Gives up: the tasks that will have no answer.
    func takeTasks() -> [HelperTask] {
        defer { tasks = [] }
        return tasks
    }
}
