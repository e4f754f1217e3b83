// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserServer

@Suite("AuthenticationMethods, sshd_config(5)")
struct MethodProgressTests {
    let enabled = ["publickey", "password", "keyboard-interactive"]

    @Test("Without lists one method is enough")
    func any() {
        var progress = MethodProgress(enabled: enabled, lists: [])
        #expect(progress.methods == enabled)
        let step1 = progress.complete("password")
        #expect(step1)
    }

    @Test("A list is gone through in its order")
    func order() {
        var progress = MethodProgress(enabled: enabled, lists: [["publickey", "password"]])
        #expect(progress.methods == ["publickey"])
        #expect(!progress.allows("password"))
        let step2 = progress.complete("publickey")
        #expect(!step2)
        #expect(progress.methods == ["password"])
        let step3 = progress.complete("password")
        #expect(step3)
    }

    @Test("One complete list of several is enough")
    func alternatives() {
        var progress = MethodProgress(
            enabled: enabled,
            lists: [["publickey", "publickey"], ["password"]]
        )
        #expect(progress.methods == ["publickey", "password"])
        let step4 = progress.complete("publickey")
        #expect(!step4)
        #expect(progress.methods == ["publickey", "password"])
        let step5 = progress.complete("publickey")
        #expect(step5)
    }

    @Test("A list with a method that is off does not count")
    func off() {
        let progress = MethodProgress(enabled: ["publickey"], lists: [["password"]])
        #expect(progress.isHopeless)
        #expect(progress.methods.isEmpty)
    }

    @Test("A device narrows a method")
    func device() {
        var progress = MethodProgress(
            enabled: enabled,
            lists: [["keyboard-interactive:pam", "publickey"]]
        )
        #expect(progress.allows("keyboard-interactive", device: "pam"))
        #expect(!progress.allows("keyboard-interactive", device: "bsdauth"))
        let step6 = progress.complete("keyboard-interactive", device: "bsdauth")
        #expect(!step6)
        #expect(progress.methods == ["keyboard-interactive"])
        let step7 = progress.complete("keyboard-interactive", device: "pam")
        #expect(!step7)
        let step8 = progress.complete("publickey")
        #expect(step8)
    }

    @Test("none is a method like others, though nobody is told of it")
    func none() {
        var progress = MethodProgress(enabled: enabled, lists: [["none"], ["none", "publickey"]])
        #expect(!progress.isHopeless)
        #expect(progress.allows("none"))
        #expect(!progress.allows("password"))
        #expect(progress.methods.isEmpty)
        let isDone = progress.complete("none")
        #expect(isDone)
        #expect(MethodProgress(enabled: enabled, lists: []).allows("none"))
        #expect(!MethodProgress(enabled: enabled, lists: [["password"]]).allows("none"))
    }
}
