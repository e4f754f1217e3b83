// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// One thing that a list revokes.
package enum RevokedItem: Sendable {
    /// Certificates of an authority (nil: of any) by their serial numbers, from one up.
    case serials(ClosedRange<UInt64>, PublicKey?)
    /// Certificates of an authority (nil: of any) by their key ID.
    case keyID([UInt8], PublicKey?)
    /// A plain key.
    case key(blob: [UInt8])
    /// A plain key by the digest of its blob, SHA-1 or SHA-256.
    case digest(Fingerprint.Hash, [UInt8])
}

/// Collects what is revoked and writes it as a `KeyRevocationList`, in the same bytes as OpenSSH.
package struct KeyRevocationListBuilder: Sendable {
    /// What is revoked of one authority.
    package struct Certificates: Sendable {
        /// nil: any authority.
        package let authority: PublicKey?
        /// Sorted and apart from each other.
        package fileprivate(set) var serials: [ClosedRange<UInt64>] = []
        /// Sorted.
        package fileprivate(set) var keyIDs: [[UInt8]] = []
    }

    package var version: UInt64 = 0
    package var comment: [UInt8] = []
    /// In the order in which their authorities were first named.
    package private(set) var certificates: [Certificates] = []
    /// Blobs of plain keys.
    package private(set) var keys: [[UInt8]] = []
    package private(set) var sha1Digests: [[UInt8]] = []
    package private(set) var sha256Digests: [[UInt8]] = []

    package init() {}

    /// Begins with everything that a list has.
    package init(_ list: KeyRevocationList) throws(KeyError) {
        version = list.version
        comment = list.comment
        try list.forEach { (item) throws(KeyError) in add(item) }
        finish()
    }

    /// Adds one item. A certificate's serial number zero cannot be revoked, and is ignored.
    package mutating func add(_ item: RevokedItem) {
        switch item {
        case .serials(let range, let authority):
            if range.upperBound == 0 { return }
            let range = max(range.lowerBound, 1)...range.upperBound
            certificates[index(of: authority)].add(range)
        case .keyID(let id, let authority): certificates[index(of: authority)].keyIDs.append(id)
        case .key(let blob): keys.append(blob)
        case .digest(.sha1, let digest): sha1Digests.append(digest)
        case .digest(_, let digest): sha256Digests.append(digest)
        }
    }

    /// Revokes a key as OpenSSH does when it is given one: a plain key as it is, a certificate by
    /// its serial number, or by its key ID if it has none.
    package mutating func revoke(_ key: PublicKey) {
        guard let certificate = key.certificate else { return add(.key(blob: key.blob)) }
        let authority = certificate.signatureKey
        if certificate.serial == 0 {
            add(.keyID(certificate.keyIDBytes, authority))
        } else {
            add(.serials(certificate.serial...certificate.serial, authority))
        }
    }

    /// Sorts everything and leaves out what is there twice; to be called before reading.
    package mutating func finish() {
        for index in certificates.indices { certificates[index].finish() }
        Self.sort(&keys)
        Self.sort(&sha1Digests)
        Self.sort(&sha256Digests)
    }

    /// The file, generated at `time` (seconds since 1970).
    package mutating func serialized(at time: UInt64) -> [UInt8] {
        finish()
        var writer = WireWriter(reserving: 4096)
        writer.write(fixed: KeyRevocationList.magic)
        writer.write(uint32: KeyRevocationList.formatVersion)
        writer.write(uint64: version)
        writer.write(uint64: time)
        writer.write(uint64: 0)
        writer.write(text: "")
        writer.write(string: comment)
        for part in certificates {
            writer.write(byte: KeyRevocationList.Section.certificates.rawValue)
            writer.writeString { part.write(to: &$0) }
        }
        for (section, strings) in [
            (KeyRevocationList.Section.explicitKeys, keys), (.sha1Digests, sha1Digests),
            (.sha256Digests, sha256Digests),
        ] where !strings.isEmpty {
            writer.write(byte: section.rawValue)
            writer.writeString { list in
                for string in strings { list.write(string: string) }
            }
        }
        return writer.take()
    }

    private mutating func index(of authority: PublicKey?) -> Int {
        // The last one is the likeliest: items come in runs.
        if let last = certificates.indices.last, certificates[last].authority == authority {
            return last
        }
        if let known = certificates.firstIndex(where: { $0.authority == authority }) {
            return known
        }
        certificates.append(Certificates(authority: authority))
        return certificates.count - 1
    }

    fileprivate static func sort(_ strings: inout [[UInt8]]) {
        strings.sort { $0.lexicographicallyPrecedes($1) }
        var last: [UInt8]?
        strings.removeAll { string in
            defer { last = string }
            return string == last
        }
    }
}

extension KeyRevocationListBuilder.Certificates {
    fileprivate mutating func add(_ range: ClosedRange<UInt64>) {
        // In order, as they mostly come: no new entry for what continues the last one.
        if let last = serials.last, range.lowerBound >= last.lowerBound,
            last.upperBound == .max || range.lowerBound <= last.upperBound + 1
        {
            serials[serials.count - 1] =
                last.lowerBound...max(last.upperBound, range.upperBound)
        } else {
            serials.append(range)
        }
    }

    fileprivate mutating func finish() {
        KeyRevocationListBuilder.sort(&keyIDs)
        let unsorted = serials.sorted { $0.lowerBound < $1.lowerBound }
        serials = []
        for range in unsorted { add(range) }
    }

    fileprivate func write(to writer: inout WireWriter) {
        writer.write(string: authority?.blob ?? [])
        writer.write(text: "")
        SerialSections.write(serials, to: &writer)
        guard !keyIDs.isEmpty else { return }
        writer.write(byte: KeyRevocationList.CertificatePart.keyIDs.rawValue)
        writer.writeString { list in
            for id in keyIDs { list.write(string: id) }
        }
    }
}
