// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// `SSH_MSG_USERAUTH_FAILURE`, RFC 4252 §5.1.
struct AuthenticationFailure: Equatable {
    /// The methods that can continue.
    var methods: [String]
    var partialSuccess: Bool

    init(methods: [String], partialSuccess: Bool) {
        self.methods = methods
        self.partialSuccess = partialSuccess
    }

    /// Names are not checked: one that we do not know is not used, whatever it holds.
    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        methods = try reader.readText().split(separator: ",").map(String.init)
        partialSuccess = try reader.readBoolean()
        try reader.expectEnd()
    }

    var payload: [UInt8] {
        var writer = WireWriter(reserving: 96)
        writer.write(byte: MessageNumber.userauthFailure.rawValue)
        writer.write(nameList: methods)
        writer.write(boolean: partialSuccess)
        return writer.take()
    }
}

/// `SSH_MSG_USERAUTH_BANNER`, RFC 4252 §5.4.
struct AuthenticationBanner: Equatable {
    var message: String

    init(message: String) {
        self.message = message
    }

    /// The language tag may be missing.
    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        message = try reader.readText()
        if !reader.isAtEnd { _ = try reader.readString() }
        try reader.expectEnd()
    }

    var payload: [UInt8] {
        var writer = WireWriter(reserving: 16 + message.utf8.count)
        writer.write(byte: MessageNumber.userauthBanner.rawValue)
        writer.write(text: message)
        writer.write(text: "")
        return writer.take()
    }
}

/// `SSH_MSG_USERAUTH_PK_OK`, RFC 4252 §7.
struct PublicKeyAccepted: Equatable {
    var algorithm: String
    var keyBlob: [UInt8]

    init(algorithm: String, keyBlob: [UInt8]) {
        self.algorithm = algorithm
        self.keyBlob = keyBlob
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        algorithm = try reader.readText()
        keyBlob = try reader.readBytes()
        try reader.expectEnd()
    }

    var payload: [UInt8] {
        var writer = WireWriter(reserving: 64 + keyBlob.count)
        writer.write(byte: 60)
        writer.write(text: algorithm)
        writer.write(string: keyBlob)
        return writer.take()
    }
}

/// `SSH_MSG_USERAUTH_PASSWD_CHANGEREQ`, RFC 4252 §8.
struct PasswordChangeRequest: Equatable {
    var prompt: String

    init(prompt: String) {
        self.prompt = prompt
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        prompt = try reader.readText()
        if !reader.isAtEnd { _ = try reader.readString() }
        try reader.expectEnd()
    }

    var payload: [UInt8] {
        var writer = WireWriter(reserving: 16 + prompt.utf8.count)
        writer.write(byte: 60)
        writer.write(text: prompt)
        writer.write(text: "")
        return writer.take()
    }
}

extension InformationRequest {
    /// `SSH_MSG_USERAUTH_INFO_REQUEST`, RFC 4256 §3.2.
    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        name = try reader.readText()
        instruction = try reader.readText()
        language = try reader.readText()
        prompts = []
        let count = try reader.readUInt32()
        guard count <= UInt32(ConnectionLimits.prompts) else { throw .tooLong }
        for _ in 0..<count {
            let text = try reader.readText()
            prompts.append(Prompt(text: text, echo: try reader.readBoolean()))
        }
        try reader.expectEnd()
    }

    var payload: [UInt8] {
        var writer = WireWriter()
        writer.write(byte: 60)
        writer.write(text: name)
        writer.write(text: instruction)
        writer.write(text: language)
        writer.write(uint32: UInt32(prompts.count))
        for prompt in prompts {
            writer.write(text: prompt.text)
            writer.write(boolean: prompt.echo)
        }
        return writer.take()
    }
}

/// `SSH_MSG_USERAUTH_INFO_RESPONSE`, RFC 4256 §3.4.
enum InformationResponse {
    @_lifetime(reader: copy reader)
    static func read(from reader: inout WireReader) throws(WireError) -> [SecretBytes] {
        let count = try reader.readUInt32()
        guard count <= UInt32(ConnectionLimits.prompts) else { throw .tooLong }
        var responses: [SecretBytes] = []
        for _ in 0..<count {
            let response = try reader.readString()
            guard response.byteCount <= ConnectionLimits.passwordBytes else { throw .tooLong }
            responses.append(SecretBytes(copying: response))
        }
        try reader.expectEnd()
        return responses
    }

    /// The caller wipes it.
    static func payload(_ responses: [SecretBytes]) -> [UInt8] {
        var writer = WireWriter(reserving: 5 + responses.reduce(0) { $0 + $1.count + 4 })
        writer.write(byte: 61)
        writer.write(uint32: UInt32(responses.count))
        for response in responses { writer.write(string: response.bytes) }
        return writer.take()
    }
}

/// `SSH_MSG_SERVICE_REQUEST` and `SSH_MSG_SERVICE_ACCEPT`, RFC 4253 §10.
enum ServiceMessage {
    static let authentication = "ssh-userauth"
    static let connection = "ssh-connection"

    static func payload(_ number: MessageNumber, _ service: String) -> [UInt8] {
        var writer = WireWriter(reserving: 32)
        writer.write(byte: number.rawValue)
        writer.write(text: service)
        return writer.take()
    }
}
