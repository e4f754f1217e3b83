// SPDX-License-Identifier: Apache-2.0

package import HawserAgent
package import HawserKeys
package import HawserLog
internal import HawserSystem
package import HawserWire

/// FIDO tokens through ssh-sk-helper. Each call starts a helper and waits for it, as long as it takes
/// to touch the token.
package struct SecurityKeyHelper {
    /// The middleware library, or `internal` for our own.
    package let provider: String
    /// Chooses among several tokens.
    package let device: String?
    /// Where the steps are described; the helper says as much on the standard error output.
    private let log: Log

    package init(provider: String, device: String? = nil, log: Log = .none) {
        self.log = log
        self.provider = provider
        self.device = device
    }

    /// A signature blob of a key whose private half is in a token.
    package func sign(
        _ data: [UInt8],
        with key: PrivateKey,
        pin: SecretBytes?
    ) throws(SecurityKeyReply.Failure) -> [UInt8] {
        guard case .signature(let blob) = try ask(.sign(key: key, data: data), pin) else {
            throw .general
        }
        return blob
    }

    /// A new key in a token.
    package func enroll(
        _ wanted: SecurityKeyRequest.Enrollment,
        pin: SecretBytes?
    ) throws(SecurityKeyReply.Failure) -> SecurityKeyReply.Enrolled {
        guard case .enrolled(let enrolled) = try ask(.enroll(wanted), pin) else {
            throw .general
        }
        return enrolled
    }

    /// The keys that the tokens keep.
    package func residentKeys(
        pin: SecretBytes?
    ) throws(SecurityKeyReply.Failure) -> [SecurityKeyReply.Resident] {
        guard case .resident(let keys) = try ask(.loadResident, pin) else { throw .general }
        return keys
    }

    private func ask(
        _ request: SecurityKeyRequest,
        _ pin: SecretBytes?
    ) throws(SecurityKeyReply.Failure) -> SecurityKeyReply {
        log.debug("starting \(Helper.path(of: Helper.securityKey))")
        guard let helper = try? Helper.start(Helper.securityKey) else { throw .general }
        defer {
            Descriptor.close(helper.descriptor)
            _ = Child.wait(helper.pid)
        }
        let setting = SecurityKeyRequest.Setting(
            provider: provider,
            pin: pin,
            device: device,
            logLevel: log.sink == nil ? nil : UInt32(log.level.rawValue)
        )
        var frame = request.frame(setting)
        defer { frame.wipe() }
        guard Descriptor.writeAll(helper.descriptor, frame),
            let message = Descriptor.readMessage(
                helper.descriptor,
                limitBytes: SecurityKeyReply.maximumBytes
            ),
            let reply = try? SecurityKeyReply(message.rawBytes)
        else { throw .invalidFormat }
        if case .failure(let failure) = reply {
            log.debug("the helper answered: \(failure)")
            throw failure
        }
        return reply
    }
}
