// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import HawserWire

/// One account of the system's password database, passwd(5).
package struct User: Equatable, Sendable {
    package var name: String
    /// The user's number.
    package var uid: UInt32
    /// The number of the primary group.
    package var gid: UInt32
    /// The comment field: the full name and what follows it.
    package var fullName: String
    package var home: String
    /// The login shell as the database has it; empty means `/bin/sh`.
    package var shell: String
    /// The password field of passwd(5): `x` when the password is in shadow(5).
    package var passwordField: String

    package init(
        name: String,
        uid: UInt32,
        gid: UInt32,
        fullName: String = "",
        home: String,
        shell: String,
        passwordField: String = "x"
    ) {
        self.name = name
        self.uid = uid
        self.gid = gid
        self.fullName = fullName
        self.home = home
        self.shell = shell
        self.passwordField = passwordField
    }
}

extension User {
    /// Where this process' user is at home: what the environment says, or else the account.
    package static var homeDirectory: String? { Environment.value("HOME") ?? current?.home }

    /// The account of that name, as every source of nsswitch.conf(5) knows it. C: `getpwnam`.
    package static func named(_ name: String) -> User? {
        // SAFETY: the entry lives until the next call; it is copied at once, and no other thread
        // runs in our processes.
        guard let entry = unsafe name.withCOctets({ unsafe getpwnam($0) }) else { return nil }
        return unsafe User(entry.pointee)
    }

    /// The account of that number. C: `getpwuid`.
    package static func numbered(_ uid: UInt32) -> User? {
        // SAFETY: as in `named`.
        guard let entry = unsafe getpwuid(uid) else { return nil }
        return unsafe User(entry.pointee)
    }

    /// The account that this process runs as, if it still exists.
    package static var current: User? { numbered(geteuid()) }

    private init(_ entry: passwd) {
        unsafe self.init(
            name: text(entry.pw_name),
            uid: entry.pw_uid,
            gid: entry.pw_gid,
            fullName: text(entry.pw_gecos),
            home: text(entry.pw_dir),
            shell: text(entry.pw_shell),
            passwordField: text(entry.pw_passwd)
        )
    }

    /// The shell to start: the database's, or `/bin/sh` where it has none.
    package var loginShell: String { shell.isEmpty ? "/bin/sh" : shell }

    /// The numbers of every group that the user is in, the primary one first. C: `getgrouplist`.
    ///
    /// Asked for once in a process for the same user: every source of nsswitch.conf(5) is read for
    /// it, and a login needs it in several steps, which should all see the same.
    package var groupNumbers: [UInt32] {
        // SAFETY: no other thread runs in a process that asks.
        if let last = unsafe Self.lastGroups, last.name == name, last.gid == gid {
            return last.numbers
        }
        let numbers = readGroupNumbers()
        unsafe Self.lastGroups = (name, gid, numbers)
        return numbers
    }

    nonisolated(unsafe) private static var lastGroups:
        (name: String, gid: UInt32, numbers: [UInt32])?

    private func readGroupNumbers() -> [UInt32] {
        var count: Int32 = 64
        while true {
            var groups = [gid_t](repeating: 0, count: Int(count))
            let room = count
            // SAFETY: the list has room for `count` numbers, and `count` returns what is needed.
            let result = unsafe name.withCOctets {
                unsafe getgrouplist($0, gid, &groups, &count)
            }
            if result >= 0 { return Array(groups.prefix(Int(count))) }
            guard count > room, count <= 1 << 16 else { return [gid] }
        }
    }

    /// The names of those groups that have one.
    package var groupNames: [String] { groupNumbers.compactMap(Group.name(of:)) }
}

/// The group database, group(5).
package enum Group {
    /// The name of the group of that number. C: `getgrgid`.
    package static func name(of gid: UInt32) -> String? {
        // SAFETY: the entry lives until the next call and is copied at once.
        guard let entry = unsafe getgrgid(gid) else { return nil }
        return unsafe text(entry.pointee.gr_name)
    }

    /// The number of the group of that name. C: `getgrnam`.
    package static func number(of name: String) -> UInt32? {
        // SAFETY: as above.
        guard let entry = unsafe name.withCOctets({ unsafe getgrnam($0) }) else { return nil }
        return unsafe entry.pointee.gr_gid
    }
}

/// A C string of a database entry, empty where the entry has none.
private func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
    guard let pointer = unsafe pointer else { return "" }
    return unsafe String(cOctets: pointer)
}
