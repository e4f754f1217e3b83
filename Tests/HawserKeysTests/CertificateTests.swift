// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserWire
import Testing

@testable import HawserKeys

/// PROTOCOL.certkeys, and what OpenSSH 10 asks of certificates beyond it.
struct CertificateTests {
    static var random: SeededRandom { SeededRandom(seed: 7) }
    static let kinds: [PrivateKey.NewKey] = [
        .ed25519, .rsa(bits: 2048), .ecdsa(.p256), .ecdsa(.p384), .ecdsa(.p521), .mldsa44Ed25519,
    ]

    let authority: PrivateKey
    let holder: PrivateKey

    init() throws {
        authority = try PrivateKey.generate(.ed25519, random: SeededRandom(seed: 1))
        holder = try PrivateKey.generate(.ed25519, random: SeededRandom(seed: 2))
    }

    func certificate(
        _ kind: Certificate.Kind = .user,
        _ change: (inout CertificateRequest) -> Void = { _ in }
    ) throws -> PublicKey {
        var request = CertificateRequest(kind, holder.publicKey, keyID: "test")
        request.principals = ["alice", "bob"]
        request.validAfter = 100
        request.validBefore = 200
        change(&request)
        return try request.signed(by: authority, random: SeededRandom(seed: 3))
    }

    @Test("Every type of key certifies every type of key", arguments: kinds)
    func types(kind: PrivateKey.NewKey) throws {
        let authority = try PrivateKey.generate(kind, random: Self.random)
        for other in Self.kinds {
            let holder = try PrivateKey.generate(other, random: Self.random)
            var request = CertificateRequest(.host, holder.publicKey, keyID: "id")
            request.principals = ["*.example.com"]
            let certificate = try request.signed(by: authority, random: Self.random)
            #expect(certificate.type == holder.type.certificate)
            #expect(certificate.plain == holder.publicKey)
            let valid = try certificate.validCertificate(
                of: .host,
                for: ["www.Example.com"],
                at: 0
            )
            #expect(valid.authority == authority.publicKey)
        }
    }

    @Test("A certificate of security keys holds the application")
    func securityKeys() throws {
        let point = try NISTCurve.p256.generate().point
        for material: PublicKey.Material in [
            .securityKeyECDSA(point: point, application: Array("ssh:".utf8)),
            .securityKeyEd25519([UInt8](repeating: 7, count: 32), application: Array("ssh:".utf8)),
        ] {
            let key = try PublicKey(material)
            let request = CertificateRequest(.user, key, keyID: "")
            let certificate = try request.signed(by: authority, random: Self.random)
            #expect(try PublicKey(blob: certificate.blob).plain == key)
        }
    }

    @Test("Validity includes its first second and excludes its last")
    func validity() throws {
        let certificate = try certificate()
        #expect(throws: CertificateRefusal.notYetValid) {
            try certificate.validCertificate(of: .user, for: ["bob"], at: 99)
        }
        _ = try certificate.validCertificate(of: .user, for: ["bob"], at: 100)
        _ = try certificate.validCertificate(of: .user, for: ["bob"], at: 199)
        #expect(throws: CertificateRefusal.expired) {
            try certificate.validCertificate(of: .user, for: ["bob"], at: 200)
        }
    }

    @Test("Only a listed name of the right kind gets in")
    func names() throws {
        let user = try certificate()
        _ = try user.validCertificate(of: .user, for: ["carol", "alice"], at: 150)
        for names in [["carol"], ["Alice"], [""], []] {
            #expect(throws: CertificateRefusal.nameNotListed) {
                try user.validCertificate(of: .user, for: names, at: 150)
            }
        }
        #expect(throws: CertificateRefusal.notOfKind(.host)) {
            try user.validCertificate(of: .host, for: ["alice"], at: 150)
        }
        let pattern = try certificate { $0.principals = ["a*"] }
        #expect(throws: CertificateRefusal.nameNotListed) {
            try pattern.validCertificate(of: .user, for: ["alice"], at: 150)
        }
        // The same letters to a reader, and to Swift's `==`.
        let accented = try certificate { $0.principals = ["caf\u{e9}"] }
        #expect(throws: CertificateRefusal.nameNotListed) {
            try accented.validCertificate(of: .user, for: ["cafe\u{301}"], at: 150)
        }
        #expect(throws: CertificateRefusal.notACertificate) {
            try holder.publicKey.validCertificate(of: .user, for: nil, at: 150)
        }
    }

    @Test("A certificate for nobody is for nobody", arguments: [Certificate.Kind.user, .host])
    func noPrincipals(kind: Certificate.Kind) throws {
        let certificate = try certificate(kind) { $0.principals = [] }
        for names in [["alice"], nil] {
            #expect(throws: CertificateRefusal.noPrincipals) {
                try certificate.validCertificate(of: kind, for: names, at: 150)
            }
        }
    }

    @Test("Options are decoded; an unknown critical one refuses, an unknown extension does not")
    func options() throws {
        let certificate = try certificate {
            $0.criticalOptions = [
                .text("force-command", "ls"), .text("source-address", "10.0.0.0/8,::1"),
                .flag("verify-required"),
            ]
            $0.extensions = [.flag("permit-pty"), .flag("zzz@example.com")]
        }
        let valid = try certificate.validCertificate(of: .user, for: ["bob"], at: 150)
        let options = try #require(valid.options)
        #expect(options.forcedCommand == "ls")
        #expect(options.sourceAddresses == ["10.0.0.0/8", "::1"])
        #expect(options.requiresUserVerification)
        #expect(options.requiresUserPresence)
        #expect(options.permitsTerminal)
        #expect(!options.permitsPortForwarding)
        let unknown = try self.certificate { $0.criticalOptions = [.flag("x@example.com")] }
        #expect(throws: CertificateRefusal.unsupportedOption("x@example.com")) {
            try unknown.validCertificate(of: .user, for: ["bob"], at: 150)
        }
        let malformed = try self.certificate { $0.criticalOptions = [.flag("force-command")] }
        #expect(throws: CertificateRefusal.malformedOption("force-command")) {
            try malformed.validCertificate(of: .user, for: ["bob"], at: 150)
        }
        let host = try self.certificate(.host) {
            $0.criticalOptions = [.text("force-command", "x")]
        }
        #expect(throws: CertificateRefusal.unsupportedOption("force-command")) {
            try host.validCertificate(of: .host, for: ["bob"], at: 150)
        }
    }

    @Test("A line of authorized_keys and a certificate limit each other")
    func limits() throws {
        var certificate = try CertificateOptions(
            ofUser: #require(
                try self.certificate {
                    $0.extensions = Certificate.Option.usualExtensions.map { .flag($0) }
                    $0.criticalOptions = [.text("source-address", "10.0.0.0/8")]
                }.certificate
            )
        )
        var line = AuthorizedKeyOptions()
        line.permitsTerminal = false
        line.command = "a"
        let both = try line.limited(by: certificate)
        #expect(!both.permitsTerminal && both.permitsPortForwarding)
        #expect(both.command == "a")
        #expect(both.certificateSourceAddresses == ["10.0.0.0/8"])
        certificate.forcedCommand = "b"
        #expect(throws: CertificateRefusal.conflictingCommands) {
            try line.limited(by: certificate)
        }
        #expect(try AuthorizedKeyOptions().limited(by: certificate).command == "b")
    }

    @Test("The authority's signature algorithm must be allowed")
    func algorithms() throws {
        let authority = try PrivateKey.generate(.rsa(bits: 2048), random: Self.random)
        var request = CertificateRequest(.user, holder.publicKey, keyID: "")
        request.principals = ["bob"]
        let old = try request.signed(by: authority, algorithm: "ssh-rsa", random: Self.random)
        #expect(throws: CertificateRefusal.signature(.algorithmNotAllowed("ssh-rsa"))) {
            try old.validCertificate(of: .user, for: ["bob"], at: 1)
        }
        let new = try request.signed(by: authority, random: Self.random)
        _ = try new.validCertificate(of: .user, for: ["bob"], at: 1, allowing: ["rsa-sha2-512"])
        #expect(throws: CertificateRefusal.self) {
            try new.validCertificate(of: .user, for: ["bob"], at: 1, allowing: ["ssh-ed25519"])
        }
        #expect(throws: CertificateRefusal.signature(.invalidKeyLength(bits: 2048))) {
            try new.validCertificate(of: .user, for: ["bob"], at: 1, minimumRSABits: 3072)
        }
    }

    @Test("No flipped bit and no missing byte leaves a certificate valid")
    func damage() throws {
        let whole = try certificate {
            $0.criticalOptions = [.text("force-command", "ls")]
            $0.extensions = [.flag("permit-pty")]
        }.blob
        func isAccepted(_ bytes: [UInt8]) -> Bool {
            guard let key = try? PublicKey(blob: bytes) else { return false }
            return (try? key.validCertificate(of: .user, for: ["bob"], at: 150)) != nil
        }
        #expect(isAccepted(whole))
        for index in whole.indices {
            for bit in 0..<8 {
                var damaged = whole
                damaged[index] ^= 1 << UInt8(bit)
                #expect(!isAccepted(damaged), "bit \(bit) of byte \(index)")
            }
            #expect(!isAccepted(Array(whole[..<index])))
        }
        #expect(!isAccepted(whole + [0]))
    }

    @Test("A certificate is no authority")
    func chains() throws {
        let middle = try certificate()
        let request = CertificateRequest(.user, holder.publicKey, keyID: "")
        #expect(throws: KeyError.self) {
            try request.bytesToSign(authority: middle, nonce: [])
        }
        let again = CertificateRequest(.user, middle, keyID: "")
        #expect(throws: KeyError.self) {
            try again.bytesToSign(authority: authority.publicKey, nonce: [])
        }
    }
}
