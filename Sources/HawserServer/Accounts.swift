// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem
internal import HawserWire

/// The accounts that can be served.
enum Accounts {
    /// The account of a name.
    static func named(_ name: String) -> User? {
        User.named(name) ?? own.flatMap { $0.name.hasSameOctets(as: name) ? $0 : nil }
    }

    static func numbered(_ uid: UInt32) -> User? {
        User.numbered(uid) ?? own.flatMap { $0.uid == uid ? $0 : nil }
    }

    /// Of a server that is not root's and whose user is in no database, as in a container with a
    /// number of its own: what the environment says of it.
    private static var own: User? {
        let uid = Daemon.effectiveUser
        guard !Identity.isPrivileged, User.numbered(uid) == nil else { return nil }
        let name = Environment.value("USER") ?? Environment.value("LOGNAME") ?? String(uid)
        return User(
            name: name,
            uid: uid,
            gid: Identity.effectiveGroup,
            home: Environment.value("HOME") ?? "/",
            shell: Environment.value("SHELL") ?? "/bin/sh"
        )
    }

    /// What a process of ours has to know: the time zone, and what finds the account again.
    static var environment: [String] {
        let names = Identity.isPrivileged ? ["TZ"] : ["TZ", "USER", "LOGNAME", "HOME", "SHELL"]
        return names.compactMap { name in Environment.value(name).map { "\(name)=\($0)" } }
    }
}
