// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserSystem

@Suite("Addresses of sockets")
struct AddressTests {
    @Test(
        "Numbers say what they mean, as the C library reads them",
        arguments: [
            ("127.0.0.1", "127.0.0.1", true), ("127.255.0.9", "127.255.0.9", true),
            ("10.0.0.200", "10.0.0.200", false), ("255.255.255.255", "255.255.255.255", false),
            ("010.0.0.1", "8.0.0.1", false), ("127.1", "127.0.0.1", true),
            ("::1", "::1", true), ("::ffff:127.0.0.1", "::ffff:127.0.0.1", true),
            ("fd00::1", "fd00::1", false),
        ]
    )
    func numbers(text: String, host: String, isLoopback: Bool) throws {
        let found = try Resolver.addresses(of: text, port: "8022", isNumeric: true)
        let address = try #require(found.first)
        #expect(found.count == 1)
        #expect(address.host == host)
        #expect(address.port == 8022)
        #expect(address.isLoopback == isLoopback)
    }

    @Test(
        "What is no address is none",
        arguments: ["", "1.2.3", "1.2.3.256", "1.2.3.4.5", "1..2.3", "1.2.3.4 ", "a.b.c.d"]
    )
    func notNumbers(text: String) {
        #expect(SocketAddress.plainIPv4(text, port: "22") == nil)
    }

    @Test("An IPv4 number is no IPv6 address")
    func otherFamily() {
        #expect(throws: ResolveError.self) {
            try Resolver.addresses(of: "127.0.0.1", port: "22", family: .ipv6, isNumeric: true)
        }
    }
}
