// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserSystem

@Suite("The filter of system calls, seccomp(2)")
struct SandboxTests {
    /// Runs the filter as the kernel would: load, jump if equal, return.
    private func verdict(architecture: UInt32, call: UInt32) -> UInt32? {
        let program = Sandbox.filter(allowing: [1, 60])
        var index = 0
        var word: UInt32 = 0
        while index < program.count {
            let step = program[index]
            switch step.code {
            case 0x20: word = step.constant == 4 ? architecture : call
            case 0x15: index += Int(word == step.constant ? step.jumpIfTrue : step.jumpIfFalse)
            case 0x06: return step.constant
            default: return nil
            }
            index += 1
        }
        return nil
    }

    #if arch(x86_64)
    @Test("What is on the list is allowed, anything else ends the process")
    func verdicts() {
        let here: UInt32 = 0xC000_003E
        #expect(verdict(architecture: here, call: 1) == 0x7FFF_0000)
        #expect(verdict(architecture: here, call: 60) == 0x7FFF_0000)
        #expect(verdict(architecture: here, call: 2) == 0x8000_0000)
        #expect(verdict(architecture: here, call: 0x4000_0001) == 0x8000_0000)  // x32
        #expect(verdict(architecture: 0x4000_0003, call: 1) == 0x8000_0000)  // i386
    }
    #endif

    @Test("No call that opens a file, starts a program or changes an identity is on the list")
    func list() {
        // x86-64: open 2, execve 59, fork 57, socket 41, connect 42, setuid 105, openat 257.
        #if arch(x86_64)
        for number: Int32 in [2, 41, 42, 56, 57, 59, 105, 257] {
            #expect(!Sandbox.allowedCalls.contains(number))
        }
        #endif
    }
}
