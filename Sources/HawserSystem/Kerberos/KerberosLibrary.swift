// SPDX-License-Identifier: Apache-2.0

import Glibc
package import HawserWire

/// Kerberos 5 through the system's libkrb5, opened by the first who uses it. Functions and types are
/// those of MIT's "Complete reference - API and datatypes".
@safe
package final class KerberosLibrary {
    typealias Context = OpaquePointer
    typealias Text = UnsafePointer<CChar>
    typealias Made = UnsafeMutablePointer<OpaquePointer?>
    typealias Use = @convention(c) (Context, OpaquePointer) -> Int32
    private typealias Free = @convention(c) (Context, OpaquePointer) -> Void

    package static let fileName = "libkrb5.so.3"

    private let library: DynamicLibrary
    private let context: Context

    /// Nil when there is no such library on this machine, or no usable configuration of Kerberos.
    /// C: `krb5_init_context`.
    package init?() {
        typealias Begin = @convention(c) (Made) -> Int32
        guard let library = DynamicLibrary(Self.fileName),
            let begin = unsafe library.function("krb5_init_context", Begin.self)
        else { return nil }
        var context: OpaquePointer?
        guard unsafe begin(&context) == 0, let made = unsafe context else { return nil }
        self.library = library
        unsafe self.context = unsafe made
    }

    deinit {
        typealias End = @convention(c) (Context) -> Void
        unsafe function("krb5_free_context", End.self)?(context)
    }

    /// Whether the library is there at all.
    package static var isInstalled: Bool {
        guard let library = unsafe dlopen(fileName, RTLD_NOW) else { return false }
        _ = unsafe dlclose(library)
        return true
    }

    /// A function of the library by its name and its type in krb5.h.
    private func function<Function>(_ name: String, _ type: Function.Type) -> Function? {
        library.function(name, type)
    }

    private func check(_ code: Int32?) throws(KerberosError) {
        typealias Describe = @convention(c) (Context, Int32) -> Text?
        typealias FreeText = @convention(c) (Context, Text) -> Void
        guard let code else { throw .incomplete }
        guard code != 0 else { return }
        guard let describe = unsafe function("krb5_get_error_message", Describe.self),
            let text = unsafe describe(context, code)
        else { throw KerberosError(text: "error \(code)") }
        let copy = unsafe String(cOctets: text)
        unsafe function("krb5_free_error_message", FreeText.self)?(context, text)
        throw KerberosError(text: copy)
    }

    // MARK: Principals

    /// C: `krb5_parse_name`.
    func withPrincipal<Result>(
        _ name: String,
        _ body: (OpaquePointer) throws(KerberosError) -> Result
    ) throws(KerberosError) -> Result {
        typealias Parse = @convention(c) (Context, Text, Made) -> Int32
        var principal: OpaquePointer?
        let parse = unsafe function("krb5_parse_name", Parse.self)
        try check(unsafe name.withCOctets { unsafe parse?(context, $0, &principal) })
        return try unsafe lend(principal, freedBy: "krb5_free_principal", to: body)
    }

    private func lend<Result>(
        _ object: OpaquePointer?,
        freedBy freer: String,
        to body: (OpaquePointer) throws(KerberosError) -> Result
    ) throws(KerberosError) -> Result {
        guard let object = unsafe object else { throw .incomplete }
        defer { unsafe function(freer, Free.self)?(context, object) }
        return try unsafe body(object)
    }

    /// Whether `principal` may be the account `user`: by its ~/.k5login, or where there is none by
    /// the rules of krb5.conf. To be called with the user's rights. C: `krb5_kuserok`.
    package func permits(principal: String, user: String) -> Bool {
        typealias Permits = @convention(c) (Context, OpaquePointer, Text) -> UInt32
        guard let permits = unsafe function("krb5_kuserok", Permits.self) else { return false }
        do throws(KerberosError) {
            return try unsafe withPrincipal(principal) { principal throws(KerberosError) in
                unsafe user.withCOctets { unsafe permits(context, principal, $0) != 0 }
            }
        } catch { return false }
    }

    // MARK: Passwords

    /// Asks the realm's servers for a ticket with the user's password, and this host's keys whether
    /// those servers are the right ones, where there are any. Waits for the servers.
    /// C: `krb5_get_init_creds_password`, `krb5_verify_init_creds`.
    package func ticket(
        of user: String,
        password: SecretBytes
    ) throws(KerberosError) -> KerberosTicket {
        typealias Get =
            @convention(c) (
                Context, UnsafeMutableRawPointer, OpaquePointer, Text?, OpaquePointer?,
                OpaquePointer?, Int32, Text?, OpaquePointer?
            ) -> Int32
        typealias Verify =
            @convention(c) (
                Context, UnsafeMutableRawPointer, OpaquePointer?, OpaquePointer?, Made?,
                OpaquePointer?
            ) -> Int32
        typealias NameService =
            @convention(c) (Context, Text?, Text?, Int32, Made) -> Int32
        // Ended by the first zero byte in C: such a password would be another one.
        guard !password.exposed.contains(0) else { throw KerberosError(text: "bad password") }
        let ticket = KerberosTicket(self, principal: user)
        try unsafe withPrincipal(user) { principal throws(KerberosError) in
            var text = password.exposed.map { CChar(bitPattern: $0) } + [0]
            defer { for index in text.indices { text[index] = 0 } }
            let get = unsafe function("krb5_get_init_creds_password", Get.self)
            // SAFETY: nobody to ask, from now on, a ticket to get tickets, no options.
            try check(
                unsafe get?(
                    context,
                    ticket.memory,
                    principal,
                    text,
                    nil,
                    nil,
                    0,
                    nil,
                    nil
                )
            )
            var service: OpaquePointer?
            let hostService: Int32 = 3  // KRB5_NT_SRV_HST
            let name = unsafe function("krb5_sname_to_principal", NameService.self)
            try check(unsafe name?(context, nil, nil, hostService, &service))
            try unsafe lend(service, freedBy: "krb5_free_principal") {
                service throws(KerberosError) in
                let verify = unsafe function("krb5_verify_init_creds", Verify.self)
                try check(unsafe verify?(context, ticket.memory, service, nil, nil, nil))
            }
        }
        return ticket
    }

    func free(_ memory: UnsafeMutableRawPointer) {
        typealias FreeContents = @convention(c) (Context, UnsafeMutableRawPointer) -> Void
        unsafe function("krb5_free_cred_contents", FreeContents.self)?(context, memory)
    }

    // MARK: Caches

    /// Makes a cache of its own for `principal` in a new file of /tmp and fills it. To be called with
    /// the user's rights. Returns its name.
    private func makeCache(
        for principal: String,
        uid: UInt32,
        _ fill: (OpaquePointer) throws(KerberosError) -> Void
    ) throws(KerberosError) -> String {
        typealias Resolve = @convention(c) (Context, Text, Made) -> Int32
        typealias Initialise = @convention(c) (Context, OpaquePointer, OpaquePointer) -> Int32
        var path = Array("/tmp/krb5cc_\(uid)_XXXXXX".utf8CString)
        // SAFETY: ends with a zero; mkstemp(3) changes the letters only, and makes a file that only
        // its owner may read.
        let descriptor = unsafe mkstemp(&path)
        guard descriptor >= 0 else {
            throw KerberosError(text: "mkstemp(): \(SystemError("mkstemp").reason)")
        }
        close(descriptor)
        let file = String(octets: path.dropLast().map { UInt8(bitPattern: $0) })
        let name = "FILE:" + file
        var cache: OpaquePointer?
        do throws(KerberosError) {
            let resolve = unsafe function("krb5_cc_resolve", Resolve.self)
            try check(unsafe name.withCOctets { unsafe resolve?(context, $0, &cache) })
            guard let cache = unsafe cache else { throw KerberosError.incomplete }
            defer { _ = unsafe function("krb5_cc_close", Use.self)?(context, cache) }
            try unsafe withPrincipal(principal) { principal throws(KerberosError) in
                let initialise = unsafe function("krb5_cc_initialize", Initialise.self)
                try check(unsafe initialise?(context, cache, principal))
            }
            try unsafe fill(cache)
        } catch {
            _ = unsafe unlink(file)
            throw error
        }
        return name
    }

    /// Puts the credentials that a client handed over into a cache of their own.
    package func store(
        _ acceptor: GSSAcceptor,
        uid: UInt32
    ) throws(KerberosError) -> String {
        try unsafe makeCache(for: acceptor.clientName ?? "", uid: uid) {
            cache throws(KerberosError) in
            do throws(GSSError) {
                try unsafe acceptor.copyCredentials(into: cache)
            } catch { throw KerberosError(text: "\(error)") }
        }
    }

    /// Puts a ticket into a cache of its own.
    package func store(_ ticket: KerberosTicket, uid: UInt32) throws(KerberosError) -> String {
        typealias Store =
            @convention(c) (Context, OpaquePointer, UnsafeMutableRawPointer) -> Int32
        return try unsafe makeCache(for: ticket.principal, uid: uid) {
            cache throws(KerberosError) in
            let store = unsafe function("krb5_cc_store_cred", Store.self)
            try check(unsafe store?(context, cache, ticket.memory))
        }
    }

    /// Overwrites and removes a cache. To be called with the user's rights. C: `krb5_cc_destroy`.
    package func destroyCache(_ name: String) throws(KerberosError) {
        typealias Resolve = @convention(c) (Context, Text, Made) -> Int32
        var cache: OpaquePointer?
        let resolve = unsafe function("krb5_cc_resolve", Resolve.self)
        try check(unsafe name.withCOctets { unsafe resolve?(context, $0, &cache) })
        guard let cache = unsafe cache else { throw KerberosError.incomplete }
        try check(unsafe function("krb5_cc_destroy", Use.self)?(context, cache))
    }
}

/// A ticket to get tickets, in the memory of this process.
@safe
package final class KerberosTicket {
    private let library: KerberosLibrary
    /// A `krb5_creds`, which only the library looks into: 120 bytes on 64-bit machines.
    let memory: UnsafeMutableRawPointer
    let principal: String

    init(_ library: KerberosLibrary, principal: String) {
        self.library = library
        self.principal = principal
        unsafe memory = UnsafeMutableRawPointer.allocate(byteCount: 512, alignment: 16)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: 512)
    }

    deinit {
        unsafe library.free(memory)
        unsafe memory.deallocate()
    }
}

/// What Kerberos says is wrong.
package struct KerberosError: Error, Equatable, CustomStringConvertible {
    package var text: String
    package var description: String { text }

    /// The library has not all functions.
    static let incomplete = KerberosError(text: "\(KerberosLibrary.fileName) is incomplete")
}
