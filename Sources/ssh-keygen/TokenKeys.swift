// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserAgentClient
internal import HawserKeys
internal import HawserSystem
internal import HawserWire

/// The keys of a PKCS#11 library's tokens, through ssh-pkcs11-helper.
struct TokenKeys {
    private let helper: HelperConnection
    let keys: [(key: PublicKey, label: String)]

    /// Leaves the program when the library shows no keys.
    init(library: String) {
        let path: String
        do throws(ProviderLibrary.Unfit) {
            path = try ProviderLibrary.path(of: library, .pkcs11)
        } catch {
            World.error("\(error)")
            World.error("provider \(library) is not a PKCS11 library")
            fatal("cannot read public key from pkcs11")
        }
        do {
            helper = try HelperConnection(Helper.pkcs11, mayAsk: true)
            let request = AgentRequest.addProvider(
                path: path,
                pin: SecretBytes([]),
                KeyConstraints()
            )
            guard case .identities(let found) = try helper.connection.ask(request) else {
                fatal("cannot read public key from pkcs11")
            }
            keys = found.compactMap { held in
                (try? PublicKey(blob: held.keyBlob)).map { ($0, held.comment) }
            }
        } catch {
            fatal("cannot read public key from pkcs11")
        }
        if keys.isEmpty { fatal("cannot read public key from pkcs11") }
    }

    /// A signature blob by a key of the tokens, asking for its PIN.
    func sign(
        _ data: [UInt8],
        with key: PublicKey,
        algorithm: String?
    ) throws(KeyError) -> [UInt8] {
        do {
            return try helper.sign(data, with: key, algorithm: algorithm)
        } catch {
            throw .unsupported(error.description)
        }
    }
}

/// `-D`: the public keys of a library's tokens.
func printTokenKeys(_ arguments: Arguments) -> Int32 {
    let tokens = TokenKeys(library: arguments.tokenLibrary ?? "")
    for (key, label) in tokens.keys {
        if arguments.printsFingerprint {
            let hash = arguments.fingerprintHash ?? .sha256
            let type = key.type.shortName
            World.print("\(key.bits) \(key.fingerprint(hash)) \(type) (PKCS11 key)")
        } else {
            World.print(key.text + (label.isEmpty ? "" : " " + printed(label)))
        }
    }
    return 0
}
