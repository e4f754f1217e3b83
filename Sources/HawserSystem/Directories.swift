// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

extension Files {
    /// A new directory for this user alone, its name `prefix` and six random letters.
    /// C: `mkdtemp`.
    package static func makeTemporaryDirectory(_ prefix: String) throws(SystemError) -> String {
        var name = (prefix + "XXXXXX").octets.map { CChar(bitPattern: $0) } + [0]
        // SAFETY: changes the six letters in place.
        guard unsafe mkdtemp(&name) != nil else { throw SystemError("mkdtemp", prefix) }
        return String(octets: name.dropLast().map { UInt8(bitPattern: $0) })
    }

    /// The names in a directory, but `.` and `..`, in no order; at most `limit`.
    package static func names(in directory: String, limit: Int = 65536) -> [String] {
        guard let stream = unsafe directory.withCOctets({ unsafe opendir($0) }) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        // SAFETY: the entry lives until the next call; its name is copied at once.
        while names.count < limit, let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe String(
                    cOctets: UnsafeRawPointer(pointer).assumingMemoryBound(to: CChar.self)
                )
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
