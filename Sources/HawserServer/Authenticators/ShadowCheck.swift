// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem
internal import HawserWire

/// What shadow(5) says of an account. It is asked in a child that ends with the answer: the file's
/// other lines stay nowhere in memory.
struct ShadowCheck: Equatable {
    var isLocked = false
    var hasExpired = false
    var needsNewPassword = false

    static func of(_ user: User) -> ShadowCheck {
        let answer = Fork.answer {
            guard let shadow = Shadow.entry(for: user) else { return [0, 0, 0] }
            let validity = shadow.validity(onDay: CivilTime.today)
            return [
                shadow.isLocked ? 1 : 0,
                validity == .accountExpired ? 1 : 0,
                validity != .valid ? 1 : 0,
            ]
        }
        // No answer is no permission.
        guard let answer, answer.count == 3 else { return ShadowCheck(isLocked: true) }
        return ShadowCheck(
            isLocked: answer[0] == 1,
            hasExpired: answer[1] == 1,
            needsNewPassword: answer[2] == 1
        )
    }

    /// Whether it is the account's password; the same work is done for nobody's.
    static func matches(_ password: SecretBytes, _ user: User?) -> Bool {
        let answer = Fork.answer {
            let hash = user.flatMap { Shadow.entry(for: $0)?.passwordHash ?? $0.passwordField }
            return [PasswordHash.matches(password, hash: hash) ? 1 : 0]
        }
        return answer == [1]
    }
}
