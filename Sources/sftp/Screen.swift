// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSFTP
internal import HawserSystem
internal import HawserTool

/// What the user sees: lines, failures, the progress meter.
final class Screen: CopyObserver {
    /// No words about the course of things (`-q`, `-b`).
    var isQuiet = false
    var showsProgress = false
    /// Whether the copy goes to the server.
    var isUpload = false
    /// Lines to print when the turn of a file comes.
    var announcements: [[UInt8]: String] = [:]
    private var meter = ProgressMeter(terminal: Descriptor.standardOutput)
    private var metered: [UInt8]?
    private var wasInterrupted = false

    /// A line on the standard output.
    func say(_ text: String) { printOutput(text + "\n") }

    /// A line about the course of things.
    func note(_ text: String) { if !isQuiet { say(text) } }

    func fail(_ text: String) { printError(text + (Descriptor.isTerminal(2) ? "\r\n" : "\n")) }

    func copyNotes(_ text: String) { fail(text) }

    func copyFails(_ text: String) {
        meter.abandon()
        metered = nil
        fail(text)
    }

    func copyStarts(_ source: [UInt8], _ target: [UInt8]) {
        if let text = announcements.removeValue(forKey: source) { note(text) }
    }

    func copyBegins(_ source: [UInt8], _ target: [UInt8], bytes: UInt64?, from offset: UInt64) {
        guard showsProgress, metered == nil else { return }
        metered = source
        meter.begin(isUpload ? source : source, bytes: bytes, from: offset)
    }

    func copyAdvances(_ source: [UInt8], bytes: UInt64) {
        if metered == source { meter.advance(to: bytes) }
    }

    func copyEnds(_ source: [UInt8], _ target: [UInt8], bytes: UInt64, hasFailed: Bool) {
        guard showsProgress, !hasFailed else { return }
        if metered != source {
            // One of many small ones, done before the one that is shown.
            var other = ProgressMeter(terminal: Descriptor.standardOutput)
            other.begin(source, bytes: bytes, from: 0)
            other.end(bytes: bytes)
            return
        }
        meter.end(bytes: bytes)
        metered = nil
    }

    func copyEnters(_ source: [UInt8]) {
        copyStarts(source, [])
        note((isUpload ? "Entering " : "Retrieving ") + PrintableText.of(source))
    }

    var isInterrupted: Bool {
        if Signals.isWatching, Signals.take().contains(2) { wasInterrupted = true }
        return wasInterrupted
    }

    /// Whether an interrupt came since the last time.
    func takeInterrupt() -> Bool {
        defer { wasInterrupted = false }
        return isInterrupted
    }

    func copyTicks() -> UInt64? { meter.tick() }
}
