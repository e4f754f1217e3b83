// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserServer

@Suite("The environment of a session, sshd(8) and ssh(1) ENVIRONMENT")
struct LoginEnvironmentTests {
    private func sources() -> LoginEnvironment.Sources {
        LoginEnvironment.Sources(
            userName: "anna",
            isRoot: false,
            home: "/home/anna",
            shell: "/bin/zsh",
            peer: PeerAddress(
                address: "192.0.2.7",
                port: 40000,
                localAddress: "192.0.2.1",
                localPort: 22
            ),
            timeZone: "Europe/Vienna",
            setsMail: true
        )
    }

    @Test("A plain session has these variables and no others")
    func plain() {
        #expect(
            LoginEnvironment(sources()).strings == [
                "USER=anna", "LOGNAME=anna", "HOME=/home/anna",
                "PATH=/usr/local/bin:/usr/bin:/bin:/usr/games", "MAIL=/var/mail/anna",
                "SHELL=/bin/zsh", "TZ=Europe/Vienna", "SSH_CLIENT=192.0.2.7 40000 22",
                "SSH_CONNECTION=192.0.2.7 40000 192.0.2.1 22",
            ]
        )
    }

    @Test("SetEnv wins over what the client sent, and the first SetEnv over later ones")
    func setEnv() {
        var sources = sources()
        sources.accepted = [("A", "client"), ("B", "client")]
        sources.fromConfiguration = [("A", "1"), ("A", "2")]
        let environment = LoginEnvironment(sources)
        #expect(environment["A"] == "1")
        #expect(environment["B"] == "client")
    }

    @Test("What the client sends cannot pretend to be ours")
    func own() {
        var sources = sources()
        sources.accepted = [("USER", "root"), ("SSH_CONNECTION", "x")]
        sources.fromPAM = [("SSH_CLIENT", "x"), ("PATH", "/opt/bin")]
        let environment = LoginEnvironment(sources)
        #expect(environment["USER"] == "anna")
        #expect(environment["SSH_CONNECTION"] == "192.0.2.7 40000 192.0.2.1 22")
        #expect(environment["SSH_CLIENT"] == "192.0.2.7 40000 22")
        #expect(environment["PATH"] == "/opt/bin")
    }

    @Test("On pipes the ends are unknown, in the words that OpenSSH's suite asks for")
    func pipes() {
        #expect(PeerAddress.unknown.connection == "UNKNOWN 65535 UNKNOWN 65535")
    }

    @Test("A file of variables: comments, blank lines and lines without a value are left out")
    func file() {
        let text = "# comment\n\nA=1\n  B=two words\nC\nD=a=b\n"
        let list = LoginEnvironment.parse(fileContents: text)
        #expect(list.map { "\($0.name)|\($0.value)" } == ["A|1", "B|two words", "D|a=b"])
    }

    @Test("Each name is there once, and can be taken out")
    func once() {
        var environment = LoginEnvironment()
        environment["A"] = "1"
        environment["B"] = "2"
        environment["A"] = "3"
        #expect(environment.strings == ["A=3", "B=2"])
        environment["A"] = nil
        #expect(environment.strings == ["B=2"])
        environment["B"] = "4"
        #expect(environment.strings == ["B=4"])
    }
}
