// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserLog
internal import HawserSystem
internal import HawserTool
internal import HawserWire

// ssh-sk-helper(8): FIDO tokens and the libraries that speak to them, in a process of their own. One
// request on the standard input, one answer on the standard output. Not meant to be run by hand.

Signals.dieOnCrash()
SecretProcess.hide()
Signals.ignore([13])  // SIGPIPE
var level = LogLevel.error
var parser = CommandLineParser(Array(CommandLine.arguments.dropFirst()), "v")
while let step = parser.next() {
    guard case .flag("v") = step else {
        printError("usage: ssh-sk-helper [-v]\n")
        Daemon.exit(1)
    }
    level = level < .debug1 ? .debug1 : level == .debug1 ? .debug2 : .debug3
}
Daemon.exit(serve(Log(level: level, sink: Messages())) ? 0 : 1)

/// Answers one request; false when there was none.
func serve(_ log: Log) -> Bool {
    guard
        var message = Descriptor.readMessage(
            Descriptor.standardInput,
            limitBytes: SecurityKeyReply.maximumBytes
        )
    else { return false }
    let reply = answer(message, log)
    message.wipe()
    return Descriptor.writeAll(Descriptor.standardOutput, reply.frame)
}

func answer(_ message: [UInt8], _ log: Log) -> SecurityKeyReply {
    do throws(AgentError) {
        let envelope = try SecurityKeyRequest.Envelope(message.rawBytes)
        guard let library = library(envelope.provider, log) else { return .failure(.noProvider) }
        let middleware = Middleware(
            library: library,
            pin: envelope.pin,
            device: envelope.device,
            log: log
        )
        return middleware.answer(envelope.request)
    } catch {
        log.error("\(error)")
        return .failure(.general)
    }
}

/// The middleware of that path, or our own; nil, said why, when there is none.
func library(_ provider: String, _ log: Log) -> Middleware.Library? {
    if provider == "internal" {
        if let library = FIDO2Library() { return .own(library) }
        log.error("internal security key support needs libfido2 (libfido2.so.1)")
        return nil
    }
    if provider.hasPrefix("/"), let library = try? SecurityKeyLibrary(path: provider) {
        return .foreign(library)
    }
    log.error("provider \(provider.visible) is not an OpenSSH FIDO library")
    return nil
}
