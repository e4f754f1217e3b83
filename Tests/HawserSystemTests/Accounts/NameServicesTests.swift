// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserSystem

@Suite("The libraries of nsswitch.conf(5)")
struct NameServicesTests {
    @Test("are those that are asked for users and groups, each once")
    func names() {
        let text = """
            # passwd: nothing
            passwd:         files systemd sss
            group:\tfiles [SUCCESS=merge] systemd # winbind
            hosts:          files mdns4_minimal [NOTFOUND=return] dns
            passwd_compat:  nis
            """
        #expect(NameServices.names(in: text) == ["systemd", "sss"])
    }

    @Test("are named by nothing that is a path")
    func paths() {
        #expect(NameServices.names(in: "passwd: ../x a/b /tmp/y.so x86_64").count == 1)
        #expect(NameServices.names(in: "").isEmpty)
    }
}
