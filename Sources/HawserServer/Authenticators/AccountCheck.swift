// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserSystem

/// Whether an account may log in at all, whatever it can prove.
struct AccountCheck {
    let settings: ServerSettings
    /// Of the client.
    let address: String
    let hostName: String?

    /// The methods that the configuration switches on, in OpenSSH's order.
    static func enabledMethods(_ settings: ServerSettings) -> [String] {
        var methods: [String] = []
        if settings.isYes("pubkeyauthentication", default: true) { methods.append("publickey") }
        if settings.isYes("gssapiauthentication", default: false), GSSLibrary() != nil {
            methods.append("gssapi-with-mic")
        }
        if settings.isYes("passwordauthentication", default: true) { methods.append("password") }
        // Without PAM nobody gets in by it, and clients are told of it all the same.
        if settings.isYes("kbdinteractiveauthentication", default: true) {
            methods.append("keyboard-interactive")
        }
        if settings.isYes("hostbasedauthentication", default: false) { methods.append("hostbased") }
        return methods
    }

    /// Why an account may not log in, as the log says it.
    func refusal(of user: User) -> String? {
        // A server that runs as an ordinary user can only let that one in.
        if !Identity.isPrivileged, user.uid != Daemon.effectiveUser {
            return "User \(user.name) not allowed because this server cannot become it"
        }
        if !(settings.usesPAM && Identity.isPrivileged) {
            let shadow = ShadowCheck.of(user)
            if shadow.isLocked {
                return "User \(user.name) not allowed because account is locked"
            }
            if shadow.hasExpired {
                return "Account \(user.name) has expired"
            }
        }
        if !user.shell.isEmpty, settings.chrootDirectory == nil {
            guard let shell = Files.status(user.shell) else {
                return "User \(user.name) not allowed because shell \(user.shell) does not exist"
            }
            guard shell.isRegular, shell.mode & 0o111 != 0 else {
                return "User \(user.name) not allowed because shell \(user.shell) "
                    + "is not executable"
            }
        }
        var rules = AccessRules()
        rules.denyUsers = settings.words("denyusers")
        rules.allowUsers = settings.words("allowusers")
        rules.denyGroups = settings.words("denygroups")
        rules.allowGroups = settings.words("allowgroups")
        let reason = rules.refusal(
            user: user.name,
            groups: user.groupNames,
            host: hostName ?? address,
            address: address
        )
        return reason.map {
            "User \(user.name) from \(hostName ?? address) not allowed because \($0)"
        }
    }
}
