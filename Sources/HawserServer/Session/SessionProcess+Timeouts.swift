// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem

/// What ends for want of use: a connection, a channel, a client that answers no more.
extension SessionProcess {
    /// `UnusedConnectionTimeout`: ends a connection on which no channel is open for so long.
    func checkUse() {
        guard let seconds = unusedSeconds else { return }
        guard connection.channelCount == 0 else {
            unusedUntil = nil
            return
        }
        let now = Clock.nanoseconds
        let limit = unusedUntil ?? now + seconds * 1_000_000_000
        unusedUntil = limit
        guard now >= limit else { return }
        log.info(
            "terminating inactive connection from user \(user.name) \(start.peer.description)"
        )
        finish(255)
    }

    /// `ChannelTimeout`: ends channels on which nothing has moved for too long.
    func checkIdleness() {
        guard let next = idleLimits.nextCheck, Clock.nanoseconds >= next else { return }
        let now = Clock.nanoseconds
        idleLimits.nextCheck = nil
        var newest: UInt64 = 0
        func isOver(_ pipe: ChannelPipe, _ limit: UInt64?) -> Bool {
            newest = max(newest, pipe.lastActive)
            guard let limit else { return false }
            idleLimits.check(by: max(now + 1, pipe.lastActive &+ limit))
            return pipe.lastActive &+ limit <= now
        }
        for session in Array(sessions.values) {
            guard let pipe = session.pipe, isOver(pipe, session.idleLimit) else { continue }
            endIdle(session.channel, pipe)
        }
        for forward in Array(forwards.values) {
            guard let pipe = forward.pipe, isOver(pipe, forward.idleLimit) else { continue }
            endIdle(forward.channel, pipe)
        }
        guard let all = idleLimits.all, newest > 0 else { return }
        guard newest &+ all <= now else { return idleLimits.check(by: newest &+ all) }
        for id in Array(sessions.keys) + Array(forwards.keys) {
            if let pipe = pipe(of: id) { endIdle(id, pipe) }
        }
    }

    private func endIdle(_ id: ChannelID, _ pipe: ChannelPipe) {
        log.verbose("channel \(id): closing after inactivity (ChannelTimeout)")
        if forwards[id]?.isClosed == true {
            forwards.removeValue(forKey: id)?.close(watch)
            return
        }
        pipe.close()
        connection.closeChannel(id)
    }

    func scheduleKeepAlive() {
        keepAlive.next =
            Clock.nanoseconds + UInt64(max(1, settings.clientAliveSeconds)) * 1_000_000_000
    }

    func checkKeepAlive() {
        guard let next = keepAlive.next, Clock.nanoseconds >= next else { return }
        let limit = settings.clientAliveCount
        if limit > 0, keepAlive.unanswered >= limit {
            log.info(
                "Timeout, client not responding from user \(user.name) \(start.peer.description)"
            )
            return finish(255)
        }
        keepAlive.unanswered += 1
        connection.requestGlobal(.keepAlive, wantReply: true)
        scheduleKeepAlive()
    }
}
