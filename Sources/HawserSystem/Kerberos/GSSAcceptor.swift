// SPDX-License-Identifier: Apache-2.0

import CHawserSystem

/// The server's side of a security context (RFC 4462 §3.4), with the keys of this host.
@safe
package final class GSSAcceptor {
    private let library: GSSLibrary
    private let mechanism: [UInt8]
    private var context: OpaquePointer?
    private var credentials: OpaquePointer?
    private var delegated: OpaquePointer?
    /// Who the client is, in the words of the mechanism; nil until the context stands.
    package private(set) var clientName: String?

    /// `host`: only the keys of its service `host` will do; nil: any key of this machine.
    /// C: `gss_acquire_cred`.
    package init(_ library: GSSLibrary, mechanism: [UInt8], host: String?) throws(GSSError) {
        self.library = library
        self.mechanism = mechanism
        if let host { try acquireCredentials(of: host) }
    }

    deinit {
        unsafe GSSContext.delete(&context, library)
        unsafe library.release(&credentials, with: "gss_release_cred")
        unsafe library.release(&delegated, with: "gss_release_cred")
    }

    private func acquireCredentials(of host: String) throws(GSSError) {
        typealias Acquire =
            @convention(c) (
                GSSLibrary.Minor, OpaquePointer?, UInt32,
                UnsafeMutablePointer<hawser_gss_oid_set>, Int32, GSSLibrary.Handle,
                UnsafeMutablePointer<UnsafeMutablePointer<hawser_gss_oid_set>?>?,
                UnsafeMutablePointer<UInt32>?
            ) -> UInt32
        guard let acquire = unsafe library.function("gss_acquire_cred", Acquire.self) else {
            throw .incomplete
        }
        try unsafe library.withHostService(host) { name throws(GSSError) in
            var minor: UInt32 = 0
            let forAccepting: Int32 = 2
            let major = unsafe GSSLibrary.lending(identifier: mechanism) { identifier in
                var set = unsafe hawser_gss_oid_set(count: 1, elements: identifier)
                return unsafe acquire(
                    &minor,
                    name,
                    0,
                    &set,
                    forAccepting,
                    &credentials,
                    nil,
                    nil
                )
            }
            guard !GSSError.isError(major) else {
                throw library.error(major, minor, mechanism: mechanism)
            }
        }
    }

    /// One step with the client's token. C: `gss_accept_sec_context`.
    package func step(
        _ token: [UInt8]
    ) throws(GSSError) -> (token: [UInt8], isEstablished: Bool) {
        typealias Accept =
            @convention(c) (
                GSSLibrary.Minor, GSSLibrary.Handle, OpaquePointer?, GSSLibrary.Buffer,
                OpaquePointer?, GSSLibrary.Handle,
                UnsafeMutablePointer<GSSLibrary.Identifier?>, GSSLibrary.Buffer,
                UnsafeMutablePointer<UInt32>, UnsafeMutablePointer<UInt32>?, GSSLibrary.Handle
            ) -> UInt32
        guard clientName == nil,
            let accept = unsafe library.function("gss_accept_sec_context", Accept.self)
        else { throw .incomplete }
        var minor: UInt32 = 0
        var flags: UInt32 = 0
        var client: OpaquePointer?
        var used: GSSLibrary.Identifier?
        var output = unsafe hawser_gss_buffer(length: 0, value: nil)
        unsafe library.release(&delegated, with: "gss_release_cred")
        // SAFETY: what is lent is used during the call only; no channel bindings.
        let major = unsafe GSSLibrary.lending(token) { input in
            unsafe accept(
                &minor,
                &context,
                credentials,
                input,
                nil,
                &client,
                &used,
                &output,
                &flags,
                nil,
                &delegated
            )
        }
        defer { unsafe library.release(&client, with: "gss_release_name") }
        let answer = unsafe library.take(&output)
        guard !GSSError.isError(major) else {
            throw library.error(major, minor, mechanism: mechanism, token: answer)
        }
        let isEstablished = major & GSSFlag.continueNeeded == 0
        guard isEstablished else { return (answer, false) }
        // The mechanism must be the one that was agreed on, and one that protects messages.
        guard flags & GSSFlag.integrity != 0, unsafe isOurs(used), let client = unsafe client else {
            throw GSSError(texts: ["the mechanism is not the one that was agreed on"], token: [])
        }
        if flags & GSSFlag.delegate == 0 {
            unsafe library.release(&delegated, with: "gss_release_cred")
        }
        clientName = try unsafe text(of: client)
        return (answer, true)
    }

    private func isOurs(_ identifier: GSSLibrary.Identifier?) -> Bool {
        guard let identifier = unsafe identifier, let start = unsafe identifier.pointee.elements
        else { return false }
        // SAFETY: the library's own identifier.
        let count = unsafe Int(identifier.pointee.length)
        return unsafe Array(UnsafeRawBufferPointer(start: start, count: count)) == mechanism
    }

    /// C: `gss_display_name`.
    private func text(of name: OpaquePointer) throws(GSSError) -> String {
        typealias Display =
            @convention(c) (
                GSSLibrary.Minor, OpaquePointer, GSSLibrary.Buffer,
                UnsafeMutablePointer<GSSLibrary.Identifier?>?
            ) -> UInt32
        guard let display = unsafe library.function("gss_display_name", Display.self) else {
            throw .incomplete
        }
        var minor: UInt32 = 0
        var output = unsafe hawser_gss_buffer(length: 0, value: nil)
        let major = unsafe display(&minor, name, &output, nil)
        let bytes = unsafe library.take(&output)
        guard !GSSError.isError(major) else {
            throw library.error(major, minor, mechanism: mechanism)
        }
        guard !bytes.isEmpty, !bytes.contains(0),
            let text = String(validating: bytes, as: UTF8.self)
        else { throw GSSError(texts: ["the client's name is no text"], token: []) }
        return text
    }

    /// Whether `code` is the client's integrity code of `message`. C: `gss_verify_mic`.
    package func isRight(code: [UInt8], for message: [UInt8]) -> Bool {
        typealias Verify =
            @convention(c) (
                GSSLibrary.Minor, OpaquePointer?, GSSLibrary.Buffer, GSSLibrary.Buffer,
                UnsafeMutablePointer<UInt32>?
            ) -> UInt32
        guard clientName != nil, let verify = unsafe library.function("gss_verify_mic", Verify.self)
        else { return false }
        var minor: UInt32 = 0
        let major = unsafe GSSLibrary.lending(message) { text in
            unsafe GSSLibrary.lending(code) { code in
                unsafe verify(&minor, context, text, code, nil)
            }
        }
        return major == 0
    }

    /// Whether the client has handed over credentials to act with.
    package var hasCredentials: Bool { unsafe delegated != nil }

    /// Copies the client's credentials into a cache that has been initialised.
    /// C: `gss_krb5_copy_ccache`, of MIT's and Heimdal's gssapi_krb5.h.
    func copyCredentials(into cache: OpaquePointer) throws(GSSError) {
        typealias Copy = @convention(c) (GSSLibrary.Minor, OpaquePointer, OpaquePointer) -> UInt32
        guard let copy = unsafe library.function("gss_krb5_copy_ccache", Copy.self),
            let delegated = unsafe delegated
        else { throw .incomplete }
        var minor: UInt32 = 0
        let major = unsafe copy(&minor, delegated, cache)
        guard !GSSError.isError(major) else {
            throw library.error(major, minor, mechanism: mechanism)
        }
    }
}
