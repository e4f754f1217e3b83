// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserLog
internal import HawserSystem

extension ClientLoop {
    /// Marks what is sent as interactive while a session has a terminal, else as bulk (`IPQoS`).
    func updateTypeOfService() {
        guard dialed.address != nil else { return }
        let words = (settings.options.ipQoS ?? "ef cs0").split(separator: " ").map(String.init)
        let isInteractive = channels.values.contains { ($0 as? ClientSession)?.hasTerminal == true }
        guard let word = isInteractive ? words.first : words.last,
            let value = IPQoS.value(word), typeOfService != value
        else { return }
        typeOfService = value
        log.debug3("set_sock_tos: set socket \(dialed.output) IP_TOS \(value)")
        Socket.setTypeOfService(dialed.output, Int32(value))
    }
}
