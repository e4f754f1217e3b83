// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import HawserWire

/// What a library must be before it is opened for its tokens: a file that exists and has the name of
/// the interface's first function in it. Opening any other would run whatever it does when it is
/// loaded.
package enum ProviderLibrary {
    /// The interface that a library has to have.
    package enum Interface: String, Sendable {
        case pkcs11 = "C_GetFunctionList"
        case securityKey = "sk_api_version"
    }

    /// Why it is none, in OpenSSH's words.
    package struct Unfit: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// The library's canonical path. A name without a directory is looked up where the caller
    /// stands, never in library paths.
    package static func path(
        of library: String,
        _ interface: Interface
    ) throws(Unfit) -> String {
        guard let path = Files.canonical(library) else {
            throw Unfit(
                description: "lib_contains_symbol: open \(library): \(SystemError("open").reason)"
            )
        }
        let file: Int32
        do throws(SystemError) {
            file = try Descriptor.open(path, O_RDONLY)
        } catch {
            throw Unfit(description: "lib_contains_symbol: open \(library): \(error.reason)")
        }
        defer { Descriptor.close(file) }
        guard contains(interface.rawValue, file) else {
            throw Unfit(
                description: "lib_contains_symbol: \(library) does not contain expected string "
                    + interface.rawValue
            )
        }
        return path
    }

    /// Reads the file in parts, each behind the end of the one before.
    private static func contains(_ name: String, _ file: Int32) -> Bool {
        let wanted = name.octets
        var bytes = [UInt8](repeating: 0, count: 65536)
        var kept = 0
        while true {
            var transfer = Transfer.ended
            do {
                var whole = bytes.mutableRawBytes
                var rest = whole.suffix(from: kept)
                transfer = Descriptor.read(file, into: &rest)
            }
            guard case .bytes(let count) = transfer else { return false }
            let end = kept + count
            if end >= wanted.count {
                for start in 0...(end - wanted.count)
                where bytes[start] == wanted[0]
                    && bytes[start..<(start + wanted.count)].elementsEqual(wanted)
                {
                    return true
                }
            }
            kept = min(end, wanted.count - 1)
            bytes.replaceSubrange(0..<kept, with: Array(bytes[(end - kept)..<end]))
        }
    }
}
