// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserServer

@Suite("The effective configuration between processes")
struct ServerSettingsTests {
    @Test("Its text reads back as the same")
    func roundTrip() {
        let text = "subsystem sftp /usr/lib/sftp-server -f AUTH\nport 22\nport 2222\nbanner none\n"
        let settings = ServerSettings(text: text)
        #expect(ServerSettings(text: settings.text) == settings)
        #expect(settings.all("port") == ["22", "2222"])
        #expect(settings.banner == nil)
        #expect(settings.subsystem("sftp") == "/usr/lib/sftp-server -f AUTH")
        #expect(settings.subsystem("other") == nil)
    }

    @Test("Lists of methods; any means none is required")
    func methods() {
        #expect(ServerSettings(text: "authenticationmethods any\n").authenticationMethods.isEmpty)
        #expect(
            ServerSettings(text: "authenticationmethods none\n").authenticationMethods == [["none"]]
        )
        let settings = ServerSettings(text: "authenticationmethods publickey,password hostbased\n")
        #expect(settings.authenticationMethods == [["publickey", "password"], ["hostbased"]])
    }

    @Test("An address of ListenAddress, with and without a port")
    func addresses() {
        #expect(ServerProgram.split("[::1]:2222") == ("::1", 2222))
        #expect(ServerProgram.split("127.0.0.1:22") == ("127.0.0.1", 22))
        #expect(ServerProgram.split("::1") == ("::1", nil))
        #expect(ServerProgram.split("host") == ("host", nil))
    }

    @Test(
        "PermitOpen and PermitListen",
        arguments: [
            ("localhost:80", "localhost", UInt32(80), false, true),
            ("localhost:*", "localhost", 81, false, true), ("*:80", "other", 80, false, true),
            ("localhost:80", "localhost", 81, false, false), ("80", "any", 80, true, true),
            ("80", "any", 80, false, false), ("[::1]:80", "::1", 80, false, true),
        ]
    )
    func permissions(
        entry: String,
        host: String,
        port: UInt32,
        hostsAreOptional: Bool,
        isPermitted: Bool
    ) {
        #expect(
            SessionProcess.matches(
                entry,
                host: host,
                port: port,
                hostsAreOptional: hostsAreOptional
            ) == isPermitted
        )
    }
}
