// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
package import HawserWire

/// FIDO tokens on USB through the system's libfido2, opened at run time: our own middleware.
/// Functions are those of the manual pages fido_dev_open(3), fido_assert_new(3), fido_cred_new(3)
/// and fido_credman_metadata_new(3).
@safe
package final class FIDO2Library {
    package typealias Failure = SecurityKeyLibrary.Failure

    /// A signature as the token gives it: X9.62 for ECDSA, 64 bytes for Ed25519.
    package struct Signed: Sendable {
        package let signature: [UInt8]
        package let flags: UInt8
        package let counter: UInt32
    }

    private let library: DynamicLibrary

    /// Nil when there is no libfido2 on this machine, or an old one.
    package init?() {
        guard let library = DynamicLibrary("libfido2.so.1"),
            library.has("fido_assert_set_clientdata")
        else { return nil }
        self.library = library
        typealias Initialise = @convention(c) (Int32) -> Void
        function("fido_init", Initialise.self)?(0)
    }

    /// A function of the library by its name and its type in the manual page.
    private func function<Function>(_ name: String, _ type: Function.Type) -> Function? {
        library.function(name, type)
    }

    // Shapes of functions that many have.
    private typealias Make = @convention(c) () -> OpaquePointer?
    private typealias Free = @convention(c) (UnsafeMutablePointer<OpaquePointer?>) -> Void
    private typealias SetBytes =
        @convention(c) (OpaquePointer, UnsafePointer<UInt8>?, Int) -> Int32
    private typealias SetText = @convention(c) (OpaquePointer, UnsafePointer<CChar>?) -> Int32
    private typealias SetNumber = @convention(c) (OpaquePointer, Int32) -> Int32
    private typealias BytesOf = @convention(c) (OpaquePointer) -> UnsafePointer<UInt8>?
    private typealias CountOf = @convention(c) (OpaquePointer) -> Int
    private typealias BytesAt = @convention(c) (OpaquePointer, Int) -> UnsafePointer<UInt8>?
    private typealias CountAt = @convention(c) (OpaquePointer, Int) -> Int
    private typealias FlagsAt = @convention(c) (OpaquePointer, Int) -> UInt8
    private typealias NumberAt = @convention(c) (OpaquePointer, Int) -> UInt32
    private typealias Ask =
        @convention(c) (OpaquePointer, OpaquePointer, UnsafePointer<CChar>?) -> Int32

    // MARK: Objects

    /// An object of the library, freed at the end.
    private func with<Result>(
        _ maker: String,
        _ freer: String,
        _ body: (OpaquePointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard let make = unsafe function(maker, Make.self),
            let free = unsafe function(freer, Free.self),
            var object = unsafe Optional(make()), unsafe object != nil
        else { throw Failure(number: -1) }
        defer { unsafe free(&object) }
        guard let made = unsafe object else { throw Failure(number: -1) }
        return try unsafe body(made)
    }

    private func check(_ status: Int32?) throws(Failure) {
        guard let status else { throw Failure(number: -1) }
        switch status {
        case 0: return
        // CTAP 2 §6.3: PIN required, invalid, authentication invalid, blocked; UV blocked, invalid.
        case 0x31, 0x33, 0x34, 0x36, 0x3c, 0x3f: throw Failure(number: -3)
        case 0x26, 0x2b, 0x2c: throw Failure(number: -2)
        case 0x19: throw Failure(number: -5)
        case 0x2e, 0x22: throw Failure(number: -4)
        default: throw Failure(number: -1)
        }
    }

    private func set(_ name: String, _ object: OpaquePointer, _ bytes: [UInt8]) throws(Failure) {
        // SAFETY: the library copies the bytes.
        try check(unsafe function(name, SetBytes.self)?(object, bytes, bytes.count))
    }

    private func set(_ name: String, _ object: OpaquePointer, _ number: Int32) throws(Failure) {
        try check(unsafe function(name, SetNumber.self)?(object, number))
    }

    private func bytes(_ name: String, of object: OpaquePointer) -> [UInt8] {
        guard let start = unsafe function(name + "_ptr", BytesOf.self)?(object),
            let count = unsafe function(name + "_len", CountOf.self)?(object),
            count > 0, count <= Self.maximumBytes
        else { return [] }
        // SAFETY: the library says that so many bytes are there.
        return unsafe Array(UnsafeBufferPointer(start: start, count: count))
    }

    private static let maximumBytes = 1 << 16
    private static let maximumDevices = 64
    private static let optionFalse: Int32 = 1
    private static let optionTrue: Int32 = 2

    // MARK: Devices

    /// The paths of the tokens that are there.
    private func devicePaths() -> [String] {
        typealias MakeList = @convention(c) (Int) -> OpaquePointer?
        typealias FreeList = @convention(c) (UnsafeMutablePointer<OpaquePointer?>, Int) -> Void
        typealias Fill =
            @convention(c) (OpaquePointer, Int, UnsafeMutablePointer<Int>) -> Int32
        typealias Entry = @convention(c) (OpaquePointer, Int) -> OpaquePointer?
        typealias Path = @convention(c) (OpaquePointer) -> UnsafePointer<CChar>?
        guard let make = unsafe function("fido_dev_info_new", MakeList.self),
            let free = unsafe function("fido_dev_info_free", FreeList.self),
            let fill = unsafe function("fido_dev_info_manifest", Fill.self),
            let entry = unsafe function("fido_dev_info_ptr", Entry.self),
            let path = unsafe function("fido_dev_info_path", Path.self),
            let list = unsafe make(Self.maximumDevices)
        else { return [] }
        var owned: OpaquePointer? = unsafe list
        defer { unsafe free(&owned, Self.maximumDevices) }
        var count = 0
        guard unsafe fill(list, Self.maximumDevices, &count) == 0 else { return [] }
        return (0..<min(count, Self.maximumDevices)).compactMap { index in
            guard let info = unsafe entry(list, index), let text = unsafe path(info) else {
                return nil
            }
            return unsafe String(cOctets: text)
        }
    }

    private func chosenDevice(_ path: String?) throws(Failure) -> String {
        if let path { return path }
        return try touchedDevice()
    }

    /// The token that is there, or the one of several that the user touches: a PIN tried on another
    /// would bring that nearer to being blocked. fido_dev_get_touch_begin(3).
    private func touchedDevice() throws(Failure) -> String {
        let paths = devicePaths()
        guard let first = paths.first else { throw Failure(number: -4) }
        if paths.count == 1 { return first }
        return try unsafe touched(paths[...], begun: [])
    }

    /// Begins with one device after the other, each open until one is touched.
    private func touched(
        _ paths: ArraySlice<String>,
        begun: [(path: String, device: OpaquePointer)]
    ) throws(Failure) -> String {
        typealias Begin = @convention(c) (OpaquePointer) -> Int32
        typealias Status =
            @convention(c) (OpaquePointer, UnsafeMutablePointer<Int32>, Int32) -> Int32
        guard let path = paths.first else {
            guard let status = unsafe function("fido_dev_get_touch_status", Status.self),
                let cancel = unsafe function("fido_dev_cancel", Begin.self)
            else { throw Failure(number: -1) }
            for _ in 0..<Self.touchPolls {
                for index in unsafe begun.indices {
                    var isTouched: Int32 = 0
                    let one = unsafe begun[index]
                    guard
                        unsafe status(one.device, &isTouched, Self.touchPollMilliseconds) == 0,
                        isTouched != 0
                    else { continue }
                    for other in unsafe begun.indices where other != index {
                        _ = unsafe cancel(begun[other].device)
                    }
                    return unsafe one.path
                }
            }
            throw Failure(number: -1)
        }
        let rest = paths.dropFirst()
        do throws(Failure) {
            return try unsafe withDevice(path) { device throws(Failure) in
                guard unsafe function("fido_dev_get_touch_begin", Begin.self)?(device) == 0 else {
                    throw Failure(number: -4)
                }
                return try unsafe touched(rest, begun: begun + [(path, device)])
            }
        } catch  where error.number == -4 {
            // One that cannot be opened, or is of another kind, is left out.
            if rest.isEmpty, unsafe begun.isEmpty { throw error }
            return try unsafe touched(rest, begun: begun)
        }
    }

    private static let touchPollMilliseconds: Int32 = 50
    /// About fifteen seconds with two tokens.
    private static let touchPolls = 150

    /// Opens one token for `body`.
    private func withDevice<Result>(
        _ path: String,
        _ body: (OpaquePointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        typealias Close = @convention(c) (OpaquePointer) -> Int32
        return try unsafe with("fido_dev_new", "fido_dev_free") { device throws(Failure) in
            guard let open = unsafe function("fido_dev_open", SetText.self),
                unsafe path.withCOctets({ unsafe open(device, $0) }) == 0
            else { throw Failure(number: -4) }
            defer { _ = unsafe function("fido_dev_close", Close.self)?(device) }
            return try unsafe body(device)
        }
    }

    /// Calls `body` with the PIN as C has it, or nil.
    private func lending<Result>(
        _ pin: SecretBytes?,
        _ body: (UnsafePointer<CChar>?) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard let pin else { return try body(nil) }
        var text = pin.exposed.map { CChar(bitPattern: $0) } + [0]
        defer { for index in text.indices { text[index] = 0 } }
        // SAFETY: ends with a zero and lives to the end of the call.
        return try unsafe body(text)
    }

    // MARK: Signatures

    package func sign(
        data: [UInt8],
        application: [UInt8],
        handle: SecretBytes,
        flags: UInt8,
        pin: SecretBytes?,
        device: String?
    ) throws(Failure) -> Signed {
        let paths = device.map { [$0] } ?? devicePaths()
        guard var path = paths.first else { throw Failure(number: -4) }
        if paths.count > 1 {
            // Ask each, without a touch, whether it knows the key.
            let holder = paths.first { path in
                (try? assert(path, data, application, handle, flags: 0, pin: nil)) != nil
            }
            guard let holder else { throw Failure(number: -4) }
            path = holder
        }
        return try assert(path, data, application, handle, flags: flags, pin: pin)
    }

    /// fido_dev_get_assert(3).
    private func assert(
        _ path: String,
        _ data: [UInt8],
        _ application: [UInt8],
        _ handle: SecretBytes,
        flags: UInt8,
        pin: SecretBytes?
    ) throws(Failure) -> Signed {
        try unsafe with("fido_assert_new", "fido_assert_free") { request throws(Failure) in
            try unsafe set("fido_assert_set_clientdata", request, data)
            let name = String(octets: application)
            try check(unsafe function("fido_assert_set_rp", SetText.self)?(request, name))
            var secret = handle.exposed
            defer { secret.wipe() }
            try unsafe set("fido_assert_allow_cred", request, secret)
            let wantsTouch = flags & 1 != 0 ? Self.optionTrue : Self.optionFalse
            try unsafe set("fido_assert_set_up", request, wantsTouch)
            if flags & 4 != 0, pin == nil {
                try unsafe set("fido_assert_set_uv", request, Self.optionTrue)
            }
            try unsafe withDevice(path) { device throws(Failure) in
                try unsafe lending(pin) { pin throws(Failure) in
                    try check(
                        unsafe function("fido_dev_get_assert", Ask.self)?(device, request, pin)
                    )
                }
            }
            guard unsafe function("fido_assert_count", CountOf.self)?(request) == 1,
                let flagsAt = unsafe function("fido_assert_flags", FlagsAt.self),
                let counterAt = unsafe function("fido_assert_sigcount", NumberAt.self),
                let bytesAt = unsafe function("fido_assert_sig_ptr", BytesAt.self),
                let countAt = unsafe function("fido_assert_sig_len", CountAt.self),
                let start = unsafe bytesAt(request, 0)
            else { throw Failure(number: -1) }
            let count = unsafe countAt(request, 0)
            guard count > 0, count <= Self.maximumBytes else { throw Failure(number: -1) }
            return unsafe Signed(
                signature: Array(UnsafeBufferPointer(start: start, count: count)),
                flags: flagsAt(request, 0),
                counter: counterAt(request, 0)
            )
        }
    }

    // MARK: Enrolment

    /// fido_dev_make_cred(3). `algorithm` as the middleware interface numbers them.
    package func enroll(
        algorithm: UInt32,
        challenge: [UInt8],
        application: String,
        flags: UInt8,
        pin: SecretBytes?,
        device: String?,
        user: String?
    ) throws(Failure) -> SecurityKeyLibrary.Enrolled {
        let path = try chosenDevice(device)
        let identifier = Self.identifier(user)
        if flags & 0x20 != 0, flags & 0x10 == 0,
            try holds(path, application, user: identifier, pin: pin)
        {
            throw Failure(number: -5)
        }
        typealias SetUser =
            @convention(c) (
                OpaquePointer, UnsafePointer<UInt8>?, Int, UnsafePointer<CChar>?,
                UnsafePointer<CChar>?, UnsafePointer<CChar>?
            ) -> Int32
        typealias SetTexts =
            @convention(c) (
                OpaquePointer, UnsafePointer<CChar>?, UnsafePointer<CChar>?
            ) -> Int32
        return try unsafe with("fido_cred_new", "fido_cred_free") { key throws(Failure) in
            try unsafe set("fido_cred_set_type", key, Self.coseAlgorithm(algorithm))
            try unsafe set("fido_cred_set_clientdata", key, challenge)
            let isResident = flags & 0x20 != 0
            try unsafe set("fido_cred_set_rk", key, isResident ? Self.optionTrue : 0)
            let setUser = unsafe function("fido_cred_set_user", SetUser.self)
            let name = "openssh"
            // SAFETY: the library copies all of them.
            try check(
                unsafe setUser?(key, identifier, identifier.count, name, name, nil)
            )
            let setRP = unsafe function("fido_cred_set_rp", SetTexts.self)
            try check(unsafe setRP?(key, application, nil))
            try unsafe withDevice(path) { device throws(Failure) in
                typealias Supports = @convention(c) (OpaquePointer) -> Bool
                let canProtect =
                    unsafe function("fido_dev_supports_cred_prot", Supports.self)?(device) ?? false
                if flags & 4 != 0 {
                    // FIDO_CRED_PROT_UV_REQUIRED
                    guard canProtect else { throw Failure(number: -2) }
                    try unsafe set("fido_cred_set_prot", key, 3)
                } else if isResident, canProtect {
                    // FIDO_CRED_PROT_UV_OPTIONAL_WITH_ID
                    try unsafe set("fido_cred_set_prot", key, 2)
                }
                try unsafe lending(pin) { pin throws(Failure) in
                    try check(unsafe function("fido_dev_make_cred", Ask.self)?(device, key, pin))
                }
            }
            return unsafe enrolled(key, algorithm, flags)
        }
    }

    /// The name of a resident key's user as tokens keep it.
    private static func identifier(_ user: String?) -> [UInt8] {
        let bytes = Array((user ?? "").utf8.prefix(32))
        return bytes + [UInt8](repeating: 0, count: 32 - bytes.count)
    }

    /// Whether a token keeps a key of the same application and user. One that answers nothing without
    /// the user's verification counts as one that does not.
    private func holds(
        _ path: String,
        _ application: String,
        user: [UInt8],
        pin: SecretBytes?
    ) throws(Failure) -> Bool {
        try unsafe with("fido_assert_new", "fido_assert_free") { request throws(Failure) in
            try unsafe set("fido_assert_set_clientdata", request, [UInt8](repeating: 0, count: 32))
            try check(unsafe function("fido_assert_set_rp", SetText.self)?(request, application))
            try unsafe set("fido_assert_set_up", request, Self.optionFalse)
            do throws(Failure) {
                try unsafe withDevice(path) { device throws(Failure) in
                    try unsafe lending(pin) { pin throws(Failure) in
                        try check(
                            unsafe function("fido_dev_get_assert", Ask.self)?(device, request, pin)
                        )
                    }
                }
            } catch  where error.number != -3 || pin == nil {
                return false
            }
            guard let bytesAt = unsafe function("fido_assert_user_id_ptr", BytesAt.self),
                let countAt = unsafe function("fido_assert_user_id_len", CountAt.self)
            else { return false }
            let count = unsafe function("fido_assert_count", CountOf.self)?(request) ?? 0
            return (0..<min(count, 1024)).contains { index in
                guard let start = unsafe bytesAt(request, index) else { return false }
                let bytes = unsafe min(countAt(request, index), Self.maximumBytes)
                // SAFETY: the library says that so many bytes are there.
                return unsafe Array(UnsafeBufferPointer(start: start, count: bytes)) == user
            }
        }
    }

    /// COSE numbers: ES256, EdDSA.
    private static func coseAlgorithm(_ algorithm: UInt32) -> Int32 { algorithm == 0 ? -7 : -8 }

    private func enrolled(
        _ key: OpaquePointer,
        _ algorithm: UInt32,
        _ flags: UInt8
    ) -> SecurityKeyLibrary.Enrolled {
        let publicKey = unsafe bytes("fido_cred_pubkey", of: key)
        return unsafe SecurityKeyLibrary.Enrolled(
            flags: flags,
            // An uncompressed point has its two coordinates behind a 4.
            publicKey: algorithm == 0 ? [4] + publicKey : publicKey,
            handle: SecretBytes(bytes("fido_cred_id", of: key)),
            signature: bytes("fido_cred_sig", of: key),
            attestationCertificate: bytes("fido_cred_x5c", of: key),
            authenticatorData: bytes("fido_cred_authdata", of: key)
        )
    }

    // MARK: Resident keys

    /// fido_credman_get_dev_rk(3), for every application that begins with `ssh:`.
    package func residentKeys(
        pin: SecretBytes?,
        device: String?
    ) throws(Failure) -> [SecurityKeyLibrary.Resident] {
        let path = try chosenDevice(device)
        guard let pin else { throw Failure(number: -3) }
        return try unsafe withDevice(path) { device throws(Failure) in
            try unsafe lending(pin) { pin throws(Failure) in
                try unsafe residentKeys(device, pin)
            }
        }
    }

    private func residentKeys(
        _ device: OpaquePointer,
        _ pin: UnsafePointer<CChar>?
    ) throws(Failure) -> [SecurityKeyLibrary.Resident] {
        typealias TextAt = @convention(c) (OpaquePointer, Int) -> UnsafePointer<CChar>?
        let names = try unsafe with("fido_credman_rp_new", "fido_credman_rp_free") {
            list throws(Failure) in
            try check(unsafe function("fido_credman_get_dev_rp", Ask.self)?(device, list, pin))
            let count = unsafe function("fido_credman_rp_count", CountOf.self)?(list) ?? 0
            let name = unsafe function("fido_credman_rp_id", TextAt.self)
            return (0..<min(count, 1024)).compactMap { index in
                unsafe name?(list, index).map { unsafe String(cOctets: $0) }
            }
        }
        var found: [SecurityKeyLibrary.Resident] = []
        for name in names where name.hasPrefix("ssh:") {
            found += try unsafe residentKeys(device, pin, of: name)
        }
        return found
    }

    private func residentKeys(
        _ device: OpaquePointer,
        _ pin: UnsafePointer<CChar>?,
        of application: String
    ) throws(Failure) -> [SecurityKeyLibrary.Resident] {
        typealias Load =
            @convention(c) (
                OpaquePointer, UnsafePointer<CChar>?, OpaquePointer, UnsafePointer<CChar>?
            ) -> Int32
        typealias Entry = @convention(c) (OpaquePointer, Int) -> OpaquePointer?
        typealias NumberOf = @convention(c) (OpaquePointer) -> Int32
        return try unsafe with("fido_credman_rk_new", "fido_credman_rk_free") {
            list throws(Failure) in
            let load = unsafe function("fido_credman_get_dev_rk", Load.self)
            try check(unsafe load?(device, application, list, pin))
            let count = unsafe function("fido_credman_rk_count", CountOf.self)?(list) ?? 0
            guard let entry = unsafe function("fido_credman_rk", Entry.self),
                let type = unsafe function("fido_cred_type", NumberOf.self),
                let protection = unsafe function("fido_cred_prot", NumberOf.self)
            else { throw Failure(number: -1) }
            return (0..<min(count, 1024)).compactMap { index in
                guard let key = unsafe entry(list, index) else { return nil }
                let algorithm: UInt32
                switch unsafe type(key) {
                case -7: algorithm = 0
                case -8: algorithm = 1
                default: return nil
                }
                let flags: UInt8 = unsafe protection(key) == 3 ? 0x25 : 0x21
                return unsafe SecurityKeyLibrary.Resident(
                    algorithm: algorithm,
                    application: application.octets,
                    flags: flags,
                    user: bytes("fido_cred_user_id", of: key),
                    key: enrolled(key, algorithm, flags)
                )
            }
        }
    }
}
