// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSFTP
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// What the user, or a program (`--json`), gets to see.
final class Reporter: CopyObserver {
    private let printsJSON: Bool
    private let verbosity: Int
    private let name: String
    private var meter = CopyMeter()
    /// The signal that ends the program once what it has begun is cleared away.
    var endingSignal: Int32?
    private var lastProgress: UInt64 = 0

    init(_ line: SCPCommandLine) {
        printsJSON = line.printsJSON && line.role == .user
        meter.isOn =
            line.showsProgress && line.role == .user
            && Descriptor.isTerminal(Descriptor.standardOutput)
        verbosity = line.verbosity
        name = line.name
    }

    func debug(_ text: String) {
        if verbosity > 0 { printError(text + "\n") }
    }

    /// A failure of scp itself. It ends as messages of the log do, and those of ssh; a `plain` one,
    /// as all of the old protocol, as those of system calls.
    func fail(_ text: String, plain: Bool = false) {
        guard !text.isEmpty else { return }
        meter.abandon()
        if printsJSON { emit("error", [("message", .text(text))]) }
        printError(called(text) + (plain || isVerbatim ? "\n" : "\r\n"))
    }

    /// A message with the name that the program was called by in place of its own.
    private func called(_ text: String) -> String {
        guard !isVerbatim, text.hasPrefix(Self.own) else { return text }
        return name + ": " + text.dropFirst(Self.own.count)
    }

    private static let own = "scp: "

    func copyNotes(_ text: String) { printError(called(Self.own + text) + "\r\n") }

    /// The old protocol's messages are the other side's, or have no name before them.
    var isVerbatim = false

    func copyFails(_ text: String) {
        fail(isVerbatim || text.hasPrefix(Self.own) ? text : Self.own + text)
    }

    func copyStarts(_ source: [UInt8], _ target: [UInt8]) {
        if verbosity > 0 {
            let names = "\(PrintableText.of(source)) to \(PrintableText.of(target))"
            printError(called("scp: debug1: copying \(names)\n"))
        }
    }

    func copyBegins(_ source: [UInt8], _ target: [UInt8], bytes: UInt64?, from offset: UInt64) {
        if printsJSON {
            var fields = names(source, target)
            if let bytes { fields.append(("bytes", .number(bytes))) }
            if offset > 0 { fields.append(("offset", .number(offset))) }
            emit("start", fields)
        }
        meter.copyBegins(source, bytes: bytes, from: offset)
    }

    func copyAdvances(_ source: [UInt8], bytes: UInt64) {
        meter.copyAdvances(source, bytes: bytes)
        if printsJSON {
            let now = Clock.nanoseconds
            guard now &- lastProgress >= 1_000_000_000 else { return }
            lastProgress = now
            emit("progress", names(source, nil) + [("done", .number(bytes))])
        }
    }

    func copyEnds(_ source: [UInt8], _ target: [UInt8], bytes: UInt64, hasFailed: Bool) {
        if printsJSON {
            emit(
                "end",
                names(source, target) + [("done", .number(bytes)), ("ok", .truth(!hasFailed))]
            )
        }
        meter.copyEnds(source, bytes: bytes, hasFailed: hasFailed)
    }

    func copyEnters(_ source: [UInt8]) {
        if verbosity > 0 {
            printError(called("scp: debug1: entering \(PrintableText.of(source))\n"))
        }
    }

    /// Only where signals are watched (`--atomic`); else they end the program at once.
    var isInterrupted: Bool {
        if Signals.isWatching, let signal = Signals.take().last { endingSignal = signal }
        return endingSignal != nil
    }

    func copyTicks() -> UInt64? { meter.tick() }

    // MARK: JSON (RFC 8259), one object a line

    enum Value {
        case text(String)
        case number(UInt64)
        case truth(Bool)
    }

    func emit(_ event: String, _ fields: [(String, Value)]) {
        guard printsJSON else { return }
        var object = JSONObject()
        object.add("event", event)
        for (name, value) in fields {
            switch value {
            case .text(let text): object.add(name, text)
            case .number(let number): object.add(name, number)
            case .truth(let truth): object.add(name, truth)
            }
        }
        printOutput(object.text + "\n")
    }

    /// A name as text, and beside it its bytes in hexadecimal digits where it is not UTF-8.
    private func names(_ source: [UInt8], _ target: [UInt8]?) -> [(String, Value)] {
        var fields: [(String, Value)] = []
        for (key, name) in [("source", source), ("target", target)] {
            guard let name else { continue }
            fields.append((key, .text(String(octets: name))))
            if String(validating: name, as: UTF8.self) == nil {
                let digits = name.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
                fields.append((key + "Bytes", .text(digits)))
            }
        }
        return fields
    }
}
