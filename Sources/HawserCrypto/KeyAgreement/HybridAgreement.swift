// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
internal import HawserWire

/// A key encapsulation and a curve together, their secrets hashed into one
/// (draft-ietf-sshm-mlkem-hybrid-kex §2; draft-ietf-sshm-ntruprime-ssh §3).
final class HybridAgreement<Encapsulation: KeyEncapsulation>: KeyAgreementInitiator {
    private let encapsulation: Encapsulation
    private let classical: any ClassicalAgreement
    private let hash: HashAlgorithm

    init(
        _ encapsulation: Encapsulation,
        _ classical: any ClassicalAgreement,
        _ hash: HashAlgorithm
    ) {
        self.encapsulation = encapsulation
        self.classical = classical
        self.hash = hash
    }

    var publicValue: [UInt8] { encapsulation.publicKey + classical.publicValue }

    func finish(_ peer: [UInt8]) throws(CryptoError) -> SharedSecret {
        let split = Encapsulation.ciphertextBytes
        guard peer.count > split else { throw .badParameter("hybrid reply is too short") }
        let first = try encapsulation.decapsulate(Array(peer[0..<split]))
        let second = try classical.agree(Array(peer[split...]))
        return Self.combine(first, second, hash)
    }

    static func respond(
        to value: [UInt8],
        _ kind: Encapsulation.Type,
        _ classical: any ClassicalAgreement,
        _ hash: HashAlgorithm,
        _ random: any RandomSource
    ) throws(CryptoError) -> (reply: [UInt8], secret: SharedSecret) {
        let split = Encapsulation.publicKeyBytes
        guard value.count > split else { throw .badParameter("hybrid value is too short") }
        let sealed = try Encapsulation.encapsulate(Array(value[0..<split]), random)
        let second = try classical.agree(Array(value[split...]))
        return (
            sealed.ciphertext + classical.publicValue, combine(sealed.sharedKey, second, hash)
        )
    }

    private static func combine(
        _ first: SecretBytes,
        _ second: SecretBytes,
        _ hash: HashAlgorithm
    ) -> SharedSecret {
        var hasher = Hasher(hash)
        hasher.update(first.bytes)
        hasher.update(second.bytes)
        return SharedSecret(string: hasher.finalize())
    }
}

/// A key pair of a key encapsulation mechanism.
protocol KeyEncapsulation {
    static var publicKeyBytes: Int { get }
    static var ciphertextBytes: Int { get }
    var publicKey: [UInt8] { get }
    func decapsulate(_ ciphertext: [UInt8]) throws(CryptoError) -> SecretBytes
    static func encapsulate(
        _ publicKey: [UInt8],
        _ random: any RandomSource
    ) throws(CryptoError) -> (ciphertext: [UInt8], sharedKey: SecretBytes)
}

/// A key pair of sntrup761.
struct SNTRUP761Pair: KeyEncapsulation {
    static var publicKeyBytes: Int { SNTRUP761.publicKeyBytes }
    static var ciphertextBytes: Int { SNTRUP761.ciphertextBytes }
    let publicKey: [UInt8]
    private let secretKey: SecretBytes

    init(_ random: any RandomSource) {
        (publicKey, secretKey) = SNTRUP761.generate(random)
    }

    func decapsulate(_ ciphertext: [UInt8]) throws(CryptoError) -> SecretBytes {
        try SNTRUP761.decapsulate(ciphertext, secretKey: secretKey)
    }

    static func encapsulate(
        _ publicKey: [UInt8],
        _ random: any RandomSource
    ) throws(CryptoError) -> (ciphertext: [UInt8], sharedKey: SecretBytes) {
        try SNTRUP761.encapsulate(publicKey: publicKey, random)
    }
}

/// A key pair of ML-KEM-768 (FIPS 203). Its random bytes are BoringSSL's own.
struct MLKEM768Pair: KeyEncapsulation {
    static var publicKeyBytes: Int { 1184 }
    static var ciphertextBytes: Int { 1088 }
    let publicKey: [UInt8]
    private let privateKey: PrivateKey

    /// Kept behind a reference so that it is wiped once.
    private final class PrivateKey {
        var value = MLKEM768_private_key()

        deinit {
            // SAFETY: the size of the value itself.
            unsafe CCryptoBoringSSL_OPENSSL_cleanse(
                &value,
                MemoryLayout<MLKEM768_private_key>.size
            )
        }
    }

    init() {
        let key = PrivateKey()
        var encoded = [UInt8](repeating: 0, count: Self.publicKeyBytes)
        // SAFETY: writes 1184 bytes and the private key; no seed is wanted.
        unsafe CCryptoBoringSSL_MLKEM768_generate_key(&encoded, nil, &key.value)
        publicKey = encoded
        privateKey = key
    }

    func decapsulate(_ ciphertext: [UInt8]) throws(CryptoError) -> SecretBytes {
        var shared = [UInt8](repeating: 0, count: 32)
        // SAFETY: reads the ciphertext, writes 32 bytes.
        guard
            unsafe CCryptoBoringSSL_MLKEM768_decap(
                &shared,
                ciphertext,
                ciphertext.count,
                &privateKey.value
            ) == 1
        else { throw .badParameter("ML-KEM-768 ciphertext of \(ciphertext.count) bytes") }
        return SecretBytes(shared)
    }

    static func encapsulate(
        _ publicKey: [UInt8],
        _ random: any RandomSource
    ) throws(CryptoError) -> (ciphertext: [UInt8], sharedKey: SecretBytes) {
        var parsed = MLKEM768_public_key()
        let readable = unsafe publicKey.withUnsafeBufferPointer { buffer in
            // SAFETY: reads `count` bytes; the encoding is checked (FIPS 203 §7.2).
            var reader = unsafe CBS()
            unsafe CCryptoBoringSSL_CBS_init(&reader, buffer.baseAddress, buffer.count)
            return unsafe CCryptoBoringSSL_MLKEM768_parse_public_key(&parsed, &reader) == 1
                && CCryptoBoringSSL_CBS_len(&reader) == 0
        }
        guard readable else { throw .badParameter("ML-KEM-768 public key") }
        var ciphertext = [UInt8](repeating: 0, count: ciphertextBytes)
        var shared = [UInt8](repeating: 0, count: 32)
        // SAFETY: writes 1088 and 32 bytes.
        unsafe CCryptoBoringSSL_MLKEM768_encap(&ciphertext, &shared, &parsed)
        return (ciphertext, SecretBytes(shared))
    }
}
