// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserConfig

@Suite("IPQoS, sshd_config(5)")
struct TypeOfServiceTests {
    @Test("One word is for both, two are for terminals and the rest")
    func words() {
        #expect(TypeOfService(nil) == TypeOfService("ef cs0"))
        #expect(TypeOfService("af21").interactive == 0x48)
        #expect(TypeOfService("af21").bulk == 0x48)
        #expect(TypeOfService("0x10 none").interactive == 0x10)
        #expect(TypeOfService("0x10 none").bulk == nil)
        #expect(TypeOfService("none").interactive == nil)
    }
}
