// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserAgentClient
internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// `PKCS11Provider`: keys of the tokens behind a library, which ssh-pkcs11-helper opens. The helper
/// asks for PINs, at the first signature that needs one.
final class TokenIdentities {
    private let helper: HelperConnection
    let identities: [Identity]

    /// Nil, said why, when the library shows no keys.
    init?(library: String, mayAsk: Bool, log: Log) {
        let path: String
        do throws(ProviderLibrary.Unfit) {
            path = try ProviderLibrary.path(of: library, .pkcs11)
        } catch {
            log.error("\(error)")
            log.error("provider \(library) is not a PKCS11 library")
            return nil
        }
        do {
            helper = try HelperConnection(Helper.pkcs11, mayAsk: mayAsk)
            let request = AgentRequest.addProvider(
                path: path,
                pin: SecretBytes([]),
                KeyConstraints()
            )
            guard case .identities(let found) = try helper.connection.ask(request) else {
                log.error("provider \(path) could not be used")
                return nil
            }
            identities = found.compactMap { held in
                guard let key = try? PublicKey(blob: held.keyBlob) else { return nil }
                let label = held.commentBytes.isEmpty ? path : held.comment.visible
                return Identity(publicKey: key, name: label, isExplicit: true, isInToken: true)
            }
            log.debug("provider \(path): \(identities.count) keys")
        } catch {
            log.error("provider \(path): \(error)")
            return nil
        }
    }

    func sign(
        _ data: [UInt8],
        with key: PublicKey,
        algorithm: String
    ) throws(AgentConnection.Failure) -> [UInt8] {
        try helper.sign(data, with: key, algorithm: algorithm)
    }
}
