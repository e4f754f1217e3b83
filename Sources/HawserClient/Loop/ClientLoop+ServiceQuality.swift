// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem

extension ClientLoop {
    /// Keeps what the system has not sent yet short while there is someone who types, and while it
    /// may be for nothing.
    func limitUnsent() {
        let limit: Int? =
            if connection.isSendingEarly {
                ConnectionLimits.earlyUnsentBytes
            } else if connection.isShared {
                ConnectionLimits.sharedUnsentBytes
            } else {
                nil
            }
        guard limit != unsentLimit else { return }
        unsentLimit = limit
        Socket.setUnsentLimit(dialed.output, limit)
    }

    /// Marks what is sent as interactive while a session has a terminal, or the first is to have
    /// one, else as bulk (`IPQoS`).
    package func updateTypeOfService() {
        guard dialed.address != nil else { return }
        let classes = TypeOfService(settings.options.ipQoS)
        let sessions = channels.values.compactMap { $0 as? ClientSession }
        let isInteractive =
            sessions.isEmpty ? settings.wantsTerminal : sessions.contains { $0.hasTerminal }
        guard let value = isInteractive ? classes.interactive : classes.bulk,
            typeOfService != value
        else { return }
        typeOfService = value
        log.debug3("set_sock_tos: set socket \(dialed.output) IP_TOS \(value)")
        Socket.setTypeOfService(dialed.output, value)
    }
}
