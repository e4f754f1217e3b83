// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// A display that sessions may use, and the cookies of both sides (`ForwardX11`).
final class X11Forwarding {
    let display: X11Display
    let name: String
    /// What the server knows.
    let fake: [UInt8]
    /// What the display wants.
    let real: [UInt8]
    /// When no further connection is taken; nil: never.
    let deadline: UInt64?

    init(_ display: X11Display, _ cookie: XAuthority.Cookie?, deadline: UInt64?) {
        self.display = display
        self.deadline = deadline
        fake = SystemRandom().bytes(cookie?.value.count ?? 16)
        name = cookie?.name ?? "MIT-MAGIC-COOKIE-1"
        real = cookie?.value ?? SystemRandom().bytes(16)
    }
}

extension ClientLoop {
    /// Asks that the session's programs may use a display: ours, or the passenger's own.
    func requestX11(_ session: ClientSession) {
        let name = session.passenger?.display ?? Environment.value("DISPLAY")
        guard let name else {
            return log.debug("X11 forwarding requested but DISPLAY not set")
        }
        guard let display = X11Display(name) else {
            return log.info("Invalid DISPLAY '\(name)': X11 is not forwarded")
        }
        guard let entry = x11Entry(display, authority: session.passenger?.authority) else { return }
        log.debug("Requesting X11 forwarding with authentication spoofing.")
        session.send(
            .x11Forwarding(
                X11ForwardingRequest(
                    singleConnection: false,
                    authenticationProtocol: entry.name,
                    authenticationCookie: Hexadecimal.encode(entry.fake),
                    screen: display.screen
                )
            ),
            self,
            awaiting: .x11
        )
    }

    private func x11Entry(_ display: X11Display, authority: String?) -> X11Forwarding? {
        if let entry = x11.first(where: { $0.display == display }),
            entry.deadline.map({ Clock.nanoseconds < $0 }) ?? true
        {
            return entry
        }
        let path = settings.options.xauthLocation ?? "/usr/bin/xauth"
        let authority = XAuthority(path: path, file: authority)
        let isTrusted = settings.options.forwardX11Trusted == true
        let seconds = settings.options.forwardX11Timeout ?? 1200
        var cookie: XAuthority.Cookie?
        var deadline: UInt64?
        if isTrusted {
            cookie = authority.cookie(of: display)
        } else {
            cookie = authority.restrictedCookie(of: display, seconds: seconds)
            guard cookie != nil else {
                log.info(
                    "Warning: untrusted X11 forwarding setup failed: xauth key data not generated"
                )
                return nil
            }
            if seconds > 0 { deadline = Clock.nanoseconds + UInt64(seconds) * 1_000_000_000 }
        }
        if cookie == nil {
            log.info(
                "Warning: No xauth data; using fake authentication data for X11 forwarding."
            )
        }
        let entry = X11Forwarding(display, cookie, deadline: deadline)
        x11.removeAll { $0.display == display }
        x11.append(entry)
        if x11.count > 64 { x11.removeFirst() }
        return entry
    }

    /// The server has a program that wants to talk to a display.
    func x11Requested(_ id: ChannelID, _ address: String, _ port: UInt32) {
        guard !x11.isEmpty else {
            log.error("Warning: ssh server tried X11 forwarding.")
            log.error("Warning: this is probably a break-in attempt by a malicious server.")
            return refuse(id)
        }
        let now = Clock.nanoseconds
        guard x11.contains(where: { entry in entry.deadline.map { now < $0 } ?? true }) else {
            log.info("Rejected X11 connection after ForwardX11Timeout expired")
            return refuse(id)
        }
        let channel = X11Channel(id, kind: "x11")
        add(channel)
        channel.begin(self)
    }
}

/// A connection of an X client there to a display here; its first bytes say which, by the cookie.
final class X11Channel: ClientChannel {
    private var socket: Int32 = -1
    private var setup = X11Setup()
    private var isChecked = false

    override var timeoutTypes: [String] { ["x11-connection"] }

    func begin(_ loop: ClientLoop) {
        markOpen()
        loop.connection.confirmChannel(id)
    }

    override func receive(_ count: Int, isError: Bool, _ loop: ClientLoop) {
        guard !isChecked else { return super.receive(count, isError: isError, loop) }
        setup.append(loop.received)
        loop.connection.consumed(count, on: id)
        var isIncomplete = false
        let now = Clock.nanoseconds
        for entry in loop.x11 where entry.deadline.map({ now < $0 }) ?? true {
            switch setup.checked(name: entry.name, fake: entry.fake, real: entry.real) {
            case .needsMore: isIncomplete = true
            case .accepted(let bytes): return connect(entry.display, bytes, loop)
            case .rejected: break
            }
        }
        guard !isIncomplete else { return }
        loop.log.info("X11 connection rejected because of wrong authentication.")
        give(up: loop)
    }

    private func connect(_ display: X11Display, _ bytes: [UInt8], _ loop: ClientLoop) {
        isChecked = true
        do throws(SystemError) {
            socket = try display.connect()
        } catch {
            loop.log.error("connect \(display.name): \(error.reason)")
            return give(up: loop)
        }
        attach(input: socket, output: socket, isSocket: true, loop)
        showBytes(bytes, loop)
    }

    private func give(up loop: ClientLoop) {
        isChecked = true
        loop.connection.closeChannel(id)
        abandonData(loop)
    }

    override func finished(_ loop: ClientLoop) {
        detach(loop)
        Descriptor.close(socket)
    }
}
