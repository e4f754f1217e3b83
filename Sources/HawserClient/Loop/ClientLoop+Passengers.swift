// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserProtocol

/// What the loop does for other ssh processes (`ControlMaster`).
extension ClientLoop {
    /// Opens a session for a passenger; false when there are too many channels.
    func openSession(
        for passenger: ControlPassenger,
        _ request: SessionRequest,
        escape character: UInt8?,
        _ descriptors: (input: Int32, output: Int32, error: Int32)
    ) -> Bool {
        guard let id = connection.openChannel(.session, windowBytes: request.windowBytes) else {
            return false
        }
        let session = ClientSession(
            id,
            request,
            input: descriptors.input,
            output: descriptors.output,
            error: descriptors.error,
            passenger: passenger,
            ownsDescriptors: true
        )
        if request.wantsTerminal, let character {
            session.escapeCharacter = character
            session.escapes = EscapeSequences(character)
        }
        passenger.channel = session
        add(session)
        return true
    }

    /// Opens the channel of a passenger's `-W`.
    func openStandardForward(
        for passenger: ControlPassenger,
        to target: Forward.End,
        _ descriptors: (input: Int32, output: Int32)
    ) -> Bool {
        guard let id = connection.openChannel(ChannelOpening(standardForward: target)) else {
            return false
        }
        let channel = StandardForward(
            id,
            to: target,
            input: descriptors.input,
            output: descriptors.output,
            passenger: passenger
        )
        passenger.channel = channel
        add(channel)
        return true
    }

    /// Ends a channel for us at once; the server may take its time.
    func end(_ channel: ClientChannel) {
        connection.closeChannel(channel.id)
        channel.abandonData(self)
        channel.closed(self)
    }

    /// A passenger is gone: so is its channel.
    func closeChannel(of passenger: ControlPassenger) {
        guard let channel = passenger.channel else { return }
        passenger.channel = nil
        end(channel)
    }
}
