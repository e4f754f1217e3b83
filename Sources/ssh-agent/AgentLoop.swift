// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserAgentClient
internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserWire

/// Sockets, signals and children on one side, the agent on the other.
final class AgentLoop {
    private var server: AgentServer
    private let listener: Int32
    private let log: Log
    private var clients: [Client] = []
    private var helpers: [TokenHelper] = []
    /// The process whose end ends the agent.
    private let parent: Int32?
    private let maximumClients = min(1000, Descriptor.limit - 64)
    private let ownUser = Daemon.effectiveUser

    init(server: AgentServer, listener: Int32, parent: Int32?, log: Log) {
        self.server = server
        self.listener = listener
        self.parent = parent
        self.log = log
    }

    /// Serves until a signal or the parent's end says that it is enough.
    func run() {
        Descriptor.setNonblocking(listener)
        var set = PollSet()
        while true {
            if let parent, Daemon.parentProcessID != parent {
                log.debug("parent has ended")
                return
            }
            set.removeAll()
            let signalled = set.add(Signals.descriptor, read: true)
            let hasRoom = clients.count < maximumClients
            let arrived = hasRoom ? set.add(listener, read: true) : nil
            let slots = clients.map { client in
                set.add(client.descriptor, read: client.wantsToRead, write: client.wantsToWrite)
            }
            let answers: [(client: Client, slot: Int)] = clients.compactMap { client in
                guard let question = client.question else { return nil }
                return (client, set.add(question.answer, read: true))
            }
            let helperSlots = helpers.map { helper in
                set.add(helper.descriptor, read: true, write: helper.wantsToWrite)
            }
            set.wait(timeout: timeout)
            server.tick(at: moment)
            if set.isReadable(signalled), !carryOut(Signals.take()) { return }
            for (client, slot) in zip(clients, slots) { serve(client, set, slot) }
            for (client, _) in answers { look(at: client) }
            for (helper, slot) in zip(helpers, helperSlots) {
                if set.isWritable(slot) { helper.write() }
                if set.isReadable(slot) { listen(to: helper) }
            }
            release()
            askQueued()
            retireHelpers()
            clients.removeAll(where: \.isClosed)
            if let arrived, set.isReadable(arrived) { accept() }
        }
    }

    private var moment: AgentMoment {
        AgentMoment(nanoseconds: Clock.nanoseconds, epochSeconds: Clock.epochSeconds)
    }

    /// Nanoseconds until something is due.
    private var timeout: UInt64? {
        var due: [UInt64] = []
        if let deadline = server.deadline { due.append(deadline) }
        for client in clients {
            if let question = client.question { due.append(question.deadline) }
            switch client.state {
            case .held(_, let until), .postponed(_, let until): due.append(until)
            default: break
            }
        }
        due += helpers.compactMap(\.tasks.first?.deadline)
        let now = Clock.nanoseconds
        var wait = due.min().map { $0 > now ? $0 - now : 0 }
        if parent != nil { wait = min(wait ?? .max, Self.parentCheckNanoseconds) }
        return wait
    }

    /// False when it is time to go.
    private func carryOut(_ signals: [Int32]) -> Bool {
        for signal in signals {
            switch signal {
            case SignalNumber.userOne:
                log.debug("removing all keys at a signal")
                server.removeAll()
            case SignalNumber.child:
                for client in clients { look(at: client) }
            default: return false
            }
        }
        return true
    }

    private func accept() {
        while clients.count < maximumClients {
            guard case .connection(let descriptor, _) = Socket.accept(listener) else { return }
            guard let peer = UnixSocket.peer(of: descriptor),
                peer.uid == ownUser || peer.uid == 0
            else {
                log.error("refused a connection of another user")
                Descriptor.close(descriptor)
                continue
            }
            clients.append(Client(descriptor))
        }
    }

    private func serve(_ client: Client, _ set: PollSet, _ slot: Int) {
        if client.wantsToWrite {
            if set.isWritable(slot) { client.write() }
        } else if client.wantsToRead {
            if set.isReadable(slot) { client.read() }
        } else if set.isHungUp(slot) {
            // Nobody waits for the answer any more; the question goes with it.
            client.state = .closed
        }
        handleRequests(of: client)
    }

    private func handleRequests(of client: Client) {
        while !client.wantsToWrite, let request = client.takeRequest() {
            handle(request, of: client)
        }
    }

    private func handle(_ request: SecretBytes, of client: Client) {
        let step = server.receive(request.bytes, bindings: &client.bindings, at: moment)
        if case .again(let until) = step {
            client.state = .postponed(request, until: until)
        } else {
            carryOut(step, for: client)
        }
    }

    private func carryOut(_ step: AgentStep, for client: Client) {
        switch step {
        case .reply(let reply): client.send(reply)
        case .laterReply(let reply, let delay):
            client.state = .held(reply, until: Clock.nanoseconds &+ delay)
        // Only a request can be handed in again.
        case .again: client.send(.failure)
        case .confirm(let pending, let text):
            if hasRoomForQuestions {
                confirm(pending, text, for: client)
            } else {
                client.state = .queued(pending, question: text)
            }
        case .loadProvider(let request):
            helpers.removeAll { $0.providerPath == request.path && $0.tasks.isEmpty }
            guard helpers.count < Self.maximumHelpers,
                let helper = TokenHelper(Helper.pkcs11, providerPath: request.path)
            else {
                log.error("no helper for \(request.path)")
                client.send(.failure)
                return
            }
            helpers.append(helper)
            client.state = .waiting
            helper.ask(
                AgentRequest
                    .addProvider(path: request.path, pin: request.pin, KeyConstraints()).frame,
                for: HelperTask(client, .load(request))
            )
        case .unloadProvider(let path):
            let wasLoaded = helpers.contains { $0.providerPath == path }
            client.send(server.providerUnloaded(path: path, wasLoaded: wasLoaded))
        case .signInProvider(let path, let key, let data, let algorithm):
            // RSA without a word about the hash is SHA-1, as everywhere in the agent's protocol.
            let name = algorithm ?? (key.type.plain == .rsa ? SignatureAlgorithm.rsaSHA1.name : nil)
            guard let helper = helpers.last(where: { $0.providerPath == path && !$0.isBroken }),
                let pending = try? TokenKey.Pending(data, key: key.plain, algorithm: name)
            else {
                client.send(.failure)
                return
            }
            client.state = .waiting
            helper.ask(
                AgentRequest.sign(keyBlob: key.plain.blob, data: pending.input, flags: 0).frame,
                for: HelperTask(client, .sign(pending))
            )
        case .signInToken(let wanted): sign(wanted, pin: nil, for: client)
        }
    }

    private func confirm(_ pending: PendingSignature, _ text: String, for client: Client) {
        client.state = .reading
        guard let question = ask(text, .confirmation) else {
            log.error("nobody can be asked")
            client.send(.failure)
            return
        }
        client.state = .asking(question, pending)
    }

    /// Asks what had to wait for the end of other questions, those of older connections first.
    private func askQueued() {
        for client in clients {
            guard case .queued(let pending, let text) = client.state else { continue }
            guard hasRoomForQuestions else { return }
            confirm(pending, text, for: client)
            handleRequests(of: client)
        }
    }

    private var hasRoomForQuestions: Bool {
        clients.count(where: { $0.question != nil }) < Self.maximumQuestions
    }

    /// Nil when nobody can be asked, or too many questions are open.
    private func ask(_ text: String, _ kind: Question.Kind) -> Question? {
        hasRoomForQuestions ? Question(text, kind, at: Clock.nanoseconds) : nil
    }

    // MARK: FIDO tokens

    private func sign(_ wanted: TokenSignature, pin: SecretBytes?, for client: Client) {
        guard let parts = wanted.key.tokenParts, helpers.count < Self.maximumHelpers else {
            client.send(.failure)
            return
        }
        if pin == nil, parts.flags & SecurityKey.Flag.userVerification != 0 {
            askForPIN(wanted, client)
            return
        }
        guard let helper = TokenHelper(Helper.securityKey, providerPath: nil) else {
            log.error("no helper for security keys")
            client.send(.failure)
            return
        }
        helpers.append(helper)
        client.state = .waiting
        let wantsTouch = parts.flags & SecurityKey.Flag.userPresence != 0 && !wanted.isConfirmed
        let request = SecurityKeyRequest.sign(key: wanted.key, data: wanted.data)
        helper.ask(
            request.frame(
                SecurityKeyRequest.Setting(
                    provider: wanted.provider,
                    pin: pin,
                    logLevel: log.level == .quiet ? nil : UInt32(log.level.rawValue)
                )
            ),
            for: HelperTask(
                client,
                .signInToken(wanted, hasPIN: pin != nil),
                notice: wantsTouch ? ask(wanted.question, .notice) : nil
            )
        )
    }

    private func askForPIN(_ wanted: TokenSignature, _ client: Client) {
        let key = wanted.key
        let text =
            "Enter PIN for \(key.type.shortName) key "
            + key.publicKey.fingerprint(server.options.fingerprintHash) + ": "
        guard let question = ask(text, .secret) else {
            log.error("nobody can be asked for a PIN")
            client.state = .reading
            client.send(.failure)
            return
        }
        client.state = .askingPIN(question, wanted)
    }

    // MARK: Helpers

    private func listen(to helper: TokenHelper) {
        for (task, message) in helper.read() { finish(task, with: message) }
    }

    /// Answers the client that a helper has worked for; `message` is empty when it failed.
    private func finish(_ task: HelperTask, with message: [UInt8]) {
        var answer = AgentReply.failure
        if case .signInToken(let wanted, let hasPIN) = task.purpose {
            switch try? SecurityKeyReply(message.rawBytes) {
            case .signature(let blob)?: answer = .signature(blob)
            case .failure(.pinRequired)? where !hasPIN:
                guard case .waiting = task.client.state else { return }
                askForPIN(wanted, task.client)
                return
            default: break
            }
        }
        let reply = try? AgentReply(message.rawBytes)
        switch (task.purpose, reply) {
        case (.load(let request), .identities(let found)?):
            let keys = found.compactMap { held in
                (try? PublicKey(blob: held.keyBlob)).map { (key: $0, label: held.commentBytes) }
            }
            answer = server.providerLoaded(request, keys: keys, at: moment)
        case (.sign(let pending), .signature(let value)?):
            do throws(KeyError) {
                answer = .signature(try pending.signature(value))
            } catch {
                log.error("the token's signature: \(error)")
            }
        default: break
        }
        guard case .waiting = task.client.state else { return }
        task.client.state = .reading
        task.client.send(answer)
        handleRequests(of: task.client)
    }

    /// Lets go of helpers that have died, are stuck, or whose keys are gone.
    private func retireHelpers() {
        guard !helpers.isEmpty else { return }
        let now = Clock.nanoseconds
        let used = server.usedProviders
        var kept: [TokenHelper] = []
        var failed: [HelperTask] = []
        for helper in helpers {
            let isStuck = helper.tasks.first.map { $0.deadline <= now } ?? false
            let isNeeded =
                !helper.tasks.isEmpty || helper.providerPath.map(used.contains) ?? false
            if helper.isBroken || isStuck || !isNeeded {
                failed += helper.takeTasks()
            } else {
                kept.append(helper)
            }
        }
        helpers = kept
        for task in failed { finish(task, with: []) }
    }

    private static let maximumHelpers = 64

    /// Goes on with a client whose question may have been answered.
    private func look(at client: Client) {
        switch client.state {
        case .asking(let question, let pending):
            question.look()
            guard let isGranted = question.isGranted else { return }
            client.state = .reading
            carryOut(
                server.confirmed(pending, isGranted: isGranted, at: moment),
                for: client
            )
        case .askingPIN(let question, let wanted):
            question.look()
            guard let pin = question.secret else { return }
            client.state = .reading
            if pin.isEmpty || server.isLocked {
                client.send(.failure)
            } else {
                sign(wanted, pin: pin, for: client)
            }
        default: return
        }
        handleRequests(of: client)
    }

    /// Sends the answers that were held back, and gives up questions that nobody answers.
    private func release() {
        let now = Clock.nanoseconds
        for client in clients {
            if case .held(let reply, let until) = client.state, until <= now {
                client.state = .reading
                client.send(reply)
                handleRequests(of: client)
            } else if case .postponed(let request, let until) = client.state, until <= now {
                client.state = .reading
                handle(request, of: client)
                handleRequests(of: client)
            } else if let question = client.question, question.deadline <= now {
                client.state = .reading
                client.send(.failure)
            }
        }
    }

    private static let parentCheckNanoseconds: UInt64 = 10 * 1_000_000_000
    private static let maximumQuestions = 16
}

/// The signals that an agent listens to, signal(7).
enum SignalNumber {
    static let hangUp: Int32 = 1
    static let interrupt: Int32 = 2
    static let userOne: Int32 = 10
    static let pipe: Int32 = 13
    static let terminate: Int32 = 15
    static let child: Int32 = 17
}
