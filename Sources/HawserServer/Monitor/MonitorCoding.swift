// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
internal import HawserProtocol
internal import HawserSFTP
package import HawserWire

// A message on the socket: uint32 length, then a byte for its kind and its fields, in the types of
// RFC 4251 §5.

extension MonitorRequest {
    /// The message without its length.
    package var encoding: [UInt8] {
        var writer = WireWriter()
        writer.write(byte: kind.rawValue)
        switch self {
        case .log(let level, let text, let isEarly):
            writer.write(byte: isEarly ? 1 : 0)
            writer.write(uint32: UInt32(clamping: level.rawValue))
            writer.write(string: Array(text.octets.prefix(MonitorLimits.logBytes)))
        case .sign(let request):
            writer.write(string: request.keyBlob)
            writer.write(text: request.algorithm)
            writer.write(string: request.data)
        case .group(let minimum, let preferred, let maximum):
            for bits in [minimum, preferred, maximum] {
                writer.write(uint32: UInt32(clamping: bits))
            }
        case .user(let name, let sessionIdentifier):
            writer.write(text: name)
            writer.write(string: sessionIdentifier)
        case .authenticate(let method):
            method.write(into: &writer)
        case .handOver(let state):
            writer.write(string: state)
        case .openTerminal(let session, let term):
            writer.write(uint32: session)
            writer.write(text: term)
        case .releaseTerminal(let session):
            writer.write(uint32: session)
        case .report(let report):
            report.write(into: &writer)
        case .ended:
            break
        }
        return writer.take()
    }

    package init(decoding message: RawSpan) throws(WireError) {
        var reader = WireReader(message)
        guard let kind = Kind(rawValue: try reader.readByte()) else { throw .badName }
        switch kind {
        case .log:
            let isEarly = try reader.readByte() == 1
            guard let level = LogLevel(rawValue: Int(try reader.readUInt32())) else {
                throw .badName
            }
            let text = try reader.readBytes(limit: MonitorLimits.logBytes)
            self = .log(level, String(octets: text), isEarly: isEarly)
        case .sign:
            self = .sign(
                SigningRequest(
                    keyBlob: try reader.readBytes(),
                    algorithm: try reader.readText(limit: 256),
                    data: try reader.readBytes(limit: MonitorLimits.signedBytes)
                )
            )
        case .group:
            self = .group(
                minimum: Int(try reader.readUInt32()),
                preferred: Int(try reader.readUInt32()),
                maximum: Int(try reader.readUInt32())
            )
        case .user:
            self = .user(
                name: try reader.readText(limit: ConnectionLimits.userNameBytes * 3),
                sessionIdentifier: try reader.readBytes(limit: 64)
            )
        case .authenticate:
            self = .authenticate(try AuthenticationRequest.Method(from: &reader))
        case .handOver:
            self = .handOver(try reader.readBytes(limit: MonitorLimits.handoverBytes))
        case .openTerminal:
            self = .openTerminal(
                session: try reader.readUInt32(),
                term: try reader.readText(limit: 256)
            )
        case .releaseTerminal:
            self = .releaseTerminal(session: try reader.readUInt32())
        case .report:
            self = .report(try SessionReport(from: &reader))
        case .ended:
            self = .ended
        }
        try reader.expectEnd()
    }
}

extension SessionReport {
    private enum Kind: UInt8 {
        case sessionStarted = 1
        case sessionEnded
        case forward
        case bytes
        case file
    }

    fileprivate func write(into writer: inout WireWriter) {
        switch self {
        case .sessionStarted(let id, let kind, let command):
            writer.write(byte: Kind.sessionStarted.rawValue)
            writer.write(uint32: id)
            writer.write(text: kind)
            writer.write(string: Array(command.octets.prefix(MonitorLimits.logBytes)))
        case .sessionEnded(let id):
            writer.write(byte: Kind.sessionEnded.rawValue)
            writer.write(uint32: id)
        case .forward(let kind, let target, let isAllowed):
            writer.write(byte: Kind.forward.rawValue)
            writer.write(text: kind)
            writer.write(string: Array(target.octets.prefix(1024)))
            writer.write(boolean: isAllowed)
        case .file(let id, let event):
            writer.write(byte: Kind.file.rawValue)
            writer.write(uint32: id)
            event.write(into: &writer)
        case .bytes(let received, let sent):
            writer.write(byte: Kind.bytes.rawValue)
            writer.write(uint64: received)
            writer.write(uint64: sent)
        }
    }

    @_lifetime(reader: copy reader)
    fileprivate init(from reader: inout WireReader) throws(WireError) {
        guard let kind = Kind(rawValue: try reader.readByte()) else { throw .badName }
        switch kind {
        case .sessionStarted:
            let id = try reader.readUInt32()
            let name = try reader.readText(limit: 256)
            let command = try reader.readBytes(limit: MonitorLimits.logBytes)
            self = .sessionStarted(
                id: id,
                kind: name,
                command: String(octets: command)
            )
        case .sessionEnded:
            self = .sessionEnded(id: try reader.readUInt32())
        case .forward:
            let name = try reader.readText(limit: 256)
            let target = String(octets: try reader.readBytes(limit: 1024))
            self = .forward(kind: name, target: target, isAllowed: try reader.readBoolean())
        case .file:
            let id = try reader.readUInt32()
            self = .file(id: id, try FileEvent(from: &reader))
        case .bytes:
            self = .bytes(received: try reader.readUInt64(), sent: try reader.readUInt64())
        }
    }
}

extension MonitorAnswer {
    package var kind: Kind {
        switch self {
        case .start: .start
        case .session: .session
        case .signature: .signature
        case .group: .group
        case .user: .user
        case .authentication: .authentication
        case .terminal: .terminal
        case .noTerminal: .noTerminal
        }
    }

    /// The message without its length.
    package var encoding: [UInt8] {
        var writer = WireWriter()
        writer.write(byte: kind.rawValue)
        switch self {
        case .start(let start): start.write(into: &writer)
        case .session(let start): start.write(into: &writer)
        case .signature(let blob): writer.write(string: blob)
        case .group(let prime, let generator):
            writer.write(string: prime)
            writer.write(string: generator)
        case .user(let answer):
            writer.write(list: answer.methods)
            writer.write(text: answer.banner)
            writer.write(text: answer.description)
            writer.write(text: answer.title)
        case .authentication(let outcome): outcome.write(into: &writer)
        case .terminal(let path): writer.write(text: path)
        case .noTerminal: break
        }
        return writer.take()
    }

    package init(decoding message: RawSpan) throws(WireError) {
        var reader = WireReader(message)
        guard let kind = Kind(rawValue: try reader.readByte()) else { throw .badName }
        switch kind {
        case .start: self = .start(try NetworkStart(from: &reader))
        case .session: self = .session(try SessionStart(from: &reader))
        case .signature: self = .signature(try reader.readBytes())
        case .group:
            self = .group(prime: try reader.readBytes(), generator: try reader.readBytes())
        case .user:
            self = .user(
                UserAnswer(
                    methods: try reader.readList(),
                    banner: try reader.readText(),
                    description: try reader.readText(),
                    title: try reader.readText()
                )
            )
        case .authentication: self = .authentication(try AuthenticationOutcome(from: &reader))
        case .terminal: self = .terminal(path: try reader.readText())
        case .noTerminal: self = .noTerminal
        }
        try reader.expectEnd()
    }
}

extension AuthenticationRequest.Method {
    fileprivate enum Kind: UInt8 {
        case none = 1
        case publicKey
        case password
        case keyboardInteractive
        case keyboardInteractiveResponses
        case hostBased
        case other
        case gssapiMechanisms
        case gssapiToken
        case gssapiExchangeComplete
        case gssapiCode
    }

    fileprivate func write(into writer: inout WireWriter) {
        switch self {
        case .none:
            writer.write(byte: Kind.none.rawValue)
        case .publicKey(let attempt):
            writer.write(byte: Kind.publicKey.rawValue)
            writer.write(text: attempt.algorithm)
            writer.write(string: attempt.keyBlob)
            writer.write(optional: attempt.signature)
            writer.write(string: attempt.signedData)
            writer.write(optional: attempt.boundHostKey)
        case .password(let password, let new):
            writer.write(byte: Kind.password.rawValue)
            writer.write(string: password.bytes)
            writer.write(boolean: new != nil)
            if let new { writer.write(string: new.bytes) }
        case .keyboardInteractive(let language, let submethods):
            writer.write(byte: Kind.keyboardInteractive.rawValue)
            writer.write(text: language)
            writer.write(list: submethods)
        case .keyboardInteractiveResponses(let responses):
            writer.write(byte: Kind.keyboardInteractiveResponses.rawValue)
            writer.write(uint32: UInt32(clamping: responses.count))
            for response in responses { writer.write(string: response.bytes) }
        case .hostBased(let attempt):
            writer.write(byte: Kind.hostBased.rawValue)
            writer.write(text: attempt.algorithm)
            writer.write(string: attempt.keyBlob)
            writer.write(text: attempt.clientHostName)
            writer.write(text: attempt.clientUser)
            writer.write(string: attempt.signature)
            writer.write(string: attempt.signedData)
        case .gssapi(.mechanisms(let mechanisms)):
            writer.write(byte: Kind.gssapiMechanisms.rawValue)
            writer.write(uint32: UInt32(clamping: mechanisms.count))
            for mechanism in mechanisms { writer.write(string: mechanism.encoding) }
        case .gssapi(.token(let token)):
            writer.write(byte: Kind.gssapiToken.rawValue)
            writer.write(string: token)
        case .gssapi(.exchangeComplete):
            writer.write(byte: Kind.gssapiExchangeComplete.rawValue)
        case .gssapi(.messageIntegrityCode(let code)):
            writer.write(byte: Kind.gssapiCode.rawValue)
            writer.write(string: code)
        case .other(let name):
            writer.write(byte: Kind.other.rawValue)
            writer.write(text: name)
        }
    }

    @_lifetime(reader: copy reader)
    fileprivate init(from reader: inout WireReader) throws(WireError) {
        guard let kind = Kind(rawValue: try reader.readByte()) else { throw .badName }
        switch kind {
        case .none:
            self = .none
        case .publicKey:
            self = .publicKey(
                PublicKeyAttempt(
                    algorithm: try reader.readText(limit: 256),
                    keyBlob: try reader.readBytes(),
                    signature: try reader.readOptional(),
                    signedData: try reader.readBytes(),
                    boundHostKey: try reader.readOptional()
                )
            )
        case .password:
            let password = SecretBytes(copying: try reader.readString())
            let hasNew = try reader.readBoolean()
            self = .password(
                password,
                new: hasNew ? SecretBytes(copying: try reader.readString()) : nil
            )
        case .keyboardInteractive:
            let language = try reader.readText(limit: 256)
            self = .keyboardInteractive(language: language, submethods: try reader.readList())
        case .keyboardInteractiveResponses:
            let count = Int(try reader.readUInt32())
            guard count <= ConnectionLimits.prompts else { throw .tooLong }
            var responses: [SecretBytes] = []
            for _ in 0..<count { responses.append(SecretBytes(copying: try reader.readString())) }
            self = .keyboardInteractiveResponses(responses)
        case .hostBased:
            self = .hostBased(
                HostBasedAttempt(
                    algorithm: try reader.readText(limit: 256),
                    keyBlob: try reader.readBytes(),
                    clientHostName: try reader.readText(limit: 4096),
                    clientUser: try reader.readText(limit: 4096),
                    signature: try reader.readBytes(),
                    signedData: try reader.readBytes()
                )
            )
        case .gssapiMechanisms:
            let count = Int(try reader.readUInt32())
            guard count <= ConnectionLimits.gssapiMechanisms else { throw .tooLong }
            var mechanisms: [GSSMechanism] = []
            for _ in 0..<count {
                let encoding = try reader.readBytes()
                guard let mechanism = GSSMechanism(encoding: encoding) else { throw .badName }
                mechanisms.append(mechanism)
            }
            self = .gssapi(.mechanisms(mechanisms))
        case .gssapiToken:
            self = .gssapi(.token(try reader.readBytes(limit: ConnectionLimits.gssapiTokenBytes)))
        case .gssapiExchangeComplete:
            self = .gssapi(.exchangeComplete)
        case .gssapiCode:
            let code = try reader.readBytes(limit: ConnectionLimits.gssapiTokenBytes)
            self = .gssapi(.messageIntegrityCode(code))
        case .other:
            self = .other(name: try reader.readText(limit: 4096))
        }
    }
}

extension AuthenticationOutcome {
    private enum Kind: UInt8 {
        case accepted = 1
        case partial
        case refused
        case keyAcceptable
        case question
        case passwordExpired
        case disconnect
        case notice
        case gssapiMechanism
        case gssapiToken
        case gssapiErrorToken
        case gssapiError
    }

    fileprivate func write(into writer: inout WireWriter) {
        switch self {
        case .accepted:
            writer.write(byte: Kind.accepted.rawValue)
        case .partial(let methods):
            writer.write(byte: Kind.partial.rawValue)
            writer.write(list: methods)
        case .refused(let methods):
            writer.write(byte: Kind.refused.rawValue)
            writer.write(list: methods)
        case .keyAcceptable:
            writer.write(byte: Kind.keyAcceptable.rawValue)
        case .question(let request):
            writer.write(byte: Kind.question.rawValue)
            writer.write(text: request.name)
            writer.write(text: request.instruction)
            writer.write(text: request.language)
            writer.write(uint32: UInt32(clamping: request.prompts.count))
            for prompt in request.prompts {
                writer.write(text: prompt.text)
                writer.write(boolean: prompt.echo)
            }
        case .passwordExpired(let prompt):
            writer.write(byte: Kind.passwordExpired.rawValue)
            writer.write(text: prompt)
        case .disconnect(let text):
            writer.write(byte: Kind.disconnect.rawValue)
            writer.write(text: text)
        case .notice(let text):
            writer.write(byte: Kind.notice.rawValue)
            writer.write(text: text)
        case .gssapi(.mechanism(let mechanism)):
            writer.write(byte: Kind.gssapiMechanism.rawValue)
            writer.write(string: mechanism.encoding)
        case .gssapi(.token(let token)):
            writer.write(byte: Kind.gssapiToken.rawValue)
            writer.write(string: token)
        case .gssapi(.errorToken(let token)):
            writer.write(byte: Kind.gssapiErrorToken.rawValue)
            writer.write(string: token)
        case .gssapi(.error(let message)):
            writer.write(byte: Kind.gssapiError.rawValue)
            writer.write(uint32: message.majorStatus)
            writer.write(uint32: message.minorStatus)
            writer.write(text: message.message)
        }
    }

    @_lifetime(reader: copy reader)
    fileprivate init(from reader: inout WireReader) throws(WireError) {
        guard let kind = Kind(rawValue: try reader.readByte()) else { throw .badName }
        switch kind {
        case .accepted: self = .accepted
        case .partial: self = .partial(methods: try reader.readList())
        case .refused: self = .refused(methods: try reader.readList())
        case .keyAcceptable: self = .keyAcceptable
        case .question:
            var request = InformationRequest(
                name: try reader.readText(),
                instruction: try reader.readText(),
                language: try reader.readText(),
                prompts: []
            )
            let count = Int(try reader.readUInt32())
            guard count <= ConnectionLimits.prompts else { throw .tooLong }
            for _ in 0..<count {
                let text = try reader.readText()
                let echo = try reader.readBoolean()
                request.prompts.append(InformationRequest.Prompt(text: text, echo: echo))
            }
            self = .question(request)
        case .passwordExpired: self = .passwordExpired(prompt: try reader.readText())
        case .disconnect: self = .disconnect(text: try reader.readText())
        case .notice: self = .notice(try reader.readText())
        case .gssapiMechanism:
            guard let mechanism = GSSMechanism(encoding: try reader.readBytes()) else {
                throw .badName
            }
            self = .gssapi(.mechanism(mechanism))
        case .gssapiToken: self = .gssapi(.token(try reader.readBytes()))
        case .gssapiErrorToken: self = .gssapi(.errorToken(try reader.readBytes()))
        case .gssapiError:
            self = .gssapi(
                .error(
                    GSSAPIErrorMessage(
                        majorStatus: try reader.readUInt32(),
                        minorStatus: try reader.readUInt32(),
                        message: try reader.readText()
                    )
                )
            )
        }
    }
}

extension NetworkStart {
    fileprivate func write(into writer: inout WireWriter) {
        writer.write(text: identification)
        proposal.write(into: &writer)
        rekeyLimit.write(into: &writer)
        hostKeys.write(into: &writer)
        writer.write(list: signatureAlgorithms)
        writer.write(uint32: UInt32(clamping: logLevel.rawValue))
        writer.write(list: logVerbose)
        peer.write(into: &writer)
        writer.write(boolean: offersCompression)
        writer.write(boolean: confinement != nil)
        if let confinement {
            writer.write(text: confinement.directory)
            writer.write(uint32: confinement.uid)
            writer.write(uint32: confinement.gid)
        }
    }

    @_lifetime(reader: copy reader)
    fileprivate init(from reader: inout WireReader) throws(WireError) {
        identification = try reader.readText()
        proposal = try Proposal(from: &reader)
        rekeyLimit = try RekeyLimit(from: &reader)
        hostKeys = try [HostKeyOffer](from: &reader)
        signatureAlgorithms = try reader.readList()
        logLevel = LogLevel(rawValue: Int(try reader.readUInt32())) ?? .info
        logVerbose = try reader.readList()
        peer = try PeerAddress(from: &reader)
        offersCompression = try reader.readBoolean()
        confinement = nil
        if try reader.readBoolean() {
            confinement = Confinement(
                directory: try reader.readText(),
                uid: try reader.readUInt32(),
                gid: try reader.readUInt32()
            )
        }
    }
}

extension SessionStart {
    fileprivate func write(into writer: inout WireWriter) {
        writer.write(text: userName)
        writer.write(uint32: uid)
        writer.write(uint32: gid)
        writer.write(text: configuration)
        writer.write(text: keyOptions)
        writer.write(string: certificate)
        peer.write(into: &writer)
        writer.write(uint32: UInt32(clamping: logLevel.rawValue))
        writer.write(uint32: UInt32(clamping: environment.count))
        for variable in environment {
            writer.write(text: variable.name)
            writer.write(text: variable.value)
        }
        writer.write(boolean: lastLogin != nil)
        if let lastLogin {
            writer.write(uint64: UInt64(clamping: lastLogin.time))
            writer.write(text: lastLogin.host)
        }
        writer.write(text: messages)
        writer.write(boolean: mustChangePassword)
        writer.write(boolean: isRefused)
        writer.write(text: authenticationInfo)
        writer.write(uint32: UInt32(clamping: notes.count))
        for note in notes { writer.write(text: note) }
        hostKeys.write(into: &writer)
        provableKeys.write(into: &writer)
        writer.write(list: signatureAlgorithms)
        proposal.write(into: &writer)
        writer.write(string: handover)
        writer.write(boolean: mustChangeIdentity)
    }

    @_lifetime(reader: copy reader)
    fileprivate init(from reader: inout WireReader) throws(WireError) {
        userName = try reader.readText()
        uid = try reader.readUInt32()
        gid = try reader.readUInt32()
        configuration = try reader.readText()
        keyOptions = try reader.readText()
        certificate = try reader.readBytes()
        peer = try PeerAddress(from: &reader)
        logLevel = LogLevel(rawValue: Int(try reader.readUInt32())) ?? .info
        let count = Int(try reader.readUInt32())
        environment = []
        for _ in 0..<count {
            let name = try reader.readText()
            environment.append(EnvironmentVariable(name: name, value: try reader.readText()))
        }
        lastLogin = nil
        if try reader.readBoolean() {
            let time = Int64(clamping: try reader.readUInt64())
            lastLogin = LastLogin(time: time, host: try reader.readText())
        }
        messages = try reader.readText()
        mustChangePassword = try reader.readBoolean()
        isRefused = try reader.readBoolean()
        authenticationInfo = try reader.readText()
        notes = []
        for _ in 0..<Int(try reader.readUInt32()) { notes.append(try reader.readText()) }
        hostKeys = try [HostKeyOffer](from: &reader)
        provableKeys = try [HostKeyOffer](from: &reader)
        signatureAlgorithms = try reader.readList()
        proposal = try Proposal(from: &reader)
        handover = try reader.readBytes()
        mustChangeIdentity = try reader.readBoolean()
    }
}

extension Proposal {
    fileprivate func write(into writer: inout WireWriter) {
        for list in [
            keyExchange, hostKey, ciphersToServer, ciphersToClient, macsToServer, macsToClient,
            compressionToServer, compressionToClient,
        ] { writer.write(list: list) }
    }

    @_lifetime(reader: copy reader)
    fileprivate init(from reader: inout WireReader) throws(WireError) {
        self.init(keyExchange: [], hostKey: [], ciphers: [], macs: [], compression: [])
        keyExchange = try reader.readList()
        hostKey = try reader.readList()
        ciphersToServer = try reader.readList()
        ciphersToClient = try reader.readList()
        macsToServer = try reader.readList()
        macsToClient = try reader.readList()
        compressionToServer = try reader.readList()
        compressionToClient = try reader.readList()
    }
}

extension RekeyLimit {
    fileprivate func write(into writer: inout WireWriter) {
        writer.write(uint64: bytes ?? 0)
        writer.write(uint64: UInt64(clamping: interval?.components.seconds ?? 0))
    }

    @_lifetime(reader: copy reader)
    fileprivate init(from reader: inout WireReader) throws(WireError) {
        let bytes = try reader.readUInt64()
        let seconds = try reader.readUInt64()
        self.init(
            bytes: bytes == 0 ? nil : bytes,
            interval: seconds == 0 ? nil : .seconds(Int64(clamping: seconds))
        )
    }
}

extension [HostKeyOffer] {
    fileprivate func write(into writer: inout WireWriter) {
        writer.write(uint32: UInt32(clamping: count))
        for key in self {
            writer.write(string: key.blob)
            writer.write(list: key.algorithms)
        }
    }

    @_lifetime(reader: copy reader)
    fileprivate init(from reader: inout WireReader) throws(WireError) {
        let count = Int(try reader.readUInt32())
        guard count <= MonitorLimits.listCount else { throw .tooLong }
        self = []
        for _ in 0..<count {
            let blob = try reader.readBytes()
            append(HostKeyOffer(blob: blob, algorithms: try reader.readList()))
        }
    }
}

extension WireWriter {
    /// Texts, which may hold commas and blanks.
    fileprivate mutating func write(list: [String]) {
        write(uint32: UInt32(clamping: list.count))
        for text in list { write(text: text) }
    }

    fileprivate mutating func write(optional bytes: [UInt8]?) {
        write(boolean: bytes != nil)
        if let bytes { write(string: bytes) }
    }
}

extension WireReader {
    @_lifetime(self: copy self)
    fileprivate mutating func readList() throws(WireError) -> [String] {
        let count = Int(try readUInt32())
        guard count <= MonitorLimits.listCount else { throw .tooLong }
        var list: [String] = []
        for _ in 0..<count { list.append(try readText(limit: 4096)) }
        return list
    }

    @_lifetime(self: copy self)
    fileprivate mutating func readOptional() throws(WireError) -> [UInt8]? {
        try readBoolean() ? try readBytes() : nil
    }
}
