// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// A list of revoked keys and certificates in OpenSSH's binary form (PROTOCOL.krl).
///
/// It stays as it was read: a look-up searches the bytes of the file, so that a million serial
/// numbers cost no memory but their own.
package struct KeyRevocationList: Sendable {
    /// Grows with each change, if its maker counts.
    package let version: UInt64
    /// Seconds since 1970.
    package let generated: UInt64
    package let comment: [UInt8]

    private let contents: [UInt8]
    private var authorities: [Authority] = []
    private var keys: [Range<Int>] = []
    private var digests: [(hash: Fingerprint.Hash, range: Range<Int>)] = []

    /// The certificates section of one authority.
    private struct Authority: Sendable {
        /// Where its key is; empty: every authority.
        var key: Range<Int>
        var parts: [Part] = []
    }

    private struct Part: Sendable {
        var type: CertificatePart
        var range: Range<Int>
        /// Of a list: each number is larger than the one before it.
        var isSorted = false
        /// Of a bitmap: the serial number of its lowest bit, and where the bits are.
        var firstSerial: UInt64 = 0
    }

    /// The kinds of sections, PROTOCOL.krl §1.
    enum Section: UInt8 {
        case certificates = 1
        case explicitKeys = 2
        case sha1Digests = 3
        case sha256Digests = 5
        case `extension` = 255
    }

    /// What a certificates section is made of, PROTOCOL.krl §2.
    enum CertificatePart: UInt8, Sendable {
        case serialList = 0x20
        case serialRange = 0x21
        case serialBitmap = 0x22
        case keyIDs = 0x23
        case `extension` = 0x39
    }

    /// `SSHKRL\n\0`.
    static let magic = Array("SSHKRL\n\0".utf8)
    static let formatVersion: UInt32 = 1

    /// Whether a file claims to be such a list.
    package static func isList(_ contents: [UInt8]) -> Bool { contents.starts(with: magic) }

    /// Reads a whole file and checks all of it. Throws for anything that we do not understand:
    /// a list that is only half understood revokes too little.
    package init(contents: [UInt8]) throws(KeyError) {
        guard Self.isList(contents) else {
            throw .unsupported("KRL file has invalid magic number")
        }
        self.contents = contents
        var reader = WireReader(contents.rawBytes)
        _ = try reader.keyFixed(Self.magic.count)
        guard try reader.keyUInt32() == Self.formatVersion else {
            throw .unsupported("KRL format version not supported")
        }
        version = try reader.keyUInt64()
        generated = try reader.keyUInt64()
        _ = try reader.keyUInt64()
        _ = try reader.keyString()
        comment = try reader.keyBytes()
        while !reader.isAtEnd {
            let type = try reader.keyByte()
            let data = try reader.keyString()
            let end = contents.count - reader.remainingBytes
            try readSection(type, data, at: end - data.byteCount)
        }
    }

    private mutating func readSection(
        _ type: UInt8,
        _ data: RawSpan,
        at start: Int
    ) throws(KeyError) {
        let range = start..<start + data.byteCount
        switch Section(rawValue: type) {
        case .certificates:
            try readCertificates(data, at: start)
        case .explicitKeys:
            try Self.checkStrings(data, bytes: nil)
            keys.append(range)
        case .sha1Digests:
            try Self.checkStrings(data, bytes: 20)
            digests.append((.sha1, range))
        case .sha256Digests:
            try Self.checkStrings(data, bytes: 32)
            digests.append((.sha256, range))
        case .extension:
            try Self.checkExtension(data)
        case nil:
            throw .unsupported("unsupported KRL section \(type)")
        }
    }

    private mutating func readCertificates(_ data: RawSpan, at start: Int) throws(KeyError) {
        var reader = WireReader(data)
        let key = try reader.keyString()
        let keyStart = start + 4
        if key.byteCount > 0 { _ = try PublicKey(blob: key) }
        _ = try reader.keyString()
        var authority = Authority(key: keyStart..<keyStart + key.byteCount)
        while !reader.isAtEnd {
            let type = try reader.keyByte()
            let part = try reader.keyString()
            let end = start + data.byteCount - reader.remainingBytes
            guard let type = CertificatePart(rawValue: type) else {
                throw .unsupported("unsupported KRL certificate section \(type)")
            }
            try authority.parts.append(Self.readPart(type, part, at: end - part.byteCount))
        }
        authorities.append(authority)
    }

    private static func readPart(
        _ type: CertificatePart,
        _ data: RawSpan,
        at start: Int
    ) throws(KeyError) -> Part {
        var part = Part(type: type, range: start..<start + data.byteCount)
        switch type {
        case .serialList:
            guard data.byteCount % 8 == 0 else { throw .incomplete }
            var last: UInt64 = 0
            part.isSorted = true
            for offset in stride(from: 0, to: data.byteCount, by: 8) {
                let serial = data.bigEndianUInt64(at: offset)
                if serial == 0 { throw .invalidFormat("serial number zero") }
                if serial <= last { part.isSorted = false }
                last = serial
            }
        case .serialRange:
            guard data.byteCount == 16 else {
                throw data.byteCount < 16 ? .incomplete : .trailingBytes
            }
            let first = data.bigEndianUInt64(at: 0)
            guard first > 0, first <= data.bigEndianUInt64(at: 8) else {
                throw .invalidFormat("range of serial numbers")
            }
        case .serialBitmap:
            var reader = WireReader(data)
            let first = try reader.keyUInt64()
            let bits = try reader.keyNumber()
            try reader.keyEnd()
            let count = Magnitude.bits(bits)
            let last = first.addingReportingOverflow(UInt64(max(count - 1, 0)))
            let isZero = first == 0 && bits.last.map { $0 & 1 == 1 } == true
            guard !isZero, !last.overflow else { throw .invalidFormat("bitmap") }
            part.firstSerial = first
            part.range = part.range.upperBound - bits.count..<part.range.upperBound
        case .keyIDs:
            try checkStrings(data, bytes: nil)
        case .extension:
            try checkExtension(data)
        }
        return part
    }

    /// Strings one after the other, each of `bytes` bytes.
    private static func checkStrings(_ data: RawSpan, bytes: Int?) throws(KeyError) {
        var reader = WireReader(data)
        while !reader.isAtEnd {
            let string = try reader.keyString()
            if let bytes, string.byteCount != bytes { throw .invalidFormat("digest") }
        }
    }

    /// An extension that we do not know, which is all of them, may be passed over unless it says
    /// that it may not (PROTOCOL.krl §2.5, §6).
    private static func checkExtension(_ data: RawSpan) throws(KeyError) {
        var reader = WireReader(data)
        let name = try reader.keyText()
        let isCritical = try reader.keyByte() != 0
        _ = try reader.keyString()
        try reader.keyEnd()
        if isCritical { throw .unsupported("unsupported critical KRL extension \(name)") }
    }

    // MARK: Looking up

    /// Whether a key is revoked: itself, for a certificate also the key inside it, its serial
    /// number or key ID as its authority has revoked them, or the authority's key.
    package func isRevoked(_ key: PublicKey) -> Bool {
        if isRevoked(plain: key.plain) { return true }
        guard let certificate = key.certificate else { return false }
        for authority in authorities where isAbout(authority, certificate.signatureKey) {
            if revokes(authority, certificate) { return true }
        }
        return isRevoked(plain: certificate.signatureKey)
    }

    private func isRevoked(plain key: PublicKey) -> Bool {
        for (hash, range) in digests where contains(range, Fingerprint(of: key, hash).digest) {
            return true
        }
        return keys.contains { contains($0, key.blob) }
    }

    private func isAbout(_ authority: Authority, _ key: PublicKey) -> Bool {
        authority.key.isEmpty
            || bytes(authority.key).elementsEqual(key.blob.rawBytes)
    }

    private func revokes(_ authority: Authority, _ certificate: Certificate) -> Bool {
        let serial = certificate.serial
        return authority.parts.contains { part in
            switch part.type {
            case .keyIDs: contains(part.range, certificate.keyIDBytes)
            case .extension: false
            // Zero is the number of those that have none.
            case .serialList: serial > 0 && contains(part, serial)
            case .serialRange:
                serial > 0 && serial >= bytes(part.range).bigEndianUInt64(at: 0)
                    && serial <= bytes(part.range).bigEndianUInt64(at: 8)
            case .serialBitmap: serial > 0 && hasBit(part, serial)
            }
        }
    }

    private func hasBit(_ part: Part, _ serial: UInt64) -> Bool {
        guard serial >= part.firstSerial else { return false }
        let bit = serial - part.firstSerial
        guard bit < UInt64(part.range.count) * 8 else { return false }
        let byte = contents[part.range.upperBound - 1 - Int(bit / 8)]
        return byte >> UInt8(bit % 8) & 1 == 1
    }

    private func contains(_ list: Part, _ serial: UInt64) -> Bool {
        let data = bytes(list.range)
        let count = list.range.count / 8
        if !list.isSorted {
            for index in 0..<count where data.bigEndianUInt64(at: index * 8) == serial {
                return true
            }
            return false
        }
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            let value = data.bigEndianUInt64(at: middle * 8)
            if value == serial { return true }
            if value < serial { low = middle + 1 } else { high = middle }
        }
        return false
    }

    /// Whether one of the strings in a section is `wanted`. Their form was checked when reading.
    private func contains(_ section: Range<Int>, _ wanted: [UInt8]) -> Bool {
        let data = bytes(section)
        var offset = 0
        while offset < data.byteCount {
            let count = Int(data.bigEndianUInt32(at: offset))
            offset += 4
            if count == wanted.count,
                data.extracting(offset..<offset + count).elementsEqual(wanted.rawBytes)
            {
                return true
            }
            offset += count
        }
        return false
    }

    @_lifetime(borrow self)
    private func bytes(_ range: Range<Int>) -> RawSpan {
        contents.rawBytes.extracting(range)
    }

    // MARK: Taking apart

    /// Everything in it, to be added to another one or shown.
    func forEach(_ body: (RevokedItem) throws(KeyError) -> Void) throws(KeyError) {
        for authority in authorities {
            let key: PublicKey?
            if authority.key.isEmpty {
                key = nil
            } else {
                key = try PublicKey(blob: Array(contents[authority.key]))
            }
            for part in authority.parts { try forEach(part, of: key, body) }
        }
        for range in keys {
            try forEachString(range) { (blob) throws(KeyError) in try body(.key(blob: blob)) }
        }
        for (hash, range) in digests {
            try forEachString(range) { (digest) throws(KeyError) in
                try body(.digest(hash, digest))
            }
        }
    }

    private func forEach(
        _ part: Part,
        of authority: PublicKey?,
        _ body: (RevokedItem) throws(KeyError) -> Void
    ) throws(KeyError) {
        switch part.type {
        case .serialList:
            for offset in stride(from: 0, to: part.range.count, by: 8) {
                let serial = bytes(part.range).bigEndianUInt64(at: offset)
                try body(.serials(serial...serial, authority))
            }
        case .serialRange:
            let first = bytes(part.range).bigEndianUInt64(at: 0)
            try body(.serials(first...bytes(part.range).bigEndianUInt64(at: 8), authority))
        case .serialBitmap:
            for bit in 0..<part.range.count * 8 {
                let byte = contents[part.range.upperBound - 1 - bit / 8]
                guard byte >> UInt8(bit % 8) & 1 == 1 else { continue }
                let serial = part.firstSerial + UInt64(bit)
                try body(.serials(serial...serial, authority))
            }
        case .keyIDs:
            try forEachString(part.range) { (id) throws(KeyError) in
                try body(.keyID(id, authority))
            }
        case .extension: break
        }
    }

    private func forEachString(
        _ range: Range<Int>,
        _ body: ([UInt8]) throws(KeyError) -> Void
    ) throws(KeyError) {
        var reader = WireReader(bytes(range))
        while !reader.isAtEnd { try body(try reader.keyBytes()) }
    }
}
