// SPDX-License-Identifier: Apache-2.0

import CHawserSystem

/// The client's side of a security context with the service `host` of a host (RFC 4462 §3.4).
@safe
package final class GSSInitiator {
    private let library: GSSLibrary
    private let mechanism: [UInt8]
    private let host: String
    private let delegates: Bool
    private var context: OpaquePointer?

    /// Nothing is asked of anyone yet. `mechanism` has the content octets of its identifier.
    package init(_ library: GSSLibrary, mechanism: [UInt8], host: String, delegates: Bool) {
        self.library = library
        self.mechanism = mechanism
        self.host = host
        self.delegates = delegates
    }

    deinit { unsafe GSSContext.delete(&context, library) }

    /// One step; `token` is the server's, or empty in the first one. May ask servers of the network,
    /// and waits for them. C: `gss_init_sec_context`.
    package func step(
        _ token: [UInt8]
    ) throws(GSSError) -> (token: [UInt8], isEstablished: Bool) {
        typealias Initiate =
            @convention(c) (
                GSSLibrary.Minor, OpaquePointer?, GSSLibrary.Handle, OpaquePointer,
                GSSLibrary.Identifier, UInt32, UInt32, OpaquePointer?, GSSLibrary.Buffer,
                UnsafeMutablePointer<GSSLibrary.Identifier?>?, GSSLibrary.Buffer,
                UnsafeMutablePointer<UInt32>?, UnsafeMutablePointer<UInt32>?
            ) -> UInt32
        guard let initiate = unsafe library.function("gss_init_sec_context", Initiate.self) else {
            throw .incomplete
        }
        let wanted = GSSFlag.mutual | GSSFlag.integrity | (delegates ? GSSFlag.delegate : 0)
        return try unsafe library.withHostService(host) { name throws(GSSError) in
            var minor: UInt32 = 0
            var flags: UInt32 = 0
            var output = unsafe hawser_gss_buffer(length: 0, value: nil)
            // SAFETY: what is lent is used during the call only; no channel bindings, the user's own
            // credentials.
            let major = unsafe GSSLibrary.lending(token) { input in
                unsafe GSSLibrary.lending(identifier: mechanism) { identifier in
                    unsafe initiate(
                        &minor,
                        nil,
                        &context,
                        name,
                        identifier,
                        wanted,
                        0,
                        nil,
                        input,
                        nil,
                        &output,
                        &flags,
                        nil
                    )
                }
            }
            let answer = unsafe library.take(&output)
            guard !GSSError.isError(major) else {
                throw library.error(major, minor, mechanism: mechanism, token: answer)
            }
            let isEstablished = major & GSSFlag.continueNeeded == 0
            // Without a code over the session the login would not be bound to this connection.
            guard !isEstablished || flags & (GSSFlag.mutual | GSSFlag.integrity) == wanted & ~1
            else {
                throw GSSError(texts: ["the mechanism protects no messages"], token: [])
            }
            return (answer, isEstablished)
        }
    }

    /// The integrity code of `message`. C: `gss_get_mic`.
    package func code(for message: [UInt8]) throws(GSSError) -> [UInt8] {
        typealias MakeCode =
            @convention(c) (
                GSSLibrary.Minor, OpaquePointer?, UInt32, GSSLibrary.Buffer, GSSLibrary.Buffer
            ) -> UInt32
        guard let make = unsafe library.function("gss_get_mic", MakeCode.self) else {
            throw .incomplete
        }
        var minor: UInt32 = 0
        var output = unsafe hawser_gss_buffer(length: 0, value: nil)
        let major = unsafe GSSLibrary.lending(message) { text in
            unsafe make(&minor, context, 0, text, &output)
        }
        guard !GSSError.isError(major) else {
            throw library.error(major, minor, mechanism: mechanism)
        }
        return unsafe library.take(&output)
    }
}

/// RFC 2744 §5.1, §5.19 and §3.9.1.
enum GSSFlag {
    static let delegate: UInt32 = 1
    static let mutual: UInt32 = 2
    static let integrity: UInt32 = 32
    /// Of a status: another token is awaited.
    static let continueNeeded: UInt32 = 1
}

enum GSSContext {
    /// C: `gss_delete_sec_context`.
    static func delete(_ context: inout OpaquePointer?, _ library: GSSLibrary) {
        typealias Delete =
            @convention(c) (GSSLibrary.Minor, GSSLibrary.Handle, GSSLibrary.Buffer?) -> UInt32
        guard unsafe context != nil else { return }
        var minor: UInt32 = 0
        _ = unsafe library.function("gss_delete_sec_context", Delete.self)?(&minor, &context, nil)
    }
}
