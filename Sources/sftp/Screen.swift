// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSFTP
internal import HawserSystem
internal import HawserTool

/// What the user sees: lines, failures, the progress meter.
final class Screen: CopyObserver {
    /// No words about the course of things (`-q`, `-b`).
    var isQuiet = false
    var showsProgress: Bool {
        get { meter.isOn }
        set { meter.isOn = newValue }
    }
    /// Whether the copy goes to the server.
    var isUpload = false
    /// What is said of a source when its turn comes, before the place that it goes to.
    var announcements: [[UInt8]: (words: String, place: [UInt8])] = [:]
    /// Lines of files whose turn came while the meter of another was shown.
    private var held: [[UInt8]: String] = [:]
    private var meter = CopyMeter()
    private var wasInterrupted = false
    /// Signals that end the program once what it has begun is cleared away; empty: at once.
    private var endingSignals: [Int32] = []
    /// The signal that ends it.
    private(set) var endingSignal: Int32?

    /// A line on the standard output.
    func say(_ text: String) { printOutput(text + "\n") }

    /// A line about the course of things.
    func note(_ text: String) {
        guard !isQuiet else { return }
        meter.makeRoom()
        say(text)
    }

    /// Failures end as messages of the log do, and those of ssh.
    func fail(_ text: String) { printError(text + "\r\n") }

    func copyNotes(_ text: String) { fail(text) }

    func copyFails(_ text: String) {
        meter.abandon()
        fail(text)
    }

    func copyStarts(_ source: [UInt8], _ target: [UInt8]) {
        guard let text = announcement(of: source, target) else { return }
        if meter.isShowing { held[source] = text } else { note(text) }
    }

    private func announcement(of source: [UInt8], _ target: [UInt8]) -> String? {
        guard let (words, place) = announcements.removeValue(forKey: source) else { return nil }
        return words + PrintableText.of(target.isEmpty ? place : target)
    }

    func copyBegins(_ source: [UInt8], _ target: [UInt8], bytes: UInt64?, from offset: UInt64) {
        if !meter.isShowing, let text = held.removeValue(forKey: source) { note(text) }
        meter.copyBegins(source, bytes: bytes, from: offset)
    }

    func copyAdvances(_ source: [UInt8], bytes: UInt64) {
        meter.copyAdvances(source, bytes: bytes)
    }

    func copyEnds(_ source: [UInt8], _ target: [UInt8], bytes: UInt64, hasFailed: Bool) {
        // Just before its last line, as if each file were copied after the other.
        if let text = held.removeValue(forKey: source), !hasFailed { note(text) }
        meter.copyEnds(source, bytes: bytes, hasFailed: hasFailed)
    }

    func copyEnters(_ source: [UInt8]) {
        // A tree that the user named has its mark, as where it is announced.
        let isNamed = announcements[source] != nil && source.last != RemotePath.slash
        if let text = announcement(of: source, []) { note(text) }
        // Also where little is to be said.
        meter.makeRoom()
        let mark = isUpload && isNamed ? "/" : ""
        say((isUpload ? "Entering " : "Retrieving ") + PrintableText.of(source) + mark)
    }

    var isInterrupted: Bool {
        guard Signals.isWatching else { return wasInterrupted }
        for signal in Signals.take() {
            if endingSignals.contains(signal) {
                endingSignal = signal
                wasInterrupted = true
            } else if signal == 2 {
                wasInterrupted = true
            }
        }
        return wasInterrupted
    }

    /// From here on these signals, as far as they are not ignored, interrupt what is under way before
    /// they end the program.
    func deferSignals(_ signals: [Int32]) {
        endingSignals = Signals.watchUnlessIgnored(signals)
    }

    /// They end it at once again.
    func endDeferring() {
        _ = isInterrupted
        Signals.useDefault(endingSignals)
        endingSignals = []
    }

    /// Whether an interrupt came since the last time.
    func takeInterrupt() -> Bool {
        defer { wasInterrupted = false }
        return isInterrupted
    }

    func copyTicks() -> UInt64? { meter.tick() }
}
