// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
package import HawserLog
package import HawserSystem
internal import HawserWire

/// The way to a server: a socket, or the two ends of a command.
package struct Dialed {
    package var input: Int32
    package var output: Int32
    /// The peer's address; nil behind a command.
    package var address: SocketAddress?
    /// The command that stands between, to be ended with the connection.
    package var helper: Int32?
}

/// Why a server could not be reached; the text is for the user.
package struct DialError: Error {
    package var text: String
}

/// Reaches a server as ssh_config(5) says: addresses in turn, ProxyCommand, ProxyJump.
package struct Dialer {
    package var settings: ClientSettings
    package var log: Log
    /// Our own program and the options that a jump host gets too.
    package var program: String
    package var inheritedArguments: [String]

    package init(
        _ settings: ClientSettings,
        log: Log,
        program: String,
        inheritedArguments: [String]
    ) {
        self.settings = settings
        self.log = log
        self.program = program
        self.inheritedArguments = inheritedArguments
    }

    package func dial() throws(DialError) -> Dialed {
        if let jump = settings.options.proxyJump, jump.lowercased() != "none" {
            return try through(jumpCommand(settings.tokens.expand(jump) ?? jump))
        }
        if let command = settings.options.proxyCommand, command.lowercased() != "none" {
            if command == "-" { return Dialed(input: 0, output: 1) }
            let expanded: String
            do throws(ConfigError) {
                // The command's own `%%` only: its variables are the shell's.
                expanded = try settings.expandTokens(command)
            } catch {
                throw DialError(text: error.text)
            }
            return settings.options.proxyUseFdpass == true
                ? try handedOver(by: expanded) : try through(expanded)
        }
        return try directly()
    }

    private func directly() throws(DialError) -> Dialed {
        let family: Resolver.Family =
            switch settings.options.addressFamily ?? .any {
            case .any: .any
            case .inet: .ipv4
            case .inet6: .ipv6
            }
        let addresses: [SocketAddress]
        do throws(ResolveError) {
            addresses = try Resolver.addresses(
                of: settings.host,
                port: "\(settings.port)",
                family: family
            )
        } catch {
            throw DialError(
                text: "ssh: Could not resolve hostname \(settings.host): \(error)"
            )
        }
        let attempts = max(1, settings.options.connectionAttempts ?? 1)
        var reason = "failure"
        for attempt in 0..<attempts {
            if attempt > 0 { Descriptor.waitUntilReady(-1, forWriting: false, milliseconds: 1000) }
            for address in addresses {
                log.debug(
                    "Connecting to \(settings.host) [\(address.host)] port \(settings.port)."
                )
                let local: SocketAddress?
                do throws(DialError) {
                    local = try localAddress(towards: address)
                } catch {
                    log.error(error.text)
                    reason = "failure"
                    continue
                }
                do throws(SystemError) {
                    return try connected(address, from: local)
                } catch {
                    reason = error.reason
                    if error.call == "bind" {
                        log.error("bind \(local?.host ?? ""): \(error.reason)")
                        reason = "failure"
                    }
                    log.debug(
                        "connect to address \(address.host) port \(settings.port): \(error.reason)"
                    )
                }
            }
        }
        throw DialError(
            text: "ssh: connect to host \(settings.host) port \(settings.port): \(reason)"
        )
    }

    private func connected(
        _ address: SocketAddress,
        from local: SocketAddress?
    ) throws(SystemError) -> Dialed {
        let timeout = settings.options.connectTimeout.flatMap {
            $0 > 0 ? Int32(clamping: $0 * 1000) : nil
        }
        let fd = try Socket.connected(to: address, from: local, milliseconds: timeout)
        log.debug("Connection established.")
        Socket.setNoDelay(fd)
        if settings.options.tcpKeepAlive != false { Socket.setKeepAlive(fd) }
        return Dialed(input: fd, output: fd, address: address)
    }

    /// Where the connection is to come from: `BindAddress`, or an address of `BindInterface` of the
    /// family that the server's address has.
    private func localAddress(towards address: SocketAddress) throws(DialError) -> SocketAddress? {
        let family: Resolver.Family = address.isIPv6 ? .ipv6 : .ipv4
        if let name = settings.options.bindAddress {
            do throws(ResolveError) {
                return try Resolver.addresses(of: name, port: "0", family: family, isPassive: true)
                    .first
            } catch {
                throw DialError(text: "getaddrinfo: \(name): \(error)")
            }
        }
        guard let name = settings.options.bindInterface else { return nil }
        let own = Interfaces.addresses(of: name).first {
            $0.isIPv6 == address.isIPv6 && (!$0.isLoopback || address.isLoopback)
        }
        guard let own else {
            throw DialError(text: "getifaddrs: \(name): no suitable addresses")
        }
        log.debug("ssh_create_socket: bound to \(own.host)")
        return own
    }

    /// A command that hands over a connection and ends (`ProxyUseFdpass`).
    private func handedOver(by command: String) throws(DialError) -> Dialed {
        log.debug("Executing proxy dialer command: \(command)")
        do throws(SystemError) {
            let (ours, theirs) = try Descriptor.socketPair()
            defer { Descriptor.close(ours) }
            var spawn = Spawn.shell(Self.shell, command: "exec " + command)
            spawn.descriptors = [(0, theirs), (1, theirs), (2, 2)]
            let started = Result { () throws(SystemError) in try spawn.start() }
            Descriptor.close(theirs)
            let pid = try started.get()
            defer { _ = Child.wait(pid) }
            guard let fd = try? UnixSocket.receive(1, over: ours).first else {
                throw SystemError("proxy dialer", number: 0)
            }
            Descriptor.setNonblocking(fd)
            Socket.setNoDelay(fd)
            let peer = Socket.peer(of: fd).flatMap { $0.isUnix ? nil : $0 }
            return Dialed(input: fd, output: fd, address: peer)
        } catch {
            guard error.call == "proxy dialer" else { throw DialError(text: "\(error)") }
            throw DialError(text: "proxy dialer did not pass back a connection")
        }
    }

    /// The command may serve a master in the background (`ControlPersist`), where it must hold no pipe
    /// whose end someone waits for. A terminal, and who asks for more words, still get its messages.
    private var outlivesUs: Bool {
        settings.controlPath != nil && settings.options.controlMaster ?? .no != .no
            && settings.options.controlPersist ?? .no != .no
            && !Descriptor.isTerminal(2) && log.level < .debug1
    }

    private static var shell: String { Environment.value("SHELL") ?? "/bin/sh" }

    private func through(_ command: String) throws(DialError) -> Dialed {
        log.debug("Executing proxy command: exec \(command)")
        do throws(SystemError) {
            // Two pipes, as commands expect that look whom they talk to (sshd -i).
            let (input, theirOutput) = try Descriptor.pipe()
            let (theirInput, output) = try Descriptor.pipe()
            var spawn = Spawn.shell(Self.shell, command: "exec " + command)
            // WRONLY
            let null = outlivesUs ? try Descriptor.open("/dev/null", 1) : -1
            defer { if null >= 0 { Descriptor.close(null) } }
            spawn.descriptors = [(0, theirInput), (1, theirOutput), (2, null >= 0 ? null : 2)]
            let pid = try spawn.start()
            Descriptor.close(theirInput)
            Descriptor.close(theirOutput)
            Descriptor.setNonblocking(input)
            Descriptor.setNonblocking(output)
            return Dialed(input: input, output: output, helper: pid)
        } catch {
            throw DialError(text: "\(error)")
        }
    }

    /// ssh itself, asked to carry the connection from the last of the jump hosts.
    private func jumpCommand(_ jump: String) throws(DialError) -> String {
        let hops = JumpHosts.hops(jump)
        guard let last = hops.last, let destination = JumpHosts.destination(last) else {
            throw DialError(text: "Invalid ProxyJump \"\(jump)\"")
        }
        var words = [program] + inheritedArguments
        if hops.count > 1 { words += ["-J", hops.dropLast().joined(separator: ",")] }
        if let user = destination.user { words += ["-l", user] }
        if let port = destination.port { words += ["-p", "\(port)"] }
        let target = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
        words += ["-W", "\(target):\(settings.port)", destination.host]
        return words.map(Self.quoted).joined(separator: " ")
    }

    /// A word as a shell takes it for one.
    private static func quoted(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy {
            ($0 >= 48 && $0 <= 57) || ($0 >= 65 && $0 <= 90) || ($0 >= 97 && $0 <= 122)
                || "-_./:=@,[]%".utf8.contains($0)
        }
        guard !isPlain || word.isEmpty else { return word }
        var result = "'"
        for character in word { result += character == "'" ? "'\\''" : String(character) }
        return result + "'"
    }
}
