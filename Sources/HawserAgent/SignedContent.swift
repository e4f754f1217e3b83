// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserWire

/// What a client wants signed, as far as an agent can recognise it.
enum SignedContent {
    /// A `publickey` login: RFC 4252 §7, and PROTOCOL §3.1 for the host-bound form.
    struct Login {
        let sessionIdentifier: [UInt8]
        let user: String
        /// The host key that the host-bound form names.
        let hostKey: PublicKey?
    }

    case login(Login)
    /// The blob that `ssh-keygen -Y sign` signs: PROTOCOL.sshsig.
    case file
    case unknown

    /// Looks at `data` that `key` is to sign.
    init(_ data: RawSpan, by key: PublicKey) {
        if let login = Self.login(data, by: key) {
            self = .login(login)
        } else if Self.isFileSignature(data) {
            self = .file
        } else {
            self = .unknown
        }
    }

    private static func login(_ data: RawSpan, by key: PublicKey) -> Login? {
        var reader = WireReader(data)
        guard let identifier = try? reader.readBytes(limit: 128), !identifier.isEmpty,
            (try? reader.readByte()) == 50,
            let user = try? reader.readText(limit: 65536),
            (try? reader.readText(limit: 64)) == "ssh-connection",
            let method = try? reader.readText(limit: 64),
            (try? reader.readByte()) == 1,
            let algorithm = try? reader.readText(limit: 256),
            let blob = try? reader.readBytes(limit: PublicKey.maximumBlobBytes)
        else { return nil }
        guard blob == key.blob, PublicKeyAlgorithm(name: algorithm)?.keyType == key.type else {
            return nil
        }
        var hostKey: PublicKey?
        switch method {
        case "publickey": break
        case "publickey-hostbound-v00@openssh.com":
            guard let hostBlob = try? reader.readBytes(limit: PublicKey.maximumBlobBytes),
                let key = try? PublicKey(blob: hostBlob)
            else { return nil }
            hostKey = key
        default: return nil
        }
        guard reader.isAtEnd else { return nil }
        return Login(sessionIdentifier: identifier, user: user, hostKey: hostKey)
    }

    private static func isFileSignature(_ data: RawSpan) -> Bool {
        var reader = WireReader(data)
        guard let magic = try? reader.readFixed(6),
            magic.elementsEqual(Array("SSHSIG".utf8).rawBytes)
        else { return false }
        // Namespace, reserved, hash algorithm, hash.
        for _ in 0..<4 where (try? reader.readString()) == nil { return false }
        return reader.isAtEnd
    }
}
