// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// How the process begins: what the monitor hands over, the domain, the root and the user.
extension SessionProcess {
    /// `RDomain`: false, after saying why, when the session cannot be in it.
    private static func enterRoutingDomain(
        _ start: SessionStart,
        _ settings: ServerSettings,
        _ log: Log
    ) -> Bool {
        guard let wanted = settings.given("rdomain") else { return true }
        let name = wanted == "%D" ? start.peer.routingDomain : wanted
        guard !name.isEmpty else { return true }
        do throws(SystemError) {
            try RoutingDomain.enter(name)
            log.debug("routing domain \(name)")
            return true
        } catch {
            log.fatal("Unable to set routing domain \(name): \(error)")
            return false
        }
    }

    /// Serves the user until the connection ends; returns the exit status.
    package static func run(
        monitor: Int32,
        input: Int32,
        output: Int32,
        descriptors: Int32
    ) -> Int32 {
        let socket = MessageSocket(monitor, limitBytes: MonitorLimits.handoverBytes)
        guard let message = socket.waitForNext(),
            case .session(let start)? = try? MonitorAnswer(decoding: message.rawBytes)
        else { return 255 }
        return run(
            start,
            ServerSettings(text: start.configuration),
            socket,
            input: input,
            output: output,
            descriptors: descriptors,
            isStartedAnew: true
        )
    }

    /// The same in a copy of the monitor, which knows what it has to.
    static func run(
        _ start: SessionStart,
        _ settings: ServerSettings,
        _ socket: MessageSocket,
        input: Int32,
        output: Int32,
        descriptors: Int32,
        isStartedAnew: Bool = false
    ) -> Int32 {
        var log = Log(level: start.logLevel, sink: MonitorLogSink(socket))
        for descriptor in [socket.descriptor, input, output, descriptors] {
            Descriptor.setCloseOnExec(descriptor)
        }
        guard let user = Accounts.numbered(start.uid) ?? User.named(start.userName) else {
            log.fatal("no account for \(start.userName)")
            return 255
        }
        log.overrides = LogOverrides(settings.words("logverbose"), program: "sshd-session")
        guard enterRoutingDomain(start, settings, log) else { return 255 }
        if start.mustChangeIdentity {
            do throws(PrivilegeError) {
                if let directory = settings.chrootDirectory {
                    try enterRoot(directory, user, log)
                }
                try Identity.becomePermanently(uid: start.uid, gid: start.gid)
            } catch {
                if error.call != told { log.fatal("\(error)") }
                return 255
            }
        }
        Sandbox.forbidTracing()
        var options = TransportOptions(
            isClient: false,
            identification: "",
            proposal: start.proposal
        )
        options.rekeyLimit = settings.rekeyLimit
        options.hostKeys = start.hostKeys
        options.signatureAlgorithms = start.signatureAlgorithms
        options.log = log
        options.makeCompression = { Zlib() }
        do throws(WireError) {
            let connection = try ServerConnection.continuing(
                SecretBytes(start.handover),
                options,
                random: SystemRandom(),
                at: now()
            )
            guard let watch = try? DescriptorWatch() else { return 255 }
            let process = SessionProcess(
                socket,
                watch,
                descriptors,
                start,
                settings,
                user,
                log,
                connection,
                input: input,
                output: output,
                isStartedAnew: isStartedAnew
            )
            return process.serve()
        } catch {
            log.fatal("handover: \(error)")
            return 255
        }
    }

    /// The call of an error that the log knows already.
    private static let told = ""

    /// `ChrootDirectory`: every part of the path must be root's, and writable by nobody else.
    private static func enterRoot(
        _ pattern: String,
        _ user: User,
        _ log: Log
    ) throws(PrivilegeError) {
        let tokens = Tokens(["h": user.home, "u": user.name, "U": String(user.uid)])
        guard let path = tokens.expand(pattern), path.hasPrefix("/") else {
            log.fatal("chroot path does not begin at root")
            throw PrivilegeError(call: told, errno: 22)
        }
        var parts = [path]
        while let part = parts.last, part != "/" { parts.append(Files.parent(of: part)) }
        for part in parts.reversed() {
            guard let status = Files.status(part) else {
                let reason = Files.reasonForAbsence(of: part) ?? "No such file or directory"
                log.fatal("safely_chroot: stat(\"\(part)\"): \(reason)")
                throw PrivilegeError(call: told, errno: 2)
            }
            guard status.isDirectory, status.uid == 0, status.mode & 0o022 == 0 else {
                let component = part == "/" ? part : part + "/"
                let what = part == path ? "\"\(path)\"" : "component \"\(component)\""
                log.fatal("bad ownership or modes for chroot directory \(what)")
                throw PrivilegeError(call: told, errno: 1)
            }
        }
        try ChangeRoot.enter(path)
        log.info("Changed root directory to \"\(path)\"")
    }

    /// What the key's line and its certificate allow. What cannot be understood, which the monitor
    /// has checked before, allows nothing.
    static func keyOptions(_ start: SessionStart) -> AuthorizedKeyOptions {
        var options = optionsOfKey(start)
        guard start.isRefused else { return options }
        options.permitsPortForwarding = false
        options.permitsAgentForwarding = false
        options.permitsX11Forwarding = false
        return options
    }

    private static func optionsOfKey(_ start: SessionStart) -> AuthorizedKeyOptions {
        var nothing = AuthorizedKeyOptions()
        nothing.command = "false"
        guard let ofLine = try? AuthorizedKeyOptions(parsing: start.keyOptions) else {
            return nothing
        }
        guard !start.certificate.isEmpty else { return ofLine }
        guard let certificate = try? PublicKey(blob: start.certificate).certificate,
            let options = try? CertificateOptions(ofUser: certificate)
        else { return nothing }
        return (try? ofLine.limited(by: options)) ?? nothing
    }
}
