// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool

/// The client's part of `gssapi-with-mic` (RFC 4462 §3): which mechanisms are left to try, and the
/// security context with the server. The library is opened by the first attempt.
final class GSSAPIAttempts {
    private let settings: ClientSettings
    private let log: Log
    private let library: GSSLibrary?
    private var mechanisms: [[UInt8]]
    private var initiator: GSSInitiator?
    /// The token that the context began with, until the server has chosen the mechanism.
    private var firstToken: [UInt8] = []
    private var isEstablished = false

    init(_ settings: ClientSettings, log: Log) {
        self.settings = settings
        self.log = log
        library = GSSLibrary()
        mechanisms = library?.mechanisms() ?? []
        if library == nil {
            log.error(
                "Unsupported option \"gssapiauthentication\": "
                    + "\(GSSLibrary.fileName) is not installed"
            )
        }
    }

    var isExhausted: Bool { mechanisms.isEmpty }

    /// The next mechanism that the user has credentials of for this server; nil when there is none,
    /// which is no mistake.
    func next() -> GSSMechanism? {
        guard let library else { return nil }
        while !mechanisms.isEmpty {
            let mechanism = mechanisms.removeFirst()
            let initiator = GSSInitiator(
                library,
                mechanism: mechanism,
                host: settings.host,
                delegates: settings.options.gssapiDelegateCredentials == true
            )
            self.initiator = initiator
            do throws(GSSError) {
                (firstToken, isEstablished) = try initiator.step([])
                return GSSMechanism(identifier: mechanism)
            } catch { explain(error) }
        }
        initiator = nil
        return nil
    }

    /// What the server says. False when the attempt is over and another has to follow.
    func receive(_ answer: GSSAPIAnswer, on connection: inout ClientConnection) -> Bool {
        guard let initiator else { return false }
        switch answer {
        case .mechanism:
            noteDelegation()
            return send(firstToken, initiator, on: &connection)
        case .token(let token):
            noteDelegation()
            do throws(GSSError) {
                let answer: [UInt8]
                (answer, isEstablished) = try initiator.step(token)
                return send(answer, initiator, on: &connection)
            } catch {
                explain(error)
                if !error.token.isEmpty { connection.sendGSSAPIErrorToken(error.token) }
                return false
            }
        case .errorToken(let token):
            // It holds the reason, which only the mechanism can read.
            do throws(GSSError) { _ = try initiator.step(token) } catch { explain(error) }
            return true
        case .error(let message):
            log.debug("Server GSSAPI Error:\n\(message.message.visible)")
            return true
        }
    }

    private func send(
        _ token: [UInt8],
        _ initiator: GSSInitiator,
        on connection: inout ClientConnection
    ) -> Bool {
        if !token.isEmpty { connection.sendGSSAPIToken(token, isLast: isEstablished) }
        guard isEstablished else { return !token.isEmpty }
        do throws(GSSError) {
            let code = try initiator.code(for: connection.gssapiSignedData)
            connection.provideGSSAPICode(code)
            return true
        } catch {
            explain(error)
            return false
        }
    }

    private func noteDelegation() {
        if settings.options.gssapiDelegateCredentials == true {
            log.debug("Delegating credentials")
        }
    }

    private func explain(_ error: GSSError) {
        log.debug(error.texts.map { $0.visible + "\n" }.joined() + "\n")
    }
}
