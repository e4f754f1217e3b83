// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserServer

@Suite("What a session runs")
struct LoginShellTests {
    @Test("A login shell's name begins with a minus sign")
    func login() {
        let shell = LoginShell.interactive(shell: "/usr/bin/zsh")
        #expect(shell.path == "/usr/bin/zsh")
        #expect(shell.arguments == ["-zsh"])
    }

    @Test("A command goes to the shell as one argument")
    func command() {
        let shell = LoginShell.command(Array("ls -l; echo 'x y'".utf8), shell: "/bin/bash")
        #expect(shell.arguments == ["bash", "-c", "ls -l; echo 'x y'"])
    }

    @Test("A command that is not UTF-8 stays as the client sent it")
    func bytes() {
        let shell = LoginShell.command([0x6c, 0x73, 0x20, 0xe9], shell: "/bin/sh")
        #expect(shell.arguments.last?.octets == [0x6c, 0x73, 0x20, 0xe9])
    }

    @Test("The title lists the terminals")
    func title() {
        #expect(
            SessionTitle.text(user: "anna", terminals: ["/dev/pts/2", "/dev/pts/13"])
                == "anna@pts/2,pts/13"
        )
        #expect(SessionTitle.text(user: "anna", terminals: []) == "anna@notty")
    }
}
