// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// One connection to one host for one kind of key: as far as the server's proof that it has the
/// key, and no further.
final class Scan {
    /// What came of the last bytes.
    enum Step {
        case identified(String)
        case found(PublicKey)
        /// It waits for the socket.
        case waiting
        /// There is nothing more to learn here.
        case over
    }

    let host: Host
    private(set) var descriptor: Int32 = -1
    /// When something last came, or the connection was begun.
    private(set) var activity: UInt64
    private(set) var isConnecting = true
    private var addresses: ArraySlice<SocketAddress>
    private var connection: ClientConnection
    private let log: Log

    init(
        _ host: Host,
        _ family: HostKeyFamily,
        certificates: Bool,
        at addresses: [SocketAddress],
        _ log: Log
    ) {
        self.host = host
        self.addresses = addresses[...]
        self.log = log
        activity = Clock.nanoseconds
        var options = TransportOptions(
            isClient: true,
            identification: Self.identification,
            proposal: Proposal(
                keyExchange: Self.keyExchange,
                hostKey: family.algorithms(certificates: certificates),
                ciphers: Self.everything(Algorithms.ciphers),
                macs: Self.everything(Algorithms.macs),
                compression: ["none"]
            )
        )
        options.log = log
        options.minimumRSABits = Self.minimumRSABits
        connection = ClientConnection(
            options,
            random: SystemRandom(),
            at: Instant(nanoseconds: activity)
        )
    }

    deinit {
        Descriptor.close(descriptor)
    }

    /// Begins to connect to the next of the host's addresses; false when none is left. Throws when
    /// there are too many open descriptors for one more.
    func connect() throws(SystemError) -> Bool {
        Descriptor.close(descriptor)
        descriptor = -1
        while let address = addresses.first {
            let made = try Socket.make(address.family)
            addresses.removeFirst()
            do throws(SystemError) {
                isConnecting = try Socket.connect(made, to: address) == .inProgress
                Socket.setNoDelay(made)
                descriptor = made
                activity = Clock.nanoseconds
                return true
            } catch {
                Descriptor.close(made)
                let text = "connect (`\(host.address)'): \(error.reason)"
                // ECONNREFUSED: nobody is there, as where it is known only later.
                error.number == 111 ? log.debug(text) : log.error(text)
            }
        }
        return false
    }

    var wantsRead: Bool { !isConnecting && connection.wantsInput }

    var wantsWrite: Bool { isConnecting || !connection.output.isEmpty }

    /// The socket can be written: the connection stands or has failed, or there is room. False when
    /// the connection has failed.
    func write() -> Bool {
        if isConnecting {
            let error = Socket.connectError(descriptor)
            guard error == 0 else {
                log.debug("connect (`\(host.address)'): \(SystemError.reason(error))")
                return false
            }
            isConnecting = false
        }
        guard !connection.output.isEmpty else { return true }
        switch Descriptor.write(descriptor, connection.output.bytes) {
        case .bytes(let count): connection.output.removeFirst(count)
        // What the server had to say before it hung up can still be read.
        case .wouldBlock, .ended, .failed: break
        }
        return true
    }

    /// Takes what the socket has; false when nothing more will come.
    func read() -> Bool {
        var transfer = Transfer.wouldBlock
        let descriptor = descriptor
        _ = connection.receive(upTo: Self.readBytes) { (bytes: inout MutableRawSpan) in
            transfer = Descriptor.read(descriptor, into: &bytes)
            if case .bytes(let count) = transfer { return count }
            return 0
        }
        switch transfer {
        case .bytes: activity = Clock.nanoseconds
        case .wouldBlock: break
        case .ended, .failed:
            if connection.peerIdentification == nil {
                if case .failed(let number) = transfer {
                    log.error("read (\(host.address)): \(SystemError.reason(number))")
                } else {
                    log.error("\(host.address): Connection closed by remote host")
                }
            }
            return false
        }
        return true
    }

    /// What the bytes so far mean. To be called until it says `waiting` or `over`.
    func next() -> Step {
        do throws(ProtocolError) {
            while let event = try connection.nextEvent(at: Instant(nanoseconds: activity)) {
                switch event {
                case .identified(let line): return .identified(line.text)
                case .hostKey(let proven):
                    if let key = try? PublicKey(blob: proven.blob) { return .found(key) }
                    return .over
                default: break
                }
            }
            return .waiting
        } catch {
            switch error.kind {
            case .badIdentification: log.error("\(host.address): \(error.text)")
            case .noCommonAlgorithm, .versionMismatch, .disconnected:
                log.debug("\(host.address): \(error.text)")
            default: log.error(error.text)
            }
            return .over
        }
    }

    /// Servers know their scanners by this.
    private static let identification = "SSH-2.0-OpenSSH-keyscan"

    /// Nothing secret is said, so that what costs least comes first, and old servers are served.
    private static let keyExchange = {
        let fast = ["curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256"]
        return fast + everything(Algorithms.keyExchange).filter { !fast.contains($0) }
    }()

    private static func everything(_ family: Algorithms.Family) -> [String] {
        family.offered + family.all.filter { !family.offered.contains($0) }
    }

    /// Keys of old devices are worth knowing too.
    private static let minimumRSABits = 512

    private static let readBytes = 32 << 10
}
