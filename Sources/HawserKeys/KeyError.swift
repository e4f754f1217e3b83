// SPDX-License-Identifier: Apache-2.0

package import HawserWire

/// Why a key, a signature or a file that holds keys could not be used.
///
/// The descriptions are the words that users and scripts know from OpenSSH.
package enum KeyError: Error, Equatable, Sendable {
    /// The bytes are not what their format says; the text tells where.
    case invalidFormat(String)
    /// The value ends before its last field.
    case incomplete
    /// Bytes follow the last field.
    case trailingBytes
    /// The name is no key type of ours.
    case unknownType(String)
    /// The type inside the blob is not the one that was announced.
    case typeMismatch
    /// Known, but not possible with this key or in this build.
    case unsupported(String)
    /// The key has fewer bits than the caller accepts.
    case invalidKeyLength(bits: Int)
    /// A point is not on its curve, or a number is out of its range.
    case invalidKey(String)
    /// The signature does not verify.
    case badSignature
    /// The signature, or the request for one, names an algorithm that may not be used here.
    case algorithmNotAllowed(String)
    /// The options before a key in authorized_keys; what is wrong with them.
    case badOptions(String)
    /// A certificate that does not say what it must.
    case badCertificate(String)
    /// The private key is encrypted and no passphrase was given.
    case needsPassphrase
    /// The passphrase does not open the private key.
    case wrongPassphrase
    /// The cryptography refused.
    case cryptography(String)

    package init(_ error: WireError) {
        switch error {
        case .truncated: self = .incomplete
        case .trailingBytes: self = .trailingBytes
        case .badMultiplePrecision, .badName, .badText, .tooLong:
            self = .invalidFormat(error.description)
        }
    }
}

extension KeyError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidFormat: "invalid format"
        case .badOptions(let reason): "bad key options: \(reason)"
        case .incomplete: "incomplete message"
        case .trailingBytes: "unexpected bytes remain after decoding"
        case .unknownType: "unknown or unsupported key type"
        case .typeMismatch: "key type does not match"
        case .unsupported(let what): what
        case .invalidKeyLength: "Invalid key length"
        case .invalidKey: "invalid format"
        case .badSignature: "incorrect signature"
        case .algorithmNotAllowed: "signature algorithm not supported"
        case .badCertificate: "invalid certificate"
        case .needsPassphrase, .wrongPassphrase:
            "incorrect passphrase supplied to decrypt private key"
        case .cryptography: "error in libcrypto"
        }
    }
}

extension WireReader {
    // The reads of RFC 4251 with the errors of this module.

    @_lifetime(self: copy self)
    mutating func keyBytes(limit: Int = .max) throws(KeyError) -> [UInt8] {
        do { return try readBytes(limit: limit) } catch { throw KeyError(error) }
    }

    @_lifetime(self: copy self)
    mutating func keyText(limit: Int = .max) throws(KeyError) -> String {
        do { return try readText(limit: limit) } catch { throw KeyError(error) }
    }

    @_lifetime(self: copy self)
    mutating func keyNumber() throws(KeyError) -> [UInt8] {
        do { return try readMultiplePrecision() } catch { throw KeyError(error) }
    }

    @_lifetime(self: copy self)
    mutating func keyUInt32() throws(KeyError) -> UInt32 {
        do { return try readUInt32() } catch { throw KeyError(error) }
    }

    @_lifetime(self: copy self)
    mutating func keyUInt64() throws(KeyError) -> UInt64 {
        do { return try readUInt64() } catch { throw KeyError(error) }
    }

    @_lifetime(self: copy self)
    mutating func keyByte() throws(KeyError) -> UInt8 {
        do { return try readByte() } catch { throw KeyError(error) }
    }

    @_lifetime(copy self)
    @_lifetime(self: copy self)
    mutating func keyString() throws(KeyError) -> RawSpan {
        do { return try readString() } catch { throw KeyError(error) }
    }

    @_lifetime(copy self)
    @_lifetime(self: copy self)
    mutating func keyFixed(_ count: Int) throws(KeyError) -> RawSpan {
        do { return try readFixed(count) } catch { throw KeyError(error) }
    }

    func keyEnd() throws(KeyError) {
        do { try expectEnd() } catch { throw KeyError(error) }
    }
}
