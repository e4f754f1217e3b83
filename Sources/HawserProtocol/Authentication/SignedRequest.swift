// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Exactly what a user's or a host's key signs to authenticate (RFC 4252 §7, §9).
///
/// The session identifier comes first and ties the signature to this one connection; what follows
/// is the request itself without its signature.
package enum SignedRequest {
    /// The bytes that `publickey` signs, or `publickey-hostbound-v00@openssh.com` when a host key is
    /// given.
    package static func publicKey(
        sessionIdentifier: [UInt8],
        user: [UInt8],
        service: String,
        algorithm: String,
        keyBlob: [UInt8],
        boundHostKey: [UInt8]?
    ) -> [UInt8] {
        var writer = WireWriter(reserving: 128 + keyBlob.count + (boundHostKey?.count ?? 0))
        writer.write(string: sessionIdentifier)
        writePublicKeyRequest(
            into: &writer,
            user: user,
            service: service,
            algorithm: algorithm,
            keyBlob: keyBlob,
            boundHostKey: boundHostKey,
            isSigned: true
        )
        return writer.take()
    }

    /// `SSH_MSG_USERAUTH_REQUEST` with `publickey`, up to the signature.
    static func writePublicKeyRequest(
        into writer: inout WireWriter,
        user: [UInt8],
        service: String,
        algorithm: String,
        keyBlob: [UInt8],
        boundHostKey: [UInt8]?,
        isSigned: Bool
    ) {
        writer.write(byte: 50)  // SSH_MSG_USERAUTH_REQUEST
        writer.write(string: user)
        writer.write(text: service)
        writer.write(
            text: boundHostKey == nil ? MethodName.publicKey : MethodName.hostBoundPublicKey
        )
        writer.write(boolean: isSigned)
        writer.write(text: algorithm)
        writer.write(string: keyBlob)
        if let boundHostKey { writer.write(string: boundHostKey) }
    }

    /// The bytes that `hostbased` signs: the session identifier and the request up to the signature.
    package static func hostBased(
        sessionIdentifier: [UInt8],
        user: [UInt8],
        service: String,
        algorithm: String,
        keyBlob: [UInt8],
        clientHostName: String,
        clientUser: String
    ) -> [UInt8] {
        var writer = WireWriter(reserving: 192 + keyBlob.count)
        writer.write(string: sessionIdentifier)
        writer.write(byte: 50)  // SSH_MSG_USERAUTH_REQUEST
        writer.write(string: user)
        writer.write(text: service)
        writer.write(text: MethodName.hostBased)
        writer.write(text: algorithm)
        writer.write(string: keyBlob)
        writer.write(text: clientHostName)
        writer.write(text: clientUser)
        return writer.take()
    }

    /// The bytes whose integrity code `gssapi-with-mic` sends (RFC 4462 §3.5): the session identifier
    /// and the beginning of the request.
    package static func gssapi(
        sessionIdentifier: [UInt8],
        user: [UInt8],
        service: String
    ) -> [UInt8] {
        var writer = WireWriter(reserving: 128 + user.count)
        writer.write(string: sessionIdentifier)
        writer.write(byte: 50)  // SSH_MSG_USERAUTH_REQUEST
        writer.write(string: user)
        writer.write(text: service)
        writer.write(text: MethodName.gssapi)
        return writer.take()
    }
}

/// The names of authentication methods.
package enum MethodName {
    package static let none = "none"
    package static let publicKey = "publickey"
    package static let hostBoundPublicKey = "publickey-hostbound-v00@openssh.com"
    package static let password = "password"
    package static let keyboardInteractive = "keyboard-interactive"
    package static let hostBased = "hostbased"
    package static let gssapi = "gssapi-with-mic"
}
