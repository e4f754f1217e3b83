// SPDX-License-Identifier: Apache-2.0

import HawserConfig
import Testing

@testable import HawserClient

@Suite("ConnectTimeout and ServerAliveInterval until the user is in (ssh_config(5))")
struct LoginWaitTests {
    static let second: UInt64 = 1_000_000_000

    func wait(connect: Int?, interval: Int?, count: Int?) -> LoginWait {
        var options = ClientOptions()
        options.connectTimeout = connect
        options.serverAliveInterval = interval
        options.serverAliveCountMax = count
        return LoginWait(options, now: 100 * Self.second)
    }

    @Test("Without either a login may take for ever")
    func unbounded() {
        let wait = wait(connect: nil, interval: nil, count: nil)
        #expect(wait.deadline(isIdentified: false, hasKeys: false) == nil)
        #expect(wait.deadline(isIdentified: true, hasKeys: true) == nil)
        #expect(
            self.wait(connect: 0, interval: 0, count: 3)
                .deadline(isIdentified: true, hasKeys: false) == nil
        )
        #expect(
            self.wait(connect: 0, interval: 5, count: 0)
                .deadline(isIdentified: true, hasKeys: false) == nil
        )
    }

    @Test("ConnectTimeout is for the identification and the first keys")
    func connecting() {
        let wait = wait(connect: 3, interval: nil, count: nil)
        #expect(wait.deadline(isIdentified: false, hasKeys: false) == 103 * Self.second)
        #expect(wait.deadline(isIdentified: true, hasKeys: false) == 103 * Self.second)
        #expect(wait.deadline(isIdentified: true, hasKeys: true) == nil)
    }

    @Test("A server that has said who it is may be silent for so many keep-alives")
    func silence() {
        var wait = wait(connect: nil, interval: 2, count: 4)
        #expect(wait.deadline(isIdentified: false, hasKeys: false) == nil)
        #expect(wait.deadline(isIdentified: true, hasKeys: false) == 108 * Self.second)
        wait.note(
            begin: 105 * Self.second,
            end: 105 * Self.second,
            lastReceived: 105 * Self.second
        )
        #expect(wait.deadline(isIdentified: true, hasKeys: true) == 113 * Self.second)
    }

    @Test("A person's time is not the server's")
    func person() {
        var wait = wait(connect: 3, interval: 2, count: 1)
        wait.note(
            begin: 101 * Self.second,
            end: 131 * Self.second,
            lastReceived: 101 * Self.second
        )
        #expect(wait.deadline(isIdentified: true, hasKeys: false) == 133 * Self.second)
        #expect(wait.deadline(isIdentified: false, hasKeys: false) == 133 * Self.second)
    }

    @Test("No number of the configuration's is too large")
    func huge() {
        let wait = wait(connect: .max, interval: .max, count: .max)
        #expect(wait.deadline(isIdentified: true, hasKeys: false) != 0)
    }
}
