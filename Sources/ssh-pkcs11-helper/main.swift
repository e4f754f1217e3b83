// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserLog
internal import HawserSystem
internal import HawserTool
internal import HawserWire

// ssh-pkcs11-helper(8): PKCS#11 libraries in a process of their own. It answers the agent's messages
// that add, use and remove a library's keys, over its standard input and output, as OpenSSH's helper
// does: what is signed is what the token gets. Not meant to be run by hand.

Signals.dieOnCrash()
SecretProcess.hide()
Signals.ignore([13])  // SIGPIPE
var level = LogLevel.error
/// Whether the person in front may be asked for PINs: a client of ours says so, an agent never.
let mayAsk = Environment.value("HAWSER_HELPER_MAY_ASK") == "1"
var parser = CommandLineParser(Array(RawArguments.texts.dropFirst()), "v")
while let step = parser.next() {
    switch step {
    case .flag("v"): level = level < .debug1 ? .debug1 : level == .debug1 ? .debug2 : .debug3
    default:
        printError("usage: ssh-pkcs11-helper [-v]\n")
        Daemon.exit(1)
    }
}
let helper = Helper(mayAsk: mayAsk, log: Log(level: level, sink: Messages()))
helper.run()
Daemon.exit(0)

/// The loop: one message, one answer.
final class Helper {
    private var providers: [String: Provider] = [:]
    private let mayAsk: Bool
    private let log: Log

    init(mayAsk: Bool, log: Log) {
        self.mayAsk = mayAsk
        self.log = log
    }

    func run() {
        while var message = Descriptor.readMessage(
            Descriptor.standardInput,
            limitBytes: AgentRequest.maximumBytes
        ) {
            let reply = answer(message)
            message.wipe()
            guard Descriptor.writeAll(Descriptor.standardOutput, reply.frame) else { return }
        }
    }

    private func answer(_ message: [UInt8]) -> AgentReply {
        guard let request = try? AgentRequest(message.rawBytes) else { return .failure }
        switch request {
        case .addProvider(let path, let pin, _): return add(path, pin)
        case .removeProvider(let path, _):
            return providers.removeValue(forKey: path) == nil ? .failure : .success
        case .sign(let keyBlob, let data, _):
            for provider in providers.values {
                if let value = provider.sign(data, keyBlob: keyBlob) { return .signature(value) }
            }
            return .failure
        default: return .failure
        }
    }

    private func add(_ path: String, _ pin: SecretBytes) -> AgentReply {
        guard path.hasPrefix("/"), providers[path] == nil else { return .failure }
        do {
            let provider = try Provider(path: path, pin: pin, mayAsk: mayAsk, log: log)
            providers[path] = provider
            return .identities(provider.identities)
        } catch {
            log.error("\(path.visible): \(error)")
            return .failure
        }
    }
}
