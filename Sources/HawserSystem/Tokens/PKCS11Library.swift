// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
package import HawserWire

/// A PKCS#11 library, opened in this process, and a session with each of its tokens.
///
/// Such libraries are foreign code: only ssh-pkcs11-helper opens one.
@safe
package final class PKCS11Library {
    /// Why a library or a token did not do what it was asked for.
    package enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        case notLoaded(String)
        case notAProvider
        /// A function and its CKR_ value.
        case refused(String, UInt)
        case wrongPIN
        case pinNeeded
        case noSuchKey

        package var description: String {
            switch self {
            case .notLoaded(let reason): "dlopen failed: \(reason)"
            case .notAProvider: "provider is not a PKCS11 library"
            case .refused(let call, let code): "\(call) failed: \(code)"
            case .wrongPIN: "incorrect PIN"
            case .pinNeeded: "pin required"
            case .noSuchKey: "no such key"
            }
        }
    }

    /// The kinds of objects with keys that a token has.
    package enum Object: Sendable {
        case rsa(modulus: [UInt8], exponent: [UInt8])
        case ecdsa(parameters: [UInt8], point: [UInt8])
        case edwards(parameters: [UInt8], point: [UInt8])
        case certificate([UInt8])
    }

    /// A key that a token shows.
    package struct Entry: Sendable {
        package let token: Int
        package let identifier: [UInt8]
        package let label: [UInt8]
        package let object: Object
    }

    package enum Mechanism: UInt, Sendable {
        case rsa = 1  // CKM_RSA_PKCS
        case ecdsa = 0x1041  // CKM_ECDSA
        case eddsa = 0x1057  // CKM_EDDSA
    }

    private struct Token {
        let label: String
        let session: UInt
        let needsLogin: Bool
        var isLoggedIn = false
    }

    private let functions: UnsafeMutablePointer<hawser_pkcs11_functions>
    private var tokens: [Token] = []

    /// Opens the library and a session with every token that is there. C: `dlopen`.
    package init(path: String) throws(Failure) {
        guard (try? ProviderLibrary.path(of: path, .pkcs11)) != nil else { throw .notAProvider }
        // SAFETY: the library stays open as long as the process lives.
        guard let library = unsafe path.withCOctets({ unsafe dlopen($0, RTLD_NOW) }) else {
            throw .notLoaded(unsafe dlerror().map { unsafe String(cOctets: $0) } ?? "unknown")
        }
        guard let entry = unsafe dlsym(library, "C_GetFunctionList") else { throw .notAProvider }
        var list: UnsafeMutablePointer<hawser_pkcs11_functions>?
        guard unsafe hawser_pkcs11_open(entry, &list) == 0, let list = unsafe list,
            unsafe list.pointee.initialize != nil, unsafe list.pointee.sign != nil
        else { throw .notAProvider }
        unsafe functions = list
        let status = unsafe list.pointee.initialize(nil)
        // CKR_CRYPTOKI_ALREADY_INITIALIZED is as good.
        guard status == 0 || status == 0x191 else {
            throw .refused("C_Initialize", status)
        }
        try openSessions()
    }

    deinit {
        for token in tokens { _ = unsafe functions.pointee.close_session(token.session) }
        _ = unsafe functions.pointee.finalize(nil)
    }

    private func openSessions() throws(Failure) {
        var count: UInt = 0
        try check("C_GetSlotList", unsafe functions.pointee.get_slot_list(1, nil, &count))
        guard count > 0 else { return }
        count = min(count, Self.maximumTokens)
        var slots = [UInt](repeating: 0, count: Int(count))
        // SAFETY: the list has room for `count` numbers.
        try check("C_GetSlotList", unsafe functions.pointee.get_slot_list(1, &slots, &count))
        for slot in slots.prefix(Int(min(count, UInt(slots.count)))) {
            var info = hawser_pkcs11_token()
            guard unsafe functions.pointee.get_token_info(slot, &info) == 0,
                info.flags & Self.isInitialized != 0
            else { continue }
            var session: UInt = 0
            // A read-only one, CKF_SERIAL_SESSION.
            guard unsafe functions.pointee.open_session(slot, 4, nil, nil, &session) == 0 else {
                continue
            }
            // SAFETY: the tuple is an array of bytes.
            let label = unsafe withUnsafeBytes(of: &info.label) { unsafe Array($0) }
            let text = String(octets: label.prefix { $0 != 0 })
            tokens.append(
                Token(
                    label: String(text.reversed().drop { $0 == " " }.reversed()),
                    session: session,
                    needsLogin: info.flags & Self.loginRequired != 0
                )
            )
        }
    }

    private static let maximumTokens: UInt = 64
    private static let isInitialized: UInt = 0x400  // CKF_TOKEN_INITIALIZED
    private static let loginRequired: UInt = 4  // CKF_LOGIN_REQUIRED

    package var tokenCount: Int { tokens.count }

    package func label(ofToken index: Int) -> String { tokens[index].label }

    package func needsLogin(token index: Int) -> Bool {
        tokens[index].needsLogin && !tokens[index].isLoggedIn
    }

    /// Proves to a token who we are. C: `C_Login`.
    package func logIn(token index: Int, pin: SecretBytes) throws(Failure) {
        let status = login(index, as: 1, pin)  // CKU_USER
        switch status {
        case 0, 0x100: tokens[index].isLoggedIn = true  // CKR_USER_ALREADY_LOGGED_IN
        case 0xa0, 0xa2, 0xa4: throw .wrongPIN  // incorrect, length, locked
        default: throw .refused("C_Login", status)
        }
    }

    private func login(_ index: Int, as user: UInt, _ pin: SecretBytes) -> UInt {
        let session = tokens[index].session
        return unsafe pin.bytes.withUnsafeBytes { bytes in
            // SAFETY: the library reads `count` bytes during the call.
            unsafe functions.pointee.login(
                session,
                user,
                bytes.bindMemory(to: UInt8.self).baseAddress,
                UInt(bytes.count)
            )
        }
    }

    // MARK: Objects

    /// The public keys and X.509 certificates that the tokens show.
    package func entries() -> [Entry] {
        var found: [Entry] = []
        for index in tokens.indices {
            for kind in [Class.publicKey, Class.certificate] {
                let objects = find(index, [(Attribute.class, Self.number(kind))])
                for object in objects {
                    if let entry = entry(index, object, kind) { found.append(entry) }
                }
            }
        }
        return found
    }

    private enum Class {
        static let certificate: UInt = 1  // CKO_CERTIFICATE
        static let publicKey: UInt = 2
        static let privateKey: UInt = 3
    }

    private enum Attribute {
        static let `class`: UInt = 0  // CKA_CLASS
        static let label: UInt = 3
        static let value: UInt = 0x11
        static let keyType: UInt = 0x100
        static let identifier: UInt = 0x102
        static let sign: UInt = 0x108
        static let modulus: UInt = 0x120
        static let publicExponent: UInt = 0x122
        static let curveParameters: UInt = 0x180
        static let curvePoint: UInt = 0x181
        static let alwaysAuthenticate: UInt = 0x202
    }

    private func entry(_ index: Int, _ object: UInt, _ kind: UInt) -> Entry? {
        func read(_ attribute: UInt) -> [UInt8]? { value(index, object, attribute) }
        let content: Object
        if kind == Class.certificate {
            guard let bytes = read(Attribute.value) else { return nil }
            content = .certificate(bytes)
        } else {
            guard let type = read(Attribute.keyType).flatMap(Self.number(from:)) else {
                return nil
            }
            switch type {
            case 0:  // CKK_RSA
                guard let modulus = read(Attribute.modulus),
                    let exponent = read(Attribute.publicExponent)
                else { return nil }
                content = .rsa(modulus: modulus, exponent: exponent)
            case 3, 0x40:  // CKK_EC, CKK_EC_EDWARDS
                guard let parameters = read(Attribute.curveParameters),
                    let point = read(Attribute.curvePoint)
                else { return nil }
                content =
                    type == 3
                    ? .ecdsa(parameters: parameters, point: point)
                    : .edwards(parameters: parameters, point: point)
            default: return nil
            }
        }
        return Entry(
            token: index,
            identifier: read(Attribute.identifier) ?? [],
            label: read(Attribute.label) ?? [],
            object: content
        )
    }

    /// The objects that have all these attributes. C: `C_FindObjects`.
    private func find(_ index: Int, _ wanted: [(type: UInt, value: [UInt8])]) -> [UInt] {
        let session = tokens[index].session
        var values = wanted.map(\.value)
        guard
            unsafe Self.withAttributes(
                wanted.map(\.type),
                &values,
                { list, count in
                    unsafe functions.pointee.find_objects_init(session, list, count)
                }
            ) == 0
        else { return [] }
        defer { _ = unsafe functions.pointee.find_objects_final(session) }
        var found: [UInt] = []
        var chunk = [UInt](repeating: 0, count: 64)
        while found.count < Self.maximumObjects {
            var count: UInt = 0
            // SAFETY: the list has room for its count of numbers.
            let status = unsafe functions.pointee.find_objects(
                session,
                &chunk,
                UInt(chunk.count),
                &count
            )
            guard status == 0, count > 0, count <= UInt(chunk.count) else { break }
            found += chunk.prefix(Int(count))
        }
        return found
    }

    private static let maximumObjects = 4096

    /// One attribute of an object. C: `C_GetAttributeValue`, first for its length.
    private func value(_ index: Int, _ object: UInt, _ type: UInt) -> [UInt8]? {
        let session = tokens[index].session
        var attribute = unsafe hawser_pkcs11_attribute(type: type, value: nil, bytes: 0)
        guard
            unsafe functions.pointee.get_attribute_value(session, object, &attribute, 1) == 0,
            unsafe attribute.bytes <= Self.maximumValueBytes
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: unsafe Int(attribute.bytes))
        if bytes.isEmpty { return bytes }
        let status = unsafe bytes.withUnsafeMutableBytes { buffer in
            // SAFETY: the library writes at most `bytes` bytes to the buffer.
            unsafe attribute.value = buffer.baseAddress
            return unsafe functions.pointee.get_attribute_value(session, object, &attribute, 1)
        }
        guard status == 0, unsafe attribute.bytes <= UInt(bytes.count) else { return nil }
        return Array(bytes.prefix(unsafe Int(attribute.bytes)))
    }

    private static let maximumValueBytes: UInt = 64 << 10

    // MARK: Signatures

    /// Lets the private half of an entry sign. `pin` is for keys that want it each time.
    package func sign(
        _ entry: Entry,
        _ mechanism: Mechanism,
        _ input: [UInt8],
        pin: SecretBytes?
    ) throws(Failure) -> [UInt8] {
        let session = tokens[entry.token].session
        let base = [
            (type: Attribute.class, value: Self.number(Class.privateKey)),
            (type: Attribute.identifier, value: entry.identifier),
        ]
        let key =
            find(entry.token, base + [(type: Attribute.sign, value: [1])]).first
            ?? find(entry.token, base).first
        guard let key else { throw needsLogin(token: entry.token) ? .pinNeeded : .noSuchKey }
        let asksAgain = value(entry.token, key, Attribute.alwaysAuthenticate) == [1]
        var how = unsafe hawser_pkcs11_mechanism(
            type: mechanism.rawValue,
            parameter: nil,
            bytes: 0
        )
        try check("C_SignInit", unsafe functions.pointee.sign_init(session, &how, key))
        if asksAgain {
            guard let pin else { throw .pinNeeded }
            guard login(entry.token, as: 2, pin) == 0 else { throw .wrongPIN }  // CONTEXT_SPECIFIC
        }
        var signature = [UInt8](repeating: 0, count: Self.maximumSignatureBytes)
        var count = UInt(signature.count)
        // SAFETY: reads the input, writes at most `count` bytes.
        try check(
            "C_Sign",
            unsafe functions.pointee.sign(session, input, UInt(input.count), &signature, &count)
        )
        guard count <= UInt(signature.count) else { throw .refused("C_Sign", count) }
        return Array(signature.prefix(Int(count)))
    }

    /// RSA with 16384 bits.
    private static let maximumSignatureBytes = 2048

    private func check(_ call: String, _ status: UInt) throws(Failure) {
        switch status {
        case 0: return
        case 0x101: throw .pinNeeded  // CKR_USER_NOT_LOGGED_IN
        default: throw .refused(call, status)
        }
    }

    /// A CK_ULONG as its memory has it.
    private static func number(_ value: UInt) -> [UInt8] {
        (0..<MemoryLayout<UInt>.size).map { UInt8(truncatingIfNeeded: value >> UInt(8 * $0)) }
    }

    private static func number(from bytes: [UInt8]) -> UInt? {
        guard bytes.count == MemoryLayout<UInt>.size else { return nil }
        return bytes.enumerated().reduce(0) { $0 | UInt($1.element) << UInt(8 * $1.offset) }
    }

    /// Lends a list of attributes to a call.
    private static func withAttributes(
        _ types: [UInt],
        _ values: inout [[UInt8]],
        _ body: (UnsafeMutablePointer<hawser_pkcs11_attribute>?, UInt) -> UInt
    ) -> UInt {
        // One buffer for all values, so that one loan lasts over the call.
        var buffer = values.flatMap { $0 }
        let counts = values.map(\.count)
        return unsafe buffer.withUnsafeMutableBytes { bytes in
            var list: [hawser_pkcs11_attribute] = unsafe []
            var offset = 0
            for (type, count) in zip(types, counts) {
                unsafe list.append(
                    hawser_pkcs11_attribute(
                        type: type,
                        value: bytes.baseAddress.map { unsafe $0 + offset },
                        bytes: UInt(count)
                    )
                )
                offset += count
            }
            return unsafe list.withUnsafeMutableBufferPointer { entries in
                // SAFETY: the list and what it points to live to the end of the call.
                unsafe body(entries.baseAddress, UInt(entries.count))
            }
        }
    }
}
