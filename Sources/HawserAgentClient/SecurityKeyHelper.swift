// SPDX-License-Identifier: Apache-2.0

package import HawserAgent
package import HawserKeys
internal import HawserSystem
package import HawserWire

/// FIDO tokens through ssh-sk-helper. Each call starts a helper and waits for it, as long as it takes
/// to touch the token.
package struct SecurityKeyHelper {
    /// The middleware library, or `internal` for our own.
    package let provider: String
    /// Chooses among several tokens.
    package let device: String?

    package init(provider: String, device: String? = nil) {
        // A name without a directory is looked up where the caller stands, never in library paths.
        self.provider =
            provider.contains("/") ? Files.canonical(provider) ?? provider : provider
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
        guard let helper = try? Helper.start(Helper.securityKey) else { throw .general }
        defer {
            Descriptor.close(helper.descriptor)
            _ = Child.wait(helper.pid)
        }
        var frame = request.frame(provider: provider, pin: pin, device: device)
        defer { frame.wipe() }
        guard Descriptor.writeAll(helper.descriptor, frame),
            let message = Descriptor.readMessage(
                helper.descriptor,
                limitBytes: SecurityKeyReply.maximumBytes
            ),
            let reply = try? SecurityKeyReply(message.rawBytes)
        else { throw .general }
        if case .failure(let failure) = reply { throw failure }
        return reply
    }
}
