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
var parser = CommandLineParser(Array(RawArguments.texts.dropFirst()), "v")
while let step = parser.next() {
    guard case .flag("v") = step else {
        printError("usage: ssh-sk-helper [-v]\n")
        Daemon.exit(1)
    }
    level = level < .debug1 ? .debug1 : level == .debug1 ? .debug2 : .debug3
}
Daemon.exit(serve(level))

/// Answers one request; the exit status.
func serve(_ minimum: LogLevel) -> Int32 {
    let log = Log(level: minimum, sink: Messages())
    guard
        var message = Descriptor.readMessage(
            Descriptor.standardInput,
            limitBytes: SecurityKeyReply.maximumBytes
        )
    else { return 255 }
    defer { message.wipe() }
    do throws(AgentError) {
        let envelope = try SecurityKeyRequest.Envelope(message.rawBytes)
        let reply = answer(envelope, minimum)
        return Descriptor.writeAll(Descriptor.standardOutput, reply.frame) ? 0 : 255
    } catch {
        log.error("ssh-sk-helper: \(error)")
        return 255
    }
}

func answer(_ envelope: SecurityKeyRequest.Envelope, _ minimum: LogLevel) -> SecurityKeyReply {
    let setting = envelope.setting
    let wanted = setting.logLevel.flatMap { LogLevel(rawValue: Int($0)) }
    let log = wanted.map { Log(level: max($0, minimum), sink: Messages()) } ?? .none
    guard let library = library(setting.provider, log) else { return .failure(.invalidFormat) }
    let middleware = Middleware(
        provider: setting.provider,
        library: library,
        pin: setting.pin,
        device: setting.device,
        log: log
    )
    return middleware.answer(envelope.request)
}

/// The middleware of that path, or our own; nil, said why, when there is none.
func library(_ provider: String, _ log: Log) -> Middleware.Library? {
    if provider.isEmpty {
        log.error("No FIDO SecurityKeyProvider specified")
        return nil
    }
    if provider == "internal" {
        if let library = FIDO2Library() { return .own(library) }
        log.error("internal security key support needs libfido2 (libfido2.so.1)")
        return nil
    }
    do throws(ProviderLibrary.Unfit) {
        let path = try ProviderLibrary.path(of: provider, .securityKey)
        if let library = try? SecurityKeyLibrary(path: path) { return .foreign(library) }
    } catch {
        log.error("\(error.description.visible)")
    }
    log.error("provider \(provider.visible) is not an OpenSSH FIDO library")
    return nil
}
