// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserSystem

@Suite("passwd(5) and group(5)")
struct UserTests {
    @Test("root is number 0, by name and by number")
    func root() {
        let root = User.named("root")
        #expect(root?.uid == 0)
        #expect(User.numbered(0)?.name == root?.name)
        #expect(root?.groupNumbers.first == root?.gid)
        #expect(root?.groupNames.contains("root") == true)
    }

    @Test("Who does not exist is nobody")
    func missing() {
        #expect(User.named("no-such-user-here") == nil)
        #expect(Group.number(of: "no-such-group-here") == nil)
    }

    @Test("Without a shell in the database it is /bin/sh")
    func shell() {
        #expect(User(name: "a", uid: 1, gid: 1, home: "/", shell: "").loginShell == "/bin/sh")
    }
}
