// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// Carries a request out with a middleware library, or with our own.
struct Middleware {
    enum Library {
        case foreign(SecurityKeyLibrary)
        case own(FIDO2Library)
    }

    let provider: String
    let library: Library
    let pin: SecretBytes?
    let device: String?
    let log: Log

    func answer(_ request: SecurityKeyRequest) -> SecurityKeyReply {
        do {
            switch request {
            case .sign(let key, let data): return try sign(data, with: key)
            case .enroll(let wanted): return try enroll(wanted)
            case .loadResident: return try residentKeys()
            }
        } catch let failure as SecurityKeyLibrary.Failure {
            let text = "Provider \"\(provider)\" returned failure \(failure.number)"
            if case .loadResident = request { log.error(text) } else { log.debug(text) }
            return .failure(SecurityKeyReply.Failure(middleware: failure.number))
        } catch {
            log.error("\(error)")
            return .failure(.invalidFormat)
        }
    }

    private func sign(_ data: [UInt8], with key: PrivateKey) throws -> SecurityKeyReply {
        guard let parts = key.tokenParts else { return .failure(.unsupported) }
        log.debug(
            "provider \"\(provider)\", key \(key.type.shortName), flags \(hex(parts.flags))"
                + (pin == nil ? "" : ", with a PIN")
        )
        let blob: [UInt8]
        switch library {
        case .foreign(let library):
            let signed = try library.sign(
                algorithm: parts.algorithm.rawValue,
                data: data,
                application: parts.application,
                handle: parts.handle,
                flags: parts.flags,
                pin: pin,
                device: device
            )
            blob = try SecurityKey.signature(
                parts.algorithm,
                first: signed.first,
                second: signed.second,
                flags: signed.flags,
                counter: signed.counter
            )
        case .own(let library):
            let signed = try library.sign(
                data: data,
                application: parts.application,
                handle: parts.handle,
                flags: parts.flags,
                pin: pin,
                device: device
            )
            let isCurve = parts.algorithm == .ecdsa
            let numbers =
                try isCurve
                ? SecurityKey.ecdsaNumbers(signed.signature) : (r: signed.signature, s: [])
            blob = try SecurityKey.signature(
                parts.algorithm,
                first: numbers.r,
                second: numbers.s,
                flags: signed.flags,
                counter: signed.counter
            )
        }
        // A middleware that signs wrongly is found out here, not by a server.
        try key.publicKey.verify(
            signature: blob,
            over: data.rawBytes,
            requiringUserPresence: false
        )
        return .signature(blob)
    }

    private func enroll(_ wanted: SecurityKeyRequest.Enrollment) throws -> SecurityKeyReply {
        log.debug(
            "provider \"\(provider)\", device \"\(device ?? "(none)")\", application "
                + "\"\(wanted.application)\", user \"\(wanted.user)\", flags \(hex(wanted.flags)), "
                + "challenge of \(wanted.challenge.count) bytes\(pin == nil ? "" : ", with a PIN")"
        )
        if wanted.challenge.isEmpty { log.debug("using a random challenge") }
        let challenge = wanted.challenge.isEmpty ? SystemRandom().bytes(32) : wanted.challenge
        let user = wanted.user.isEmpty ? nil : wanted.user
        let enrolled: SecurityKeyLibrary.Enrolled =
            switch library {
            case .foreign(let library):
                try library.enroll(
                    algorithm: wanted.algorithm.rawValue,
                    challenge: challenge,
                    application: wanted.application,
                    flags: wanted.flags,
                    pin: pin,
                    device: device,
                    user: user
                )
            case .own(let library):
                try library.enroll(
                    algorithm: wanted.algorithm.rawValue,
                    challenge: challenge,
                    application: wanted.application,
                    flags: wanted.flags,
                    pin: pin,
                    device: device,
                    user: user
                )
            }
        let key = try SecurityKey.key(
            wanted.algorithm,
            publicKey: enrolled.publicKey,
            application: wanted.application.octets,
            flags: enrolled.flags,
            handle: enrolled.handle
        )
        return .enrolled(
            SecurityKeyReply.Enrolled(
                key: key,
                attestation: Self.attestation(
                    certificate: enrolled.attestationCertificate,
                    signature: enrolled.signature,
                    authenticatorData: enrolled.authenticatorData
                )
            )
        )
    }

    /// PROTOCOL.u2f, "ssh-sk-attest-v01".
    private static func attestation(
        certificate: [UInt8],
        signature: [UInt8],
        authenticatorData: [UInt8]
    ) -> [UInt8] {
        var writer = WireWriter()
        writer.write(text: "ssh-sk-attest-v01")
        writer.write(string: certificate)
        writer.write(string: signature)
        writer.write(string: authenticatorData)
        writer.write(uint32: 0)
        writer.write(string: [])
        return writer.take()
    }

    private func hex(_ flags: UInt8) -> String {
        (flags < 16 ? "0x0" : "0x") + String(flags, radix: 16)
    }

    private func residentKeys() throws -> SecurityKeyReply {
        log.debug("provider \"\(provider)\"\(pin == nil ? "" : ", with a PIN")")
        var keys: [SecurityKeyReply.Resident] = []
        let all: [SecurityKeyLibrary.Resident] =
            switch library {
            case .foreign(let library): try library.residentKeys(pin: pin, device: device)
            case .own(let library): try library.residentKeys(pin: pin, device: device)
            }
        for found in all {
            guard let algorithm = SecurityKey.Algorithm(rawValue: found.algorithm) else { continue }
            let key = try? SecurityKey.key(
                algorithm,
                publicKey: found.key.publicKey,
                application: found.application,
                // A key that asked for a PIN will ask again.
                flags: SecurityKey.Flag.userPresence | SecurityKey.Flag.residentKey
                    | (found.flags & SecurityKey.Flag.userVerification),
                handle: found.key.handle
            )
            guard let key else { continue }
            log.debug(
                "key \(keys.count) \(key.type.shortName) "
                    + String(octets: found.application).visible
            )
            keys.append(SecurityKeyReply.Resident(key: key, user: found.user))
        }
        return .resident(keys)
    }
}
