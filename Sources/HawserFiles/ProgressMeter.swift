// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// The line that shows how far a file has come: name, percent, bytes, rate and the time to go.
///
/// Redrawn once a second at most, and only while this program is in the terminal's foreground.
package struct ProgressMeter {
    private let terminal: Int32
    private var name = ""
    private var total: UInt64 = 0
    private var done: UInt64 = 0
    private var startOffset: UInt64 = 0
    private var startTime: UInt64 = 0
    private var lastTime: UInt64 = 0
    private var lastDone: UInt64 = 0
    /// Smoothed, in bytes per second.
    private var rate = 0.0
    private var stalledSeconds = 0
    private var isShown = false

    package init(terminal: Int32) {
        self.terminal = terminal
    }

    package mutating func begin(_ file: [UInt8], bytes: UInt64?, from offset: UInt64) {
        name = PrintableText.of(RemotePath.name(of: file))
        total = bytes ?? 0
        done = offset
        startOffset = offset
        startTime = Clock.nanoseconds
        lastTime = startTime
        lastDone = offset
        rate = 0
        stalledSeconds = 0
        isShown = true
        draw(isLast: false)
    }

    package mutating func advance(to bytes: UInt64) {
        done = bytes
        if Clock.nanoseconds &- lastTime >= second { _ = tick() }
    }

    /// Redraws when a second is over; nanoseconds until the next time.
    package mutating func tick() -> UInt64? {
        guard isShown else { return nil }
        let now = Clock.nanoseconds
        let passed = now &- lastTime
        guard passed >= second else { return second - passed }
        let seconds = Double(passed) / Double(second)
        let current = Double(done &- lastDone) / seconds
        rate = rate == 0 ? current : rate * 0.9 + current * 0.1
        stalledSeconds = done == lastDone ? stalledSeconds + Int(seconds) : 0
        lastTime = now
        lastDone = done
        draw(isLast: false)
        return second
    }

    package mutating func end(bytes: UInt64) {
        guard isShown else { return }
        done = startOffset &+ bytes
        if total < done || total == 0 { total = done }
        let seconds = Double(Clock.nanoseconds &- startTime) / Double(second)
        rate = Double(bytes) / max(seconds, 0.000_001)
        draw(isLast: true)
        isShown = false
    }

    /// Empties the line; it is drawn again with the next step.
    mutating func clear() {
        guard isShown, Terminal.isForeground(terminal) else { return }
        let width = min(512, Int(Terminal.windowSize(of: terminal)?.columns ?? 80))
        let blank = String(repeating: " ", count: max(0, (width == 0 ? 80 : width) - 1))
        Descriptor.writeAll(terminal, "\r\(blank)\r".octets)
    }

    /// Leaves the line as it is.
    package mutating func abandon() {
        guard isShown else { return }
        isShown = false
        if Terminal.isForeground(terminal) {
            Descriptor.writeAll(terminal, [UInt8(ascii: "\n")])
        }
    }

    private func draw(isLast: Bool) {
        guard Terminal.isForeground(terminal) else { return }
        let width = min(512, Int(Terminal.windowSize(of: terminal)?.columns ?? 80))
        let line = Self.line(
            name: name,
            width: width == 0 ? 80 : width,
            done: done,
            total: total,
            rate: rate,
            elapsed: Double(Clock.nanoseconds &- startTime) / Double(second),
            isStalled: stalledSeconds >= 5,
            isLast: isLast
        )
        Descriptor.writeAll(terminal, ("\r" + line + (isLast ? "\n" : "")).octets)
    }

    /// One line of `width` columns at most.
    static func line(
        name: String,
        width: Int,
        done: UInt64,
        total: UInt64,
        rate: Double,
        elapsed: Double,
        isStalled: Bool,
        isLast: Bool
    ) -> String {
        let room = max(0, width - 35)
        let shownName = LongName.left(String(name.prefix(room)), room)
        let percent: UInt64 = total == 0 ? (isLast ? 100 : 0) : min(100, Self.percent(done, total))
        var text = shownName + " " + LongName.right(String(percent), 3) + "% "
        text += LongName.right(size(done), 6) + " " + LongName.right(rateText(rate), 7) + "/s "
        if !isLast, isStalled {
            text += "- stalled -"
        } else if !isLast, rate < 1, elapsed > 0 {
            text += "  --:-- ETA"
        } else {
            let seconds =
                isLast
                ? UInt64(elapsed)
                : UInt64(min(359_999, Double(total &- min(done, total)) / max(rate, 1)))
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
            let clock = two(minutes) + ":" + two(seconds % 60)
            text += hours > 0 ? String(hours) + ":" + clock : "  " + clock
            text += isLast ? "    " : " ETA"
        }
        return text
    }

    private static func percent(_ done: UInt64, _ total: UInt64) -> UInt64 {
        UInt64(Double(done) / Double(total) * 100)
    }

    private static func two(_ value: UInt64) -> String { (value < 10 ? "0" : "") + String(value) }

    private static func size(_ bytes: UInt64) -> String {
        var value = bytes
        var unit = 0
        while value >= 10000, unit < units.count - 1 {
            value = (value + 512) / 1024
            unit += 1
        }
        return String(value) + (unit == 0 ? "  " : units[unit] + "B")
    }

    private static func rateText(_ rate: Double) -> String {
        var value = UInt64(min(max(rate, 0), 1e18)) &* 100
        var unit = 0
        while value >= 100 * 1000, unit < units.count - 1 {
            value = (value + 512) / 1024
            unit += 1
        }
        if unit == 0 {
            unit = 1
            value = (value + 512) / 1024
        }
        return "\(value / 100).\((value + 5) / 10 % 10)\(units[unit])B"
    }

    private static let units = ["", "K", "M", "G", "T", "P"]
}

private let second: UInt64 = 1_000_000_000
