// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// What both sides have said before a key exchange method begins.
struct ExchangeContext {
    var clientIdentification: [UInt8]
    var serverIdentification: [UInt8]
    /// Payloads of both SSH_MSG_KEXINIT.
    var clientKexInit: [UInt8]
    var serverKexInit: [UInt8]
}

/// `H` (RFC 4253 §8, RFC 4419 §3, RFC 5656 §4).
enum ExchangeHash {
    /// `values` is what the method adds between the host key and the secret, as it is written.
    static func compute(
        _ hash: HashAlgorithm,
        _ context: ExchangeContext,
        hostKey: [UInt8],
        values: [UInt8],
        secret: SharedSecret
    ) -> [UInt8] {
        var writer = WireWriter(reserving: 4096)
        writer.write(string: context.clientIdentification)
        writer.write(string: context.serverIdentification)
        writer.write(string: context.clientKexInit)
        writer.write(string: context.serverKexInit)
        writer.write(string: hostKey)
        writer.write(fixed: values)
        var hasher = Hasher(hash)
        hasher.update(writer.bytes)
        hasher.update(secret.encoded.bytes)
        return hasher.finalize()
    }
}

/// Keys from the secret (RFC 4253 §7.2).
struct KeyDerivation {
    let hash: HashAlgorithm
    let secret: SharedSecret
    let exchangeHash: [UInt8]
    let sessionIdentifier: [UInt8]

    /// `bytes` bytes for the letter `A` to `F`.
    func key(_ letter: Character, bytes: Int) -> SecretBytes {
        var result: [UInt8] = []
        while result.count < bytes {
            var hasher = Hasher(hash)
            hasher.update(secret.encoded.bytes)
            hasher.update(exchangeHash)
            if result.isEmpty {
                hasher.update([letter.asciiValue ?? 0])
                hasher.update(sessionIdentifier)
            } else {
                hasher.update(result)
            }
            result += hasher.finalize()
        }
        defer { result.wipe() }
        return SecretBytes(Array(result[0..<bytes]))
    }

    /// The protection of one direction.
    func state(_ direction: Negotiated.Direction, toServer: Bool) -> PacketCipherState {
        let cipher = direction.cipher
        return PacketCipherState(
            cipher: cipher,
            mac: direction.mac,
            key: key(toServer ? "C" : "D", bytes: cipher.keyBytes),
            iv: key(toServer ? "A" : "B", bytes: cipher.ivBytes).exposed,
            macKey: key(toServer ? "E" : "F", bytes: direction.mac?.keyBytes ?? 0)
        )
    }
}
