// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem

/// A display for a session's X clients: a port here, whose connections go to the client's display
/// (RFC 4254 §6.3).
struct X11Display {
    /// The port is 6000 and this.
    let number: Int
    /// `DISPLAY`
    let name: String
    /// The name under which xauth(1) keeps the cookie.
    let authorityName: String
    /// What the client sent for the cookie: its own stays there.
    let cookie: X11ForwardingRequest

    /// What xauth(1) is told.
    var xauthCommands: String {
        "remove \(authorityName)\n"
            + "add \(authorityName) \(cookie.authenticationProtocol) "
            + "\(cookie.authenticationCookie)\n"
    }

    /// Whether a client's text may stand in a command to xauth(1).
    static func isSafe(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: ":"),
                UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    /// How many displays are tried.
    static let maximum = 1000
}

extension SessionProcess {
    var xauthPath: String { settings.first("xauthlocation") ?? "/usr/bin/xauth" }

    /// Makes a display for a session (`X11Forwarding`).
    func forwardX11(_ request: X11ForwardingRequest, _ session: Session) -> Bool {
        guard settings.isYes("x11forwarding", default: false),
            !settings.isYes("disableforwarding", default: false),
            keyOptions.permitsX11Forwarding
        else {
            log.debug("X11 forwarding disabled in server configuration file.")
            return false
        }
        guard xauthPath != "none", Files.exists(xauthPath) else {
            log.debug("No xauth program; cannot forward X11.")
            return false
        }
        guard session.display == nil, !session.hasStarted else {
            log.debug("X11 display already set.")
            return false
        }
        guard X11Display.isSafe(request.authenticationProtocol),
            X11Display.isSafe(request.authenticationCookie),
            request.authenticationProtocol.utf8.count <= 256,
            request.authenticationCookie.utf8.count <= 1024
        else {
            log.error("Invalid X11 forwarding data")
            return false
        }
        guard let (number, descriptors) = openDisplay() else {
            log.error("Failed to allocate internet-domain X11 display socket.")
            return false
        }
        let isLocal = settings.isYes("x11uselocalhost", default: true)
        let host = isLocal ? "localhost" : Resolver.ownHostName
        session.display = X11Display(
            number: number,
            name: "\(host):\(number).\(request.screen)",
            authorityName: isLocal
                ? "unix:\(number).\(request.screen)" : "\(host):\(number).\(request.screen)",
            cookie: request
        )
        add(
            ForwardListener(
                kind: .x11(session: session.channel, isSingle: request.singleConnection),
                descriptors: descriptors
            )
        )
        return true
    }

    /// The first display from `X11DisplayOffset` on whose port is free at every address.
    private func openDisplay() -> (number: Int, descriptors: [Int32])? {
        let offset = settings.number("x11displayoffset", default: 10)
        let isLocal = settings.isYes("x11uselocalhost", default: true)
        let hosts = isLocal ? ["127.0.0.1", "::1"] : ["0.0.0.0", "::"]
        for number in offset..<offset + X11Display.maximum {
            guard number + 6000 <= 65535 else { return nil }
            var descriptors: [Int32] = []
            var isTaken = false
            for host in hosts {
                guard
                    let address = try? Resolver.addresses(
                        of: host,
                        port: String(number + 6000),
                        isPassive: true,
                        isNumeric: true
                    ).first
                else { continue }
                do throws(SystemError) {
                    descriptors.append(try Socket.listening(on: address))
                } catch {
                    // A machine without IPv6 has no such address.
                    if error.isAddressInUse { isTaken = true }
                }
            }
            if !isTaken, !descriptors.isEmpty { return (number, descriptors) }
            descriptors.forEach(Descriptor.close)
        }
        return nil
    }

    /// Takes a session's display away.
    func closeDisplay(_ session: Session) {
        guard session.display != nil else { return }
        session.display = nil
        for listener in listeners {
            if case .x11(session.channel, _) = listener.kind { remove(listener) }
        }
    }
}
