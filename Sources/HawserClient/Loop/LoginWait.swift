// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig

/// How long a server may take until the user is in. Moments are those of the monotonic clock, in
/// nanoseconds.
///
/// `ConnectTimeout` is for the identification and the first key exchange (ssh_config(5)). Once the
/// server has said who it is, `ServerAliveInterval` times `ServerAliveCountMax` is the longest that it
/// may be silent; nothing can be asked of it yet. What a person or an agent takes for an answer is
/// not the server's time.
struct LoginWait {
    private var connectDeadline: UInt64?
    private let silence: UInt64?
    private var lastHeard: UInt64

    init(_ options: ClientOptions, now: UInt64) {
        connectDeadline = Self.nanoseconds(options.connectTimeout ?? 0).map { now + $0 }
        let interval = options.serverAliveInterval ?? 0
        silence = Self.nanoseconds(
            interval.multipliedReportingOverflow(by: options.serverAliveCountMax ?? 3).partialValue
        )
        lastHeard = now
    }

    /// Nil for none; a century is enough.
    private static func nanoseconds(_ seconds: Int) -> UInt64? {
        seconds > 0 ? UInt64(min(seconds, 3_000_000_000)) * 1_000_000_000 : nil
    }

    /// We were busy ourselves from `begin` to `end`.
    mutating func note(begin: UInt64, end: UInt64, lastReceived: UInt64) {
        let busy = end - begin
        if let deadline = connectDeadline { connectDeadline = deadline + busy }
        lastHeard = max(lastHeard + busy, lastReceived + busy)
    }

    /// When it has been too long; nil: never.
    func deadline(isIdentified: Bool, hasKeys: Bool) -> UInt64? {
        let silent = isIdentified ? silence.map { lastHeard + $0 } : nil
        let connecting = hasKeys ? nil : connectDeadline
        guard let silent, let connecting else { return silent ?? connecting }
        return min(silent, connecting)
    }
}
