// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// Routing domains, which Linux knows as network interfaces (VRF): what speaks through one of them
/// sees its routes and no others.
package enum RoutingDomain {
    /// Lets this process and those that it starts make Internet sockets in a domain only. Needs
    /// root, and a control group (version 2) below its own for the program that the kernel runs for
    /// every new socket; as ip-vrf(8) does it.
    package static func enter(_ name: String) throws(SystemError) {
        guard let number = Interfaces.number(of: name) else {
            throw SystemError("if_nametoindex", name)
        }
        guard let own = ownGroup else {
            throw SystemError("no control group of version 2", name, number: ENOSYS)
        }
        // The same name may be another interface in another network namespace.
        let parent = "\(own)/hawser-rdomain"
        let namespace = Files.status("/proc/self/ns/net")?.inode ?? 0
        let group = "\(parent)/\(name)-\(namespace)"
        for directory in [parent, group] where !Files.exists(directory) {
            try Files.makeDirectory(directory, mode: 0o755)
        }
        // DIRECTORY CLOEXEC RDONLY
        let directory = try Descriptor.open(group, 0o200000 | 0o2000000)
        defer { Descriptor.close(directory) }
        let program = try load(binding: number)
        defer { Descriptor.close(program) }
        guard
            hawser_attach_bpf_program(
                BPF_CGROUP_INET_SOCK_CREATE.rawValue,
                program,
                directory
            ) == 0
        else { throw SystemError("bpf(BPF_PROG_ATTACH)", group) }
        // WRONLY CLOEXEC
        let members = try Descriptor.open("\(group)/cgroup.procs", 1 | 0o2000000)
        defer { Descriptor.close(members) }
        guard Descriptor.writeAll(members, "\(getpid())".octets) else {
            throw SystemError("write", "\(group)/cgroup.procs")
        }
    }

    /// A program for the kernel that binds a new socket to an interface, and permits it:
    /// `socket->bound_dev_if = number; return 1` (bpf(2), `struct bpf_sock`).
    private static func load(binding number: UInt32) throws(SystemError) -> Int32 {
        // Opcode, registers (source in the high half), offset, immediate.
        let instructions: [(UInt8, UInt8, Int32)] = [
            (0xb7, 2, Int32(bitPattern: number)),  // r2 = number
            (0x63, 1 | 2 << 4, 0),  // *(u32 *)(r1 + 0) = r2
            (0xb7, 0, 1),  // r0 = 1
            (0x95, 0, 0),  // exit
        ]
        var code: [UInt8] = []
        for (opcode, registers, immediate) in instructions {
            code += [opcode, registers, 0, 0]
            let bits = UInt32(bitPattern: immediate).littleEndian
            code += (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
        }
        // SAFETY: the kernel reads `count` instructions of eight bytes before the call is over.
        let program = unsafe code.withUnsafeBytes { bytes in
            unsafe hawser_load_bpf_program(
                BPF_PROG_TYPE_CGROUP_SOCK.rawValue,
                BPF_CGROUP_INET_SOCK_CREATE.rawValue,
                bytes.baseAddress,
                UInt32(clamping: instructions.count)
            )
        }
        guard program >= 0 else { throw SystemError("bpf(BPF_PROG_LOAD)") }
        return program
    }

    /// The directory of this process's control group of version 2 (cgroups(7)).
    private static var ownGroup: String? {
        func lines(_ path: String) -> [Substring] {
            let text = (try? Files.read(path, limit: 1 << 20)) ?? []
            return String(octets: text).split(separator: "\n")
        }
        guard let own = lines("/proc/self/cgroup").first(where: { $0.hasPrefix("0::") }) else {
            return nil
        }
        for line in lines("/proc/self/mounts") {
            let fields = line.split(separator: " ")
            guard fields.count > 2, fields[2] == "cgroup2" else { continue }
            let path = own.dropFirst(3)
            return String(fields[1]) + (path == "/" ? "" : path)
        }
        return nil
    }
}
