// SPDX-License-Identifier: Apache-2.0

package import HawserLog

/// What a monitor is given: the connection and how to serve it.
package struct MonitorStart {
    /// Answers what depends on who connects: the configuration for a user, or before there is one.
    package typealias Configuration = (ConnectionCriteria) -> ServerSettings

    package var configuration: Configuration
    /// Whether the user's name may change which keys are accepted.
    package var algorithmsVary: Bool
    package var hostKeys: HostKeys
    package var peer: PeerAddress
    /// The client's descriptors; the same one twice when it is a socket.
    package var input: Int32
    package var output: Int32
    /// Closed as soon as someone is logged in: the listener counts those that are not.
    package var startupPipe: Int32?
    package var log: Log
    package var programs: OwnPrograms
    /// How long a host's name may be in the records of logins (`-u`); nil for any length.
    package var hostWidth: Int?
    package var events: EventLog

    package init(
        configuration: @escaping Configuration,
        algorithmsVary: Bool,
        hostKeys: HostKeys,
        peer: PeerAddress,
        input: Int32,
        output: Int32,
        startupPipe: Int32?,
        log: Log,
        programs: OwnPrograms,
        hostWidth: Int?,
        events: EventLog
    ) {
        self.configuration = configuration
        self.algorithmsVary = algorithmsVary
        self.hostKeys = hostKeys
        self.peer = peer
        self.input = input
        self.output = output
        self.startupPipe = startupPipe
        self.log = log
        self.programs = programs
        self.hostWidth = hostWidth
        self.events = events
    }
}

/// What `Match` blocks look at.
package struct ConnectionCriteria: Equatable, Sendable {
    package var user: String?
    package var isInvalidUser = false
    package var groups: [String] = []
    package var host: String?
    package var address: String?
    package var localAddress: String?
    package var localPort: Int?
    package var routingDomain: String?

    /// Nothing is known (`sshd -C` tells).
    package init() {}

    package init(peer: PeerAddress, host: String? = nil) {
        self.host = host ?? peer.address
        address = peer.address
        localAddress = peer.localAddress
        localPort = peer.localPort
        routingDomain = peer.routingDomain
    }
}

/// The parts that this program plays when it is started anew, told by its first argument.
package enum ServerRole: String, Sendable, CaseIterable {
    case network = "--network"
    case session = "--session"
    /// Becomes another account and then another program.
    case command = "--command"

    /// The arguments of a process of ours, with room for its title.
    func arguments(title: String) -> [String] {
        ["sshd", rawValue, title, String(repeating: " ", count: 200)]
    }

    /// The numbers of the descriptors that a process of ours is given.
    package enum Place {
        package static let monitor: Int32 = 3
        package static let input: Int32 = 4
        package static let output: Int32 = 5
        package static let descriptors: Int32 = 6
        package static let startupPipe: Int32 = 6
        package static let events: Int32 = 7
        package static let hostKeys: Int32 = 8
    }
}
