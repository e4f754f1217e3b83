// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc

/// What the process that speaks to strangers may ask of the kernel: a seccomp(2) filter.
///
/// Everything that is not on the list ends the process at once. A 32-bit or x32 call is not on it.
package enum Sandbox {
    /// Takes the limits, gives up new privileges and installs the filter, in this order and for good.
    package static func enter() throws(PrivilegeError) {
        try check("setrlimit NPROC", hawser_set_limit(hawser_limit_processes(), 0, 0))
        try check("setrlimit CORE", hawser_set_limit(hawser_limit_core_bytes(), 0, 0))
        try check("no_new_privs", hawser_set_no_new_privileges())
        var program = filter(allowing: allowedCalls).map {
            sock_filter(code: $0.code, jt: $0.jumpIfTrue, jf: $0.jumpIfFalse, k: $0.constant)
        }
        let count = UInt16(program.count)
        let result = unsafe program.withUnsafeMutableBufferPointer { instructions in
            // SAFETY: the kernel copies the instructions during the call.
            var description = unsafe sock_fprog(len: count, filter: instructions.baseAddress)
            return unsafe hawser_set_seccomp_filter(&description)
        }
        try check("seccomp", result)
    }

    /// What a process that only computes and moves bytes between open descriptors needs.
    static let allowedCalls: [Int32] = {
        var calls = [
            SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_close, SYS_shutdown,
            SYS_ppoll, SYS_recvmsg, SYS_sendmsg, SYS_recvfrom, SYS_sendto,
            SYS_mmap, SYS_mprotect, SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk,
            SYS_futex, SYS_sched_yield, SYS_getpid, SYS_gettid,
            SYS_clock_gettime, SYS_gettimeofday, SYS_getrandom,
            SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_restart_syscall,
            SYS_exit, SYS_exit_group,
        ]
        #if arch(x86_64)
        calls += [SYS_poll, SYS_time]
        #endif
        return calls.map { Int32($0) }
    }()

    /// One instruction of BPF.
    struct Instruction: Equatable {
        let code: UInt16
        /// How many instructions to pass over.
        let jumpIfTrue: UInt8
        let jumpIfFalse: UInt8
        let constant: UInt32
    }

    /// The program: right architecture, then one comparison per call, then the end.
    static func filter(allowing calls: [Int32]) -> [Instruction] {
        #if arch(x86_64)
        let architecture: UInt32 = 0xC000_003E
        #elseif arch(arm64)
        let architecture: UInt32 = 0xC000_00B7
        #else
        #error("The architecture's AUDIT_ARCH value is missing here.")
        #endif
        // BPF opcodes: load a word of the call's description, compare, return.
        let load: UInt16 = 0x20
        let jumpIfEqual: UInt16 = 0x15
        let give: UInt16 = 0x06
        let kill: UInt32 = 0x8000_0000  // SECCOMP_RET_KILL_PROCESS
        let allow: UInt32 = 0x7FFF_0000  // SECCOMP_RET_ALLOW
        var program = [
            // seccomp_data.arch
            Instruction(code: load, jumpIfTrue: 0, jumpIfFalse: 0, constant: 4),
            Instruction(code: jumpIfEqual, jumpIfTrue: 1, jumpIfFalse: 0, constant: architecture),
            Instruction(code: give, jumpIfTrue: 0, jumpIfFalse: 0, constant: kill),
            Instruction(code: load, jumpIfTrue: 0, jumpIfFalse: 0, constant: 0),  // seccomp_data.nr
        ]
        for call in calls {
            program.append(
                Instruction(
                    code: jumpIfEqual,
                    jumpIfTrue: 0,
                    jumpIfFalse: 1,
                    constant: UInt32(bitPattern: call)
                )
            )
            program.append(Instruction(code: give, jumpIfTrue: 0, jumpIfFalse: 0, constant: allow))
        }
        program.append(Instruction(code: give, jumpIfTrue: 0, jumpIfFalse: 0, constant: kill))
        return program
    }

    /// Keeps other processes of the same user from tracing this one and reading its memory.
    package static func forbidTracing() {
        _ = hawser_set_dumpable(0)
    }
}
