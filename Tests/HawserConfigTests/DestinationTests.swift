// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserConfig

@Suite("Destinations of the command line")
struct DestinationTests {
    @Test("A user, a host and a port are taken apart")
    func parts() {
        let plain = Destination("me@there")
        #expect(plain?.user == "me" && plain?.host == "there" && plain?.port == nil)
        let uri = Destination("ssh://me%2b@[2001:db8::1]:2222")
        #expect(uri?.user == "me+" && uri?.host == "2001:db8::1" && uri?.port == 2222)
        // Only the last @ divides.
        #expect(Destination("a@b@there")?.user == "a@b")
    }

    @Test(
        "What could reach a shell or an option is refused (CVE-2023-51385, CVE-2026-35386)",
        arguments: [
            "`id`", "$(id)", "a;b", "a|b", "a&b", "a>b", "-oProxyCommand=x", "a\nb", "a\"b",
        ]
    )
    func harm(text: String) {
        #expect(!Destination.isSafe(host: text))
        #expect(!Destination.isSafe(user: text))
        #expect(Destination("\(text)@there") == nil)
    }

    @Test(
        "An accent behind a sign does not hide it",
        arguments: [
            "a;\u{301}id", "`\u{301}id`\u{301}", "$\u{308}(id)", "-\u{301}oX=y", "a|\u{200d}b",
        ]
    )
    func accents(text: String) {
        #expect(!Destination.isSafe(host: text))
        #expect(!Destination.isSafe(user: text))
    }

    @Test("Dollars and backslashes in users are refused (CVE-2026-106583)")
    func dollars() {
        #expect(!Destination.isSafe(user: "$HOME") && !Destination.isSafe(user: "a\\b"))
    }

    @Test("Control characters do not come in as percent codes (CVE-2025-61985)")
    func codes() {
        #expect(Destination("ssh://a%00b@there") == nil)
        #expect(Destination("ssh://a%0ab@there") == nil)
    }

    @Test("Names of people and hosts pass", arguments: ["müller", "a.b-c_d", "x1", "用户"])
    func names(text: String) {
        #expect(Destination.isSafe(user: text) && Destination.isSafe(host: text))
    }
}
