// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// The GSS-API (RFC 2744) through the system's libgssapi_krb5, opened by the first who uses it: no
/// other process pays for it.
@safe
package final class GSSLibrary {
    typealias Minor = UnsafeMutablePointer<UInt32>
    typealias Buffer = UnsafeMutablePointer<hawser_gss_buffer>
    typealias Identifier = UnsafeMutablePointer<hawser_gss_oid>
    typealias Handle = UnsafeMutablePointer<OpaquePointer?>

    package static let fileName = "libgssapi_krb5.so.2"

    private let library: DynamicLibrary

    /// Nil when there is no such library on this machine.
    package init?() {
        guard let library = DynamicLibrary(Self.fileName), library.has("gss_init_sec_context")
        else { return nil }
        self.library = library
    }

    /// A function of the library by its name and its type in RFC 2744 §5; nil when it has none.
    func function<Function>(_ name: String, _ type: Function.Type) -> Function? {
        library.function(name, type)
    }

    /// The mechanisms that the library has, as the content octets of their identifiers, without
    /// those that only negotiate another (RFC 4462 §5) and old names of Kerberos.
    /// C: `gss_indicate_mechs`.
    package func mechanisms() -> [[UInt8]] {
        typealias Indicate =
            @convention(c) (Minor, UnsafeMutablePointer<UnsafeMutablePointer<hawser_gss_oid_set>?>)
            -> UInt32
        typealias Release = Indicate
        guard let indicate = unsafe function("gss_indicate_mechs", Indicate.self),
            let release = unsafe function("gss_release_oid_set", Release.self)
        else { return [] }
        var minor: UInt32 = 0
        var set: UnsafeMutablePointer<hawser_gss_oid_set>?
        guard unsafe indicate(&minor, &set) == 0, let list = unsafe set else { return [] }
        defer { _ = unsafe release(&minor, &set) }
        var result: [[UInt8]] = []
        for index in 0..<min(unsafe list.pointee.count, Self.maximumMechanisms) {
            // SAFETY: the set has `count` identifiers, each with `length` bytes.
            let identifier = unsafe list.pointee.elements[index]
            guard let start = unsafe identifier.elements, unsafe identifier.length < 128 else {
                continue
            }
            let bytes = unsafe Array(
                UnsafeRawBufferPointer(start: start, count: Int(identifier.length))
            )
            if !Self.unwanted.contains(bytes), !result.contains(bytes) { result.append(bytes) }
        }
        return result
    }

    private static let maximumMechanisms = 64

    private static let unwanted: [[UInt8]] = [
        [0x2b, 6, 1, 5, 5, 2],  // SPNEGO
        [0x2b, 6, 1, 5, 2, 5],  // IAKERB
        [0x2b, 5, 1, 5, 2],  // Kerberos, old
        [0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 1, 2, 2],  // Kerberos, Microsoft's misprint
    ]

    // MARK: What others of this folder need

    /// Lends bytes as C has them.
    static func lending<Result>(_ bytes: [UInt8], _ body: (Buffer) -> Result) -> Result {
        unsafe bytes.withUnsafeBytes { bytes in
            var buffer = unsafe hawser_gss_buffer(length: bytes.count, value: bytes.baseAddress)
            return unsafe body(&buffer)
        }
    }

    /// Lends an identifier as C has it.
    static func lending<Result>(
        identifier bytes: [UInt8],
        _ body: (Identifier) -> Result
    ) -> Result {
        unsafe bytes.withUnsafeBytes { bytes in
            var identifier = unsafe hawser_gss_oid(
                length: UInt32(clamping: bytes.count),
                elements: bytes.baseAddress
            )
            return unsafe body(&identifier)
        }
    }

    /// The bytes of a buffer that the library made, which is given back.
    func take(_ buffer: inout hawser_gss_buffer) -> [UInt8] {
        typealias Release = @convention(c) (Minor, Buffer) -> UInt32
        var result: [UInt8] = []
        let count = unsafe buffer.length
        if let start = unsafe buffer.value, count > 0, count <= Self.maximumBytes {
            // SAFETY: the library says that so many bytes are there.
            result = unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
        }
        var minor: UInt32 = 0
        _ = unsafe function("gss_release_buffer", Release.self)?(&minor, &buffer)
        return result
    }

    private static let maximumBytes = 1 << 20

    /// Gives a handle back by a function of one handle, for example `gss_release_name`.
    func release(_ handle: inout OpaquePointer?, with name: String) {
        typealias Release = @convention(c) (Minor, Handle) -> UInt32
        guard unsafe handle != nil else { return }
        var minor: UInt32 = 0
        _ = unsafe function(name, Release.self)?(&minor, &handle)
        unsafe handle = nil
    }

    /// The name of the service `host` of a host, which `body` may use. C: `gss_import_name`.
    func withHostService<Result>(
        _ host: String,
        _ body: (OpaquePointer) throws(GSSError) -> Result
    ) throws(GSSError) -> Result {
        typealias Import = @convention(c) (Minor, Buffer, Identifier, Handle) -> UInt32
        guard let importName = unsafe function("gss_import_name", Import.self) else {
            throw .incomplete
        }
        var minor: UInt32 = 0
        var name: OpaquePointer?
        let major = unsafe Self.lending("host@\(host)".octets) { text in
            unsafe Self.lending(identifier: Self.hostBasedService) { kind in
                unsafe importName(&minor, text, kind, &name)
            }
        }
        defer { unsafe release(&name, with: "gss_release_name") }
        guard !GSSError.isError(major), let made = unsafe name else {
            throw error(major, minor, mechanism: nil)
        }
        return try unsafe body(made)
    }

    /// `GSS_C_NT_HOSTBASED_SERVICE`, RFC 2744 §6: 1.2.840.113554.1.2.1.4.
    private static let hostBasedService: [UInt8] = [
        0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 1, 4,
    ]

    /// A failure in words. C: `gss_display_status`.
    func error(
        _ major: UInt32,
        _ minor: UInt32,
        mechanism: [UInt8]?,
        token: [UInt8] = []
    ) -> GSSError {
        let general = describe(major, kind: 1, mechanism: nil)
        let special = describe(minor, kind: 2, mechanism: mechanism)
        return GSSError(texts: general + special, token: token)
    }

    private func describe(_ status: UInt32, kind: Int32, mechanism: [UInt8]?) -> [String] {
        typealias Display =
            @convention(c) (Minor, UInt32, Int32, Identifier?, Minor, Buffer) -> UInt32
        guard let display = unsafe function("gss_display_status", Display.self) else { return [] }
        var texts: [String] = []
        var context: UInt32 = 0
        repeat {
            var minor: UInt32 = 0
            var text = unsafe hawser_gss_buffer(length: 0, value: nil)
            let major =
                if let mechanism {
                    unsafe Self.lending(identifier: mechanism) { identifier in
                        unsafe display(&minor, status, kind, identifier, &context, &text)
                    }
                } else {
                    unsafe display(&minor, status, kind, nil, &context, &text)
                }
            guard major == 0 else { break }
            texts.append(String(octets: unsafe take(&text)))
        } while context != 0 && texts.count < 8
        return texts
    }
}

/// What the GSS-API says is wrong.
package struct GSSError: Error, Equatable, CustomStringConvertible {
    /// What the API says, and then the mechanism.
    package var texts: [String]
    /// What the peer's side is to be told; empty for nothing.
    package var token: [UInt8]

    package var description: String { texts.joined(separator: ": ") }

    /// The library has not all functions.
    static let incomplete = GSSError(texts: ["\(GSSLibrary.fileName) is incomplete"], token: [])

    /// RFC 2744 §3.9.1.
    static func isError(_ major: UInt32) -> Bool { major & 0xffff_0000 != 0 }
}
