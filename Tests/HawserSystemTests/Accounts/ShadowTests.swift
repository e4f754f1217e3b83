// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserSystem

@Suite("shadow(5) and crypt(5)", .serialized)  // crypt(3) has one buffer
struct ShadowTests {
    private func password(_ text: String) -> SecretBytes { SecretBytes(Array(text.utf8)) }

    /// From crypt(5)'s method list: SHA-512 with the salt `saltstring` and the password
    /// `Hello world!` is the first test of U. Drepper's "Unix crypt using SHA-256 and SHA-512".
    @Test("A password fits the hash that was made from it, and only that one")
    func hash() {
        let hash =
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
        #expect(PasswordHash.matches(password("Hello world!"), hash: hash))
        #expect(!PasswordHash.matches(password("Hello world"), hash: hash))
        #expect(!PasswordHash.matches(password(""), hash: hash))
    }

    @Test(
        "No password fits a mark, an unknown method or no account",
        arguments: ["*", "!", "!!", "$9$unknown$x", "x", nil]
    )
    func marks(hash: String?) {
        #expect(!PasswordHash.matches(password("secret"), hash: hash))
        #expect(!PasswordHash.matches(password(""), hash: hash))
    }

    @Test("An empty hash fits the empty password alone")
    func empty() {
        #expect(PasswordHash.matches(password(""), hash: ""))
        #expect(!PasswordHash.matches(password("x"), hash: ""))
    }

    @Test("Dates: the account's end, a change that is forced, a password that is too old")
    func dates() {
        #expect(Shadow(passwordHash: "x", expiryDay: 100).validity(onDay: 100) == .valid)
        #expect(Shadow(passwordHash: "x", expiryDay: 100).validity(onDay: 101) == .accountExpired)
        // shadow(5) leaves 0 open; OpenSSH takes it as a day like any other.
        #expect(Shadow(passwordHash: "x", expiryDay: 0).validity(onDay: 101) == .accountExpired)
        #expect(
            Shadow(passwordHash: "x", lastChangeDay: 0).validity(onDay: 5) == .passwordChangeForced
        )
        let aged = Shadow(passwordHash: "x", lastChangeDay: 10, maximumDays: 30)
        #expect(aged.validity(onDay: 40) == .valid)
        #expect(aged.validity(onDay: 41) == .passwordAged)
        #expect(
            Shadow(passwordHash: "x", lastChangeDay: 10, maximumDays: 99_999)
                .validity(onDay: 200_000) == .valid
        )
    }

    @Test("A hash that begins with an exclamation mark is a locked account")
    func locked() {
        #expect(Shadow(passwordHash: "!$6$x").isLocked)
        #expect(!Shadow(passwordHash: "*").isLocked)
    }
}
