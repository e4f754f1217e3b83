// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
package import HawserKeys
package import HawserLog
package import HawserWire

extension PrivateKey {
    /// The signature blob over `message`, as `sign(_:algorithm:)`, for keys in FIDO tokens too.
    ///
    /// - Parameters:
    ///   - provider: the middleware of security keys, or `internal`.
    ///   - announceTouch: called before the token waits to be touched.
    ///   - askPIN: the token's PIN, or nil when there is nobody to ask.
    package func sign(
        _ message: [UInt8],
        algorithm: String? = nil,
        provider: String,
        log: Log = .none,
        announceTouch: () -> Void,
        askPIN: () -> SecretBytes?
    ) throws(KeyError) -> [UInt8] {
        guard let parts = tokenParts else {
            return try sign(message.rawBytes, algorithm: algorithm)
        }
        let helper = SecurityKeyHelper(provider: provider, log: log)
        var pin: SecretBytes?
        if parts.flags & SecurityKey.Flag.userVerification != 0 { pin = askPIN() }
        if parts.flags & SecurityKey.Flag.userPresence != 0 { announceTouch() }
        do {
            return try helper.sign(message, with: self, pin: pin)
        } catch {
            guard error == .pinRequired, pin == nil, let answer = askPIN(), !answer.isEmpty else {
                throw .unsupported(error.description)
            }
            pin = answer
        }
        do {
            return try helper.sign(message, with: self, pin: pin)
        } catch {
            throw .unsupported(error.description)
        }
    }
}
