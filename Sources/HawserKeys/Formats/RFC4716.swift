// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// "The Secure Shell (SSH) Public Key File Format", RFC 4716, and the private keys that SSH.COM put
/// into files of the same kind.
package enum RFC4716 {
    /// The file for a public key; `comment` is shown in quotes.
    package static func text(_ key: PublicKey, comment: String) -> String {
        let body = String(octets: Base64.lines(key.blob, columns: 70))
        return "\(begin)\nComment: \"\(comment)\"\n\(body)\(end)\n"
    }

    /// What such a file can hold.
    package enum Content: Sendable {
        case publicKey(PublicKey)
        case privateKey(PrivateKey)
    }

    /// Reads a file with lines that end in LF, CR or both.
    package static func parse(_ contents: [UInt8]) throws(KeyError) -> Content {
        guard contents.count <= PrivateKeyFile.maximumBytes else {
            throw .invalidFormat("file too large")
        }
        var encoded: [UInt8] = []
        var isContinued = false
        var isPrivate = false
        var lines = LineIterator(contents)
        while let line = lines.next() {
            if line.starts(with: Array("----".utf8)) {
                let title = String(octets: line)
                if title.contains(" END ") { break }
                isPrivate = title.contains("SSH2 ENCRYPTED PRIVATE KEY")
            } else if isContinued || line.contains(UInt8(ascii: ":")) {
                isContinued = line.last == UInt8(ascii: "\\")
            } else {
                encoded += line
            }
        }
        // Padding may be too long, as some wrote it, but not missing.
        let digits = encoded.filter { !$0.isBlank }
        guard digits.count % 4 == 0 || digits.last == UInt8(ascii: "="),
            let body = Base64.decode(encoded, .lenient)
        else { throw .invalidFormat("base64") }
        if isPrivate { return .privateKey(try readPrivateKey(body)) }
        return .publicKey(try PublicKey(blob: body))
    }

    private static let begin = "---- BEGIN SSH2 PUBLIC KEY ----"
    private static let end = "---- END SSH2 PUBLIC KEY ----"

    // MARK: SSH.COM private keys

    private static let magic: UInt32 = 0x3f6f_f9eb

    /// magic, size, type, cipher, then the numbers in a string within a string; unencrypted only.
    private static func readPrivateKey(_ body: [UInt8]) throws(KeyError) -> PrivateKey {
        var reader = WireReader(body.rawBytes)
        guard try reader.keyUInt32() == magic else { throw .invalidFormat("magic") }
        _ = try reader.keyUInt32()
        let type = try reader.keyText(limit: 256)
        let cipher = try reader.keyText(limit: 64)
        guard cipher == "none" else { throw .unsupported("unsupported cipher \(cipher)") }
        var numbers = WireReader(try reader.keyString())
        _ = try numbers.keyUInt32()
        if type.contains("rsa") { return try readRSA(&numbers) }
        if type.contains("dsa") { return try readDSA(&numbers) }
        throw .unknownType(type)
    }

    @_lifetime(numbers: copy numbers)
    private static func readRSA(_ numbers: inout WireReader) throws(KeyError) -> PrivateKey {
        let exponent = try readNumber(&numbers)
        let privateExponent = try readNumber(&numbers)
        let modulus = try readNumber(&numbers)
        let coefficient = try readNumber(&numbers)
        let prime1 = try readNumber(&numbers)
        let prime2 = try readNumber(&numbers)
        // Their inverse is that of the first prime modulo the second: PKCS #1 swaps the names.
        return try KeyPair.rsa(
            modulus: modulus,
            exponent: exponent,
            privateExponent: privateExponent,
            primes: [(prime1, prime2), (prime2, prime1)],
            coefficient: coefficient
        )
    }

    @_lifetime(numbers: copy numbers)
    private static func readDSA(_ numbers: inout WireReader) throws(KeyError) -> PrivateKey {
        guard try numbers.keyUInt32() == 0 else { throw .invalidFormat("DSA parameters") }
        let p = try readNumber(&numbers)
        let g = try readNumber(&numbers)
        let q = try readNumber(&numbers)
        let y = try readNumber(&numbers)
        let x = SecretBytes(try readNumber(&numbers))
        let key = try PublicKey(.dsa(p: p, q: q, g: g, y: y))
        try KeyPair.check(key, .dsa(x: x))
        return PrivateKey(publicKey: key, material: .dsa(x: x))
    }

    /// A count of bits, then as many bytes as they fill.
    @_lifetime(numbers: copy numbers)
    private static func readNumber(_ numbers: inout WireReader) throws(KeyError) -> [UInt8] {
        let bits = try numbers.keyUInt32()
        guard bits <= UInt32(PublicKey.maximumRSABits) else { throw .invalidFormat("number") }
        return Magnitude.stripped([UInt8](copying: try numbers.keyFixed((Int(bits) + 7) / 8)))
    }
}
