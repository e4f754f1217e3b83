// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem

/// The progress of a copy of many files on a terminal: a meter for one file at a time, and a last
/// line for each that was done meanwhile.
package struct CopyMeter {
    package var isOn = false
    private var meter = ProgressMeter(terminal: Descriptor.standardOutput)
    /// The file whose meter is shown.
    private var shown: [UInt8]?

    package init() {}

    package var isShowing: Bool { shown != nil }

    package mutating func copyBegins(_ source: [UInt8], bytes: UInt64?, from offset: UInt64) {
        guard isOn, shown == nil else { return }
        shown = source
        meter.begin(source, bytes: bytes, from: offset)
    }

    package mutating func copyAdvances(_ source: [UInt8], bytes: UInt64) {
        if shown == source { meter.advance(to: bytes) }
    }

    package mutating func copyEnds(_ source: [UInt8], bytes: UInt64, hasFailed: Bool) {
        guard isOn, !hasFailed else { return }
        if shown != source {
            // One of many small ones, done before the one that is shown.
            var other = ProgressMeter(terminal: Descriptor.standardOutput)
            other.begin(source, bytes: bytes, from: 0)
            other.end(bytes: bytes)
            return
        }
        meter.end(bytes: bytes)
        shown = nil
    }

    /// Makes room for a line of text; the meter is drawn again below it.
    package mutating func makeRoom() { meter.clear() }

    /// Leaves the line as it is: a message follows.
    package mutating func abandon() {
        meter.abandon()
        shown = nil
    }

    /// Redraws when it is time; nanoseconds until the next time.
    package mutating func tick() -> UInt64? { meter.tick() }
}
