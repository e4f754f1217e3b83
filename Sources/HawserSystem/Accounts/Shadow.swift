// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
package import HawserWire

/// The secret half of an account, shadow(5). Only root can read it.
package struct Shadow: Sendable {
    /// The hash as crypt(5) writes it, or a mark that no password fits.
    package var passwordHash: String
    /// Days since 1970 on which the password was last changed; 0: it must be changed now.
    package var lastChangeDay: Int?
    /// Days after which the password must be changed.
    package var maximumDays: Int?
    /// Days before that on which a warning is due.
    package var warningDays: Int?
    /// Days after that on which the account still works.
    package var inactiveDays: Int?
    /// The day since 1970 on which the account ends.
    package var expiryDay: Int?

    package init(
        passwordHash: String,
        lastChangeDay: Int? = nil,
        maximumDays: Int? = nil,
        warningDays: Int? = nil,
        inactiveDays: Int? = nil,
        expiryDay: Int? = nil
    ) {
        self.passwordHash = passwordHash
        self.lastChangeDay = lastChangeDay
        self.maximumDays = maximumDays
        self.warningDays = warningDays
        self.inactiveDays = inactiveDays
        self.expiryDay = expiryDay
    }

    /// The entry of an account, if there is one and this process may read it. C: `getspnam`.
    package static func entry(for user: User) -> Shadow? {
        // SAFETY: the entry lives until the next call and is copied at once.
        guard let found = unsafe user.name.withCOctets({ unsafe getspnam($0) }) else { return nil }
        let entry = unsafe found.pointee
        guard let hash = unsafe entry.sp_pwdp else { return nil }
        func day(_ value: Int) -> Int? { value < 0 ? nil : value }
        return unsafe Shadow(
            passwordHash: String(cOctets: hash),
            lastChangeDay: day(entry.sp_lstchg),
            maximumDays: day(entry.sp_max),
            warningDays: day(entry.sp_warn),
            inactiveDays: day(entry.sp_inact),
            expiryDay: day(entry.sp_expire)
        )
    }
}

extension Shadow {
    /// What the dates of an entry mean on a day.
    package enum Validity: Equatable, Sendable {
        case valid
        case accountExpired
        /// An administrator has set the last change to day 0.
        case passwordChangeForced
        /// The password is older than it may be.
        case passwordAged
    }

    /// Whether account and password are still good on `day` (days since 1970, UTC).
    package func validity(onDay day: Int) -> Validity {
        if let expiryDay, day > expiryDay { return .accountExpired }
        guard let lastChangeDay else { return .valid }
        if lastChangeDay == 0 { return .passwordChangeForced }
        if let maximumDays, maximumDays < 99_999, day > lastChangeDay + maximumDays {
            return .passwordAged
        }
        return .valid
    }

    /// Whether an administrator has locked the account: the hash begins with an exclamation mark.
    package var isLocked: Bool { passwordHash.hasPrefix("!") }
}

/// Passwords and their hashes, crypt(3).
package enum PasswordHash {
    /// Whether `password` is what `hash` was made from. An empty hash fits only an empty password.
    ///
    /// `nil` in place of a hash costs the same time as a hash that does not fit, so that the answer
    /// does not tell whether an account exists.
    package static func matches(_ password: SecretBytes, hash: String?) -> Bool {
        if let hash, hash.isEmpty { return password.isEmpty }
        guard let library = CryptLibrary.shared else { return false }
        // A hash of no password, in the method that Debian's passwd uses.
        let setting = hash ?? "$y$j9T$uZ9xgM0ePtPn1xJPmwXGx.$"
        guard !password.exposed.contains(0) else { return false }
        guard let made = library.crypt(password, setting: setting), let hash else { return false }
        // A method that crypt(3) does not know gives a mark that starts with an asterisk.
        // What is shorter than the oldest hashes is none, whatever a library makes of it: a mark such
        // as "x" or "!" (CVE-2026-123158).
        guard !made.hasPrefix("*"), !hash.hasPrefix("*"), hash.utf8.count >= shortestHashBytes
        else { return false }
        return ConstantTime.equal(made.octets, hash.octets)
    }

    /// Of DES, with its salt, crypt(5).
    private static let shortestHashBytes = 13
}

/// libcrypt, opened by the first password check: no other process of ours pays for it.
@safe
private struct CryptLibrary: Sendable {
    private typealias Crypt =
        @convention(c) (
            UnsafePointer<CChar>, UnsafePointer<CChar>
        ) -> UnsafeMutablePointer<CChar>?

    private let function: Crypt

    static let shared = CryptLibrary()

    private init?() {
        guard let library = DynamicLibrary("libcrypt.so.1"),
            let function = unsafe library.function("crypt", Crypt.self)
        else { return nil }
        unsafe self.function = unsafe function
    }

    /// The hash of `password` with the method and salt of `setting`.
    func crypt(_ password: SecretBytes, setting: String) -> String? {
        var terminated = password.exposed.map { CChar(bitPattern: $0) } + [0]
        defer { for index in terminated.indices { terminated[index] = 0 } }
        // SAFETY: both strings end with a zero; the answer lies in a static buffer, copied at once.
        guard let made = unsafe function(terminated, setting) else { return nil }
        return unsafe String(cOctets: made)
    }
}
