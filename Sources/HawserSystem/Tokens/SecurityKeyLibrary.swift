// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
package import HawserWire

/// A middleware library for security keys, opened in this process (PROTOCOL.u2f).
///
/// Such libraries are foreign code: only ssh-sk-helper opens one.
@safe
package final class SecurityKeyLibrary {
    /// The interface's error numbers are negative; -100 says that there is no such library.
    package struct Failure: Error, Sendable {
        package let number: Int32

        package static let noProvider = Failure(number: -100)
    }

    package struct Signed: Sendable {
        package let first: [UInt8]
        package let second: [UInt8]
        package let flags: UInt8
        package let counter: UInt32
    }

    package struct Enrolled: Sendable {
        package let flags: UInt8
        package let publicKey: [UInt8]
        package let handle: SecretBytes
        package let signature: [UInt8]
        package let attestationCertificate: [UInt8]
        package let authenticatorData: [UInt8]
    }

    package struct Resident: Sendable {
        package let algorithm: UInt32
        package let application: [UInt8]
        package let flags: UInt8
        package let user: [UInt8]
        package let key: Enrolled
    }

    private let enrollFunction: UnsafeMutableRawPointer
    private let signFunction: UnsafeMutableRawPointer
    private let residentFunction: UnsafeMutableRawPointer

    /// Opens the library at a path. C: `dlopen`.
    package init(path: String) throws(Failure) {
        // SAFETY: the library stays open as long as the process lives.
        guard let library = unsafe path.withCOctets({ unsafe dlopen($0, RTLD_NOW) }),
            let version = unsafe dlsym(library, "sk_api_version"),
            unsafe hawser_sk_version(version) & Self.majorMask == Self.major,
            let enroll = unsafe dlsym(library, "sk_enroll"),
            let sign = unsafe dlsym(library, "sk_sign"),
            let resident = unsafe dlsym(library, "sk_load_resident_keys")
        else { throw .noProvider }
        unsafe enrollFunction = enroll
        unsafe signFunction = sign
        unsafe residentFunction = resident
    }

    private static let major: UInt32 = 0x000a_0000
    private static let majorMask: UInt32 = 0xffff_0000

    package func sign(
        algorithm: UInt32,
        data: [UInt8],
        application: [UInt8],
        handle: SecretBytes,
        flags: UInt8,
        pin: SecretBytes?,
        device: String?
    ) throws(Failure) -> Signed {
        var answer: UnsafeMutablePointer<hawser_sk_signed>?
        let status = unsafe Self.lending(application, pin, [("device", device)]) {
            application,
            pin,
            options in
            unsafe handle.bytes.withUnsafeBytes { handle in
                // SAFETY: everything lent lives to the end of the call; the answer is the
                // library's, read below.
                unsafe hawser_sk_sign(
                    signFunction,
                    algorithm,
                    data,
                    data.count,
                    application,
                    handle.bindMemory(to: UInt8.self).baseAddress,
                    handle.count,
                    flags,
                    pin,
                    options,
                    &answer
                )
            }
        }
        guard status == 0, let answer = unsafe answer else { throw Failure(number: status) }
        defer { unsafe free(answer) }
        let signed = unsafe answer.pointee
        return unsafe Signed(
            first: Self.copy(signed.first, signed.first_bytes),
            second: Self.copy(signed.second, signed.second_bytes),
            flags: signed.flags,
            counter: signed.counter
        )
    }

    package func enroll(
        algorithm: UInt32,
        challenge: [UInt8],
        application: String,
        flags: UInt8,
        pin: SecretBytes?,
        device: String?,
        user: String?
    ) throws(Failure) -> Enrolled {
        var answer: UnsafeMutablePointer<hawser_sk_enrolled>?
        let options = [("device", device), ("user", user)]
        let status = unsafe Self.lending(application.octets, pin, options) {
            application,
            pin,
            options in
            // SAFETY: as in `sign`.
            unsafe hawser_sk_enroll(
                enrollFunction,
                algorithm,
                challenge,
                challenge.count,
                application,
                flags,
                pin,
                options,
                &answer
            )
        }
        guard status == 0, let answer = unsafe answer else { throw Failure(number: status) }
        defer { unsafe free(answer) }
        return unsafe Self.enrolled(answer.pointee)
    }

    package func residentKeys(pin: SecretBytes?, device: String?) throws(Failure) -> [Resident] {
        var list: UnsafeMutablePointer<UnsafeMutablePointer<hawser_sk_resident>?>?
        var count = 0
        let status = unsafe Self.lending([], pin, [("device", device)]) { _, pin, options in
            // SAFETY: as in `sign`.
            unsafe hawser_sk_load_resident(residentFunction, pin, options, &list, &count)
        }
        guard status == 0 else { throw Failure(number: status) }
        guard let list = unsafe list, count > 0, count <= Self.maximumResidentKeys else {
            return []
        }
        defer { unsafe free(list) }
        return (0..<count).compactMap { index in
            guard let entry = unsafe list[index] else { return nil }
            defer { unsafe free(entry) }
            let found = unsafe entry.pointee
            let application = unsafe found.application.map {
                unsafe Self.copy(
                    UnsafeMutableRawPointer($0).assumingMemoryBound(to: UInt8.self),
                    strlen($0)
                )
            }
            return unsafe Resident(
                algorithm: found.algorithm,
                application: application ?? [],
                flags: found.flags,
                user: Self.copy(found.user, found.user_bytes),
                key: Self.enrolled(found.key)
            )
        }
    }

    private static let maximumResidentKeys = 1024
    private static let maximumBytes = 1 << 20

    private static func enrolled(_ value: hawser_sk_enrolled) -> Enrolled {
        unsafe Enrolled(
            flags: value.flags,
            publicKey: copy(value.public_key, value.public_key_bytes),
            handle: SecretBytes(copy(value.key_handle, value.key_handle_bytes)),
            signature: copy(value.signature, value.signature_bytes),
            attestationCertificate: copy(
                value.attestation_certificate,
                value.attestation_certificate_bytes
            ),
            authenticatorData: copy(value.authenticator_data, value.authenticator_data_bytes)
        )
    }

    /// Copies what the library has allocated, then wipes and frees it.
    private static func copy(_ bytes: UnsafeMutablePointer<UInt8>?, _ count: Int) -> [UInt8] {
        guard let bytes = unsafe bytes else { return [] }
        defer { unsafe free(bytes) }
        guard count > 0, count <= maximumBytes else { return [] }
        // SAFETY: the library says that so many bytes are there.
        let copy = unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
        unsafe memset(bytes, 0, count)
        return copy
    }

    /// Lends the strings that every call takes, each ended by a zero; options without a value are
    /// left out.
    private static func lending(
        _ application: [UInt8],
        _ pin: SecretBytes?,
        _ options: [(name: String, value: String?)],
        _ call: (
            UnsafePointer<CChar>, UnsafePointer<CChar>?,
            UnsafeMutablePointer<UnsafeMutablePointer<hawser_sk_option>?>
        ) -> Int32
    ) -> Int32 {
        let applicationText = application.map { CChar(bitPattern: $0) } + [0]
        var pinText = (pin?.exposed ?? []).map { CChar(bitPattern: $0) } + [0]
        defer { for index in pinText.indices { pinText[index] = 0 } }
        var entries = unsafe [UnsafeMutablePointer<hawser_sk_option>?]()
        for (name, value) in options {
            guard let value else { continue }
            let entry = UnsafeMutablePointer<hawser_sk_option>.allocate(capacity: 1)
            unsafe entry.initialize(
                to: hawser_sk_option(
                    name: strdup(name),
                    value: value.withCOctets { unsafe strdup($0) },
                    is_required: 0
                )
            )
            unsafe entries.append(entry)
        }
        unsafe entries.append(nil)
        defer {
            for index in unsafe entries.indices {
                guard let entry = unsafe entries[index] else { continue }
                unsafe free(UnsafeMutablePointer(mutating: entry.pointee.name))
                unsafe free(UnsafeMutablePointer(mutating: entry.pointee.value))
                unsafe entry.deallocate()
            }
        }
        return unsafe entries.withUnsafeMutableBufferPointer { list in
            guard let start = list.baseAddress else { return -1 }
            return unsafe applicationText.withUnsafeBufferPointer { application in
                guard let application = application.baseAddress else { return -1 }
                return unsafe pinText.withUnsafeBufferPointer { text in
                    // SAFETY: all of them end with a zero or nil and live to the call's end.
                    unsafe call(application, pin == nil ? nil : text.baseAddress, start)
                }
            }
        }
    }
}
