// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// One library, its tokens, and the keys that they have shown.
final class Provider {
    private let library: PKCS11Library
    private let path: String
    private var pin: SecretBytes?
    /// Whether the person in front can be asked for a PIN.
    private let mayAsk: Bool
    private let log: Log
    private var keys: [(key: PublicKey, entry: PKCS11Library.Entry)] = []

    init(
        path: String,
        pin: SecretBytes,
        mayAsk: Bool,
        log: Log
    ) throws(PKCS11Library.Failure) {
        library = try PKCS11Library(path: path)
        self.path = path
        self.pin = pin.isEmpty ? nil : pin
        self.mayAsk = mayAsk
        self.log = log
        if !pin.isEmpty {
            for token in 0..<library.tokenCount where library.needsLogin(token: token) {
                try library.logIn(token: token, pin: pin)
            }
        }
        readKeys()
    }

    /// The keys with their labels, as an agent lists them.
    var identities: [AgentReply.Identity] {
        keys.map { .init(keyBlob: $0.key.blob, commentBytes: $0.entry.label) }
    }

    private func readKeys() {
        for entry in library.entries() {
            do {
                let key = try publicKey(entry)
                // A certificate and a bare key of one identifier are the same key.
                guard !keys.contains(where: { $0.key == key }) else { continue }
                guard keys.count < AgentReply.maximumKeys else { return }
                keys.append((key, entry))
            } catch {
                log.debug("a key of \(path) is not used: \(error)")
            }
        }
    }

    private func publicKey(_ entry: PKCS11Library.Entry) throws(KeyError) -> PublicKey {
        switch entry.object {
        case .rsa(let modulus, let exponent):
            try TokenKey.rsa(modulus: modulus, exponent: exponent)
        case .ecdsa(let parameters, let point):
            try TokenKey.ecdsa(parameters: parameters, point: point)
        case .edwards(let parameters, let point):
            try TokenKey.ed25519(parameters: parameters, point: point)
        case .certificate(let bytes): try TokenKey.certified(by: bytes)
        }
    }

    /// What the token gives for `input` by one of the keys, see `TokenKey.Pending`; nil when there is
    /// no such key or it does not sign.
    func sign(_ input: [UInt8], keyBlob: [UInt8]) -> [UInt8]? {
        guard let (key, entry) = keys.first(where: { $0.key.blob == keyBlob }),
            let kind = TokenKey.mechanism(of: key)
        else { return nil }
        let mechanism: PKCS11Library.Mechanism =
            switch kind {
            case .rsa: .rsa
            case .ecdsa: .ecdsa
            case .eddsa: .eddsa
            }
        do {
            return TokenKey.helperAnswer(try value(entry, mechanism, input), key: key)
        } catch {
            log.error("\(error)")
            return nil
        }
    }

    private func value(
        _ entry: PKCS11Library.Entry,
        _ mechanism: PKCS11Library.Mechanism,
        _ input: [UInt8]
    ) throws -> [UInt8] {
        if library.needsLogin(token: entry.token) { try logIn(entry.token) }
        do {
            return try library.sign(entry, mechanism, input, pin: pin)
        } catch PKCS11Library.Failure.pinNeeded {
            try logIn(entry.token)
            return try library.sign(entry, mechanism, input, pin: pin)
        }
    }

    private func logIn(_ token: Int) throws {
        if pin == nil, mayAsk {
            let label = library.label(ofToken: token).visible
            pin = Prompts.ask("Enter PIN for '\(label)': ")
        }
        guard let known = pin, !known.isEmpty else { throw PKCS11Library.Failure.pinNeeded }
        do {
            try library.logIn(token: token, pin: known)
        } catch {
            // A wrong PIN is not tried again by itself: three of them lock a card.
            pin = nil
            throw error
        }
    }
}
