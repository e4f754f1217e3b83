// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem

/// `ChannelTimeout`: channels on which nothing has moved for too long are closed.
extension ClientLoop {
    /// Begins to look at a new channel, if some limit is for it.
    func watchIdleness(of channel: ClientChannel) {
        for type in channel.timeoutTypes where channel.idleLimit == nil {
            channel.idleLimit = idleLimits.limit(type)
        }
        if let limit = channel.idleLimit { idleLimits.check(by: Clock.nanoseconds &+ limit) }
    }

    /// Closes what has been idle for too long, and sees when to look again.
    func closeIdleChannels() {
        guard let next = idleLimits.nextCheck, Clock.nanoseconds >= next else { return }
        let now = Clock.nanoseconds
        idleLimits.nextCheck = nil
        var newest: UInt64 = 0
        for channel in Array(channels.values) {
            newest = max(newest, channel.lastActive)
            guard let limit = channel.idleLimit, !channel.isClosed else { continue }
            let since = channel.isOpen ? channel.lastActive : now
            if since &+ limit <= now {
                endIdle(channel)
            } else {
                idleLimits.check(by: since &+ limit)
            }
        }
        // All of them together: what moves on one keeps the others.
        guard let all = idleLimits.all, !channels.isEmpty else { return }
        if newest == 0 { newest = now }
        guard newest &+ all <= now else { return idleLimits.check(by: newest &+ all) }
        for channel in Array(channels.values) where !channel.isClosed { endIdle(channel) }
    }

    private func endIdle(_ channel: ClientChannel) {
        log.verbose("channel \(channel.id): closing after inactivity (ChannelTimeout)")
        end(channel)
    }
}
