// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// A line of an allowed signers file (ssh-keygen(1) ALLOWED SIGNERS): who may sign with which key.
package struct AllowedSigner: Sendable {
    /// A list of patterns, as it is written.
    package let principals: String
    /// The key signs certificates, not messages.
    package private(set) var isAuthority = false
    /// A list of patterns; nil: any namespace.
    package private(set) var namespaces: String?
    /// Seconds since 1970, from this one on.
    package private(set) var validAfter: UInt64?
    /// Seconds since 1970, up to and with this one.
    package private(set) var validBefore: UInt64?
    package let key: PublicKey

    /// Turns a date into seconds since 1970; only the system knows its time zone.
    package typealias Calendar = (TimeSpecification) -> UInt64?

    /// Reads what follows the principals; `tellOptions` hears the options as they are written,
    /// before they are looked at. Throws `KeyError.invalidFormat` with words for the user.
    init(
        principals: String,
        rest: ArraySlice<UInt8>,
        _ calendar: Calendar,
        tellOptions: (String) -> Void
    ) throws(KeyError) {
        self.principals = principals
        guard !rest.isEmpty else { throw .invalidFormat("missing key") }
        if let line = try? PublicKeyLine.parse(String(octets: rest)) {
            key = line.key
            tellOptions("")
            return
        }
        let options = rest[..<Self.endOfOptions(rest)]
        let text = String(octets: rest[options.endIndex...])
        // One word alone was taken for options.
        guard text.utf8.contains(where: { !$0.isBlank }) else {
            throw .invalidFormat("missing key")
        }
        guard let line = try? PublicKeyLine.parse(text) else { throw .invalidFormat("invalid key") }
        key = line.key
        let words = String(octets: options)
        tellOptions(words)
        do throws(KeyError) {
            try read(options: words, calendar)
        } catch {
            if case .invalidFormat(let reason) = error {
                throw .invalidFormat("bad options: \(reason)")
            }
            throw error
        }
    }

    /// The first blank outside of quotes.
    private static func endOfOptions(_ text: ArraySlice<UInt8>) -> Int {
        var isQuoted = false
        var isEscaped = false
        for index in text.indices {
            let character = text[index]
            if !isQuoted, character.isBlank { return index }
            if character == UInt8(ascii: "\""), !isEscaped { isQuoted.toggle() }
            isEscaped = character == UInt8(ascii: "\\") && !isEscaped
        }
        return text.endIndex
    }

    private mutating func read(options: String, _ calendar: Calendar) throws(KeyError) {
        var rest = Substring(options).utf8[...]
        while !rest.isEmpty {
            let name = rest.prefix { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=") }
            rest = rest[name.endIndex...]
            let word = String(Substring(name)).asciiLowercased
            if rest.first == UInt8(ascii: "=") {
                rest = rest.dropFirst()
                guard Self.names.contains(word) else { throw .invalidFormat("unknown key option") }
                try set(word, to: AuthorizedKeyOptions.readQuoted(from: &rest), calendar)
            } else if word == "cert-authority" {
                isAuthority = true
            } else {
                throw .invalidFormat("unknown key option")
            }
            guard let next = rest.first else { break }
            guard next == UInt8(ascii: ","), rest.count > 1 else {
                throw .invalidFormat("unknown key option")
            }
            rest = rest.dropFirst()
        }
        if let validAfter, let validBefore, validBefore <= validAfter {
            throw .invalidFormat("\"valid-before\" time is before \"valid-after\"")
        }
    }

    private static let names = ["namespaces", "valid-after", "valid-before"]

    private mutating func set(
        _ name: String,
        to value: String,
        _ calendar: Calendar
    ) throws(KeyError) {
        func time(_ known: UInt64?) throws(KeyError) -> UInt64 {
            guard known == nil else { throw .invalidFormat("multiple \"\(name)\" clauses") }
            guard let seconds = TimeSpecification(value).flatMap(calendar) else {
                throw .invalidFormat("invalid \"\(name)\" time")
            }
            return seconds
        }
        switch name {
        case "valid-after": validAfter = try time(validAfter)
        case "valid-before": validBefore = try time(validBefore)
        default:
            guard namespaces == nil else {
                throw .invalidFormat("multiple \"namespaces\" clauses")
            }
            namespaces = value
        }
    }

    /// Whether the line is about this identity.
    package func isAbout(_ identity: String) -> Bool {
        Pattern.listContains(principals, identity)
    }
}

/// An allowed signers file.
package struct AllowedSigners: Sendable {
    private let lines: [(number: Int, bytes: ArraySlice<UInt8>)]

    package init(contents: [UInt8]) {
        let all = contents.split(separator: 0x0a, omittingEmptySubsequences: false)
        lines = all.enumerated().compactMap { index, line in
            var line = line.drop(while: { $0.isBlank })
            while let last = line.last, last.isBlank || last == 0x0d { line.removeLast() }
            return line.isEmpty || line.first == UInt8(ascii: "#") ? nil : (index + 1, line)
        }
    }

    /// What is to be told of a line.
    package struct Complaint: Sendable {
        /// Why a line does not count, or as a detail what was found in one.
        package enum Kind: Sendable {
            case refusal
            case principalMatched
            case options
            case keyMatched
        }

        package let line: Int
        /// In words for the user.
        package let text: String
        package let kind: Kind

        init(line: Int, text: String, _ kind: Kind = .refusal) {
            self.line = line
            self.text = text
            self.kind = kind
        }

        /// The key of a line is the one, or the authority of the certificate.
        static func matchedKey(_ line: Int, isAuthority: Bool) -> Complaint {
            let key = isAuthority ? "certificate CA key" : "key"
            return Complaint(line: line, text: "matched \(key)", .keyMatched)
        }

        /// The patterns of a line fit.
        static func matchedPrincipal(_ line: Int, _ identity: String) -> Complaint {
            Complaint(line: line, text: "matched principal \"\(identity)\"", .principalMatched)
        }
    }

    /// Whom a time of verification is shown to.
    package struct Moment {
        /// Seconds since 1970.
        package let seconds: UInt64
        package let calendar: AllowedSigner.Calendar
        /// Shows seconds since 1970 to the user.
        package let text: (UInt64) -> String

        package init(
            seconds: UInt64,
            calendar: @escaping AllowedSigner.Calendar,
            text: @escaping (UInt64) -> String
        ) {
            self.seconds = seconds
            self.calendar = calendar
            self.text = text
        }
    }

    /// Whether `identity` may sign with `key` in a namespace: a line is about the identity, holds
    /// the key (or the authority of the certificate), allows the namespace and is valid at the
    /// moment. `complain` hears of the lines that fell short.
    package func allow(
        _ key: PublicKey,
        for identity: String,
        namespace: String,
        at moment: Moment,
        complain: (Complaint) -> Void
    ) -> Bool {
        for (number, bytes) in lines {
            do throws(KeyError) {
                let (principals, rest) = try Self.split(bytes)
                guard Pattern.listContains(principals, identity) else { continue }
                complain(.matchedPrincipal(number, identity))
                let signer = try AllowedSigner(
                    principals: principals,
                    rest: rest,
                    moment.calendar
                ) { complain(Complaint(line: number, text: "options \($0)", .options)) }
                guard try Self.holds(signer, key, names: [identity], moment) else { continue }
                complain(.matchedKey(number, isAuthority: signer.isAuthority))
                if let list = signer.namespaces, !Pattern.listContains(list, namespace) {
                    throw .invalidFormat(
                        "key is not permitted for use in signature namespace \"\(namespace)\""
                    )
                }
                try Self.checkTime(signer, moment)
                return true
            } catch {
                complain(Complaint(line: number, text: Self.words(error)))
            }
        }
        return false
    }

    /// Whom the first line that holds the key names: its patterns, or for an authority those
    /// principals of the certificate that they match. Namespaces are not looked at.
    package func principals(
        of key: PublicKey,
        at moment: Moment,
        complain: (Complaint) -> Void
    ) -> [String] {
        for (number, bytes) in lines {
            do throws(KeyError) {
                let (principals, rest) = try Self.split(bytes)
                let signer = try AllowedSigner(
                    principals: principals,
                    rest: rest,
                    moment.calendar
                ) { complain(Complaint(line: number, text: "options \($0)", .options)) }
                if signer.isAuthority {
                    guard let certificate = key.certificate, certificate.signatureKey == signer.key
                    else { continue }
                    complain(.matchedKey(number, isAuthority: true))
                    try Self.checkTime(signer, moment)
                    let found = certificate.principals.filter { name in
                        signer.isAbout(name)
                            && (try? Self.check(key, names: [name], moment)) != nil
                    }
                    guard !found.isEmpty else {
                        throw .invalidFormat("no valid principals found")
                    }
                    return found
                }
                guard signer.key == key else { continue }
                complain(.matchedKey(number, isAuthority: false))
                try Self.checkTime(signer, moment)
                return principals.split(separator: ",").map(String.init)
            } catch {
                complain(Complaint(line: number, text: Self.words(error)))
            }
        }
        return []
    }

    /// The pattern lists that match an identity. Throws at the first line that matches and is
    /// malformed, after it has complained.
    package func patterns(
        matching identity: String,
        calendar: AllowedSigner.Calendar,
        complain: (Complaint) -> Void
    ) throws(KeyError) -> [String] {
        var found: [String] = []
        for (number, bytes) in lines {
            do throws(KeyError) {
                let (principals, rest) = try Self.split(bytes)
                guard Pattern.listContains(principals, identity) else { continue }
                complain(.matchedPrincipal(number, identity))
                _ = try AllowedSigner(principals: principals, rest: rest, calendar) {
                    complain(Complaint(line: number, text: "options \($0)", .options))
                }
                found.append(principals)
            } catch {
                complain(Complaint(line: number, text: Self.words(error)))
                throw error
            }
        }
        return found
    }

    /// The first word, which may be in quotes, and what follows it.
    private static func split(
        _ line: ArraySlice<UInt8>
    ) throws(KeyError) -> (principals: String, rest: ArraySlice<UInt8>) {
        var word: ArraySlice<UInt8>
        var rest: ArraySlice<UInt8>
        if line.first == UInt8(ascii: "\"") {
            guard let end = line.dropFirst().firstIndex(of: UInt8(ascii: "\"")) else {
                throw .invalidFormat("invalid principals")
            }
            word = line.dropFirst()[..<end]
            rest = line[(end + 1)...]
        } else {
            word = line.prefix { !$0.isBlank }
            rest = line[word.endIndex...]
        }
        rest = rest.drop(while: { $0.isBlank })
        return (String(octets: word), rest)
    }

    private static func holds(
        _ signer: AllowedSigner,
        _ key: PublicKey,
        names: [String],
        _ moment: Moment
    ) throws(KeyError) -> Bool {
        guard signer.isAuthority else { return signer.key == key }
        guard key.certificate?.signatureKey == signer.key else { return false }
        try check(key, names: names, moment)
        return true
    }

    private static func check(
        _ key: PublicKey,
        names: [String],
        _ moment: Moment
    ) throws(KeyError) {
        do throws(CertificateRefusal) {
            _ = try key.validCertificate(of: .user, for: names, at: moment.seconds)
        } catch {
            throw .invalidFormat("certificate not authorized: \(error)")
        }
    }

    private static func checkTime(
        _ signer: AllowedSigner,
        _ moment: Moment
    ) throws(KeyError) {
        let now = "verify time \(moment.text(moment.seconds))"
        if let after = signer.validAfter, moment.seconds < after {
            throw .invalidFormat(
                "key is not yet valid: \(now) < valid-after \(moment.text(after))"
            )
        }
        if let before = signer.validBefore, moment.seconds > before {
            throw .invalidFormat("key has expired: \(now) > valid-before \(moment.text(before))")
        }
    }

    private static func words(_ error: KeyError) -> String {
        if case .invalidFormat(let words) = error { words } else { error.description }
    }
}
