// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
package import HawserWire

/// One dialogue with the Pluggable Authentication Modules, pam(3): from the name of a user to the
/// end of the session. It must be used and ended in one process.
@safe
package final class PAM {
    /// Answers what modules ask; `nil` gives up. As many answers as messages.
    package typealias Conversation = ([Message]) -> [SecretBytes]?

    /// What a module says or asks.
    package struct Message: Equatable, Sendable {
        package enum Style: Int32, Sendable {
            case promptHidden = 1
            case promptVisible = 2
            case errorText = 3
            case information = 4

            package var isPrompt: Bool { self == .promptHidden || self == .promptVisible }
        }

        package var style: Style
        package var text: String
    }

    private let library: PAMLibrary
    private var handle: OpaquePointer?
    private var lastResult: Int32 = 0
    private let box: ConversationBox

    /// Begins a dialogue for `user` as `service` (the file's name in pam.d).
    /// `host` is where the user comes from.
    package init(service: String, user: String, host: String, terminal: String) throws(PAMError) {
        guard let library = PAMLibrary.shared else {
            throw PAMError(code: PAMError.systemError, text: "libpam.so.0 is not installed")
        }
        self.library = library
        box = ConversationBox()
        // SAFETY: libpam copies the structure; the box lives as long as `self`, which ends the
        // dialogue in `deinit`.
        var conversation = unsafe hawser_pam_conversation(
            converse: converse,
            context: Unmanaged.passUnretained(box).toOpaque()
        )
        var handle: OpaquePointer?
        let result = unsafe service.withCOctets { service in
            unsafe user.withCOctets { unsafe library.start(service, $0, &conversation, &handle) }
        }
        guard result == 0, unsafe handle != nil else {
            throw PAMError(code: result, text: "pam_start failed")
        }
        unsafe self.handle = unsafe handle
        try setItem(PAMItem.remoteHost, host)
        try setItem(PAMItem.terminal, terminal)
    }

    deinit {
        if let handle = unsafe handle { _ = unsafe library.end(handle, lastResult) }
    }

    /// Who answers from now on. Nobody: every question is given up.
    package var conversation: Conversation? {
        get { box.conversation }
        set { box.conversation = newValue }
    }

    /// Whether the user is who it says. C: `pam_authenticate`.
    package func authenticate(emptyPasswordAllowed: Bool) throws(PAMError) {
        try unsafe call { handle in
            unsafe library.authenticate(handle, emptyPasswordAllowed ? 0 : PAMFlag.disallowEmpty)
        }
    }

    /// Whether the account may be used now. C: `pam_acct_mgmt`.
    package func checkAccount() throws(PAMError) {
        try unsafe call { handle in unsafe library.account(handle, 0) }
    }

    /// Changes an expired password. C: `pam_chauthtok`.
    package func changeExpiredPassword() throws(PAMError) {
        try unsafe call { handle in unsafe library.changeToken(handle, PAMFlag.changeExpired) }
    }

    /// What is done with the credentials that modules keep for a user.
    package enum Credentials: Int32 {
        case establish = 0x2
        case delete = 0x4
        case reinitialize = 0x8
    }

    /// C: `pam_setcred`.
    package func setCredentials(_ what: Credentials) throws(PAMError) {
        try unsafe call { handle in unsafe library.setCredentials(handle, what.rawValue) }
    }

    /// C: `pam_open_session`.
    package func openSession() throws(PAMError) {
        try unsafe call { handle in unsafe library.openSession(handle, 0) }
    }

    /// C: `pam_close_session`.
    package func closeSession() throws(PAMError) {
        try unsafe call { handle in unsafe library.closeSession(handle, 0) }
    }

    /// The user's name; a module may have changed it.
    package var user: String? {
        var item: UnsafeRawPointer?
        guard let handle = unsafe handle,
            unsafe library.getItem(handle, PAMItem.user, &item) == 0,
            let item = unsafe item
        else { return nil }
        // SAFETY: PAM_USER is a C string that libpam owns; copied at once.
        return unsafe String(cOctets: item.assumingMemoryBound(to: CChar.self))
    }

    /// Sets a variable that modules see, and that belongs to the session's environment.
    package func setEnvironment(_ name: String, _ value: String) {
        guard let handle = unsafe handle else { return }
        _ = unsafe "\(name)=\(value)".withCOctets { unsafe library.putEnvironment(handle, $0) }
    }

    /// The environment that modules want for the session.
    package var environment: [(name: String, value: String)] {
        guard let handle = unsafe handle,
            let list = unsafe library.environmentList(handle)
        else { return [] }
        var result: [(name: String, value: String)] = []
        var index = 0
        // SAFETY: a zero-terminated array of C strings that the caller frees, each and all.
        while let entry = unsafe list[index] {
            let text = unsafe String(cOctets: entry)
            if let equals = text.firstIndex(of: "=") {
                result.append((String(text[..<equals]), String(text[text.index(after: equals)...])))
            }
            unsafe free(entry)
            index += 1
        }
        unsafe free(list)
        return result
    }

    private func setItem(_ item: Int32, _ value: String) throws(PAMError) {
        try unsafe call { handle in
            // SAFETY: libpam copies the string.
            unsafe value.withCOctets { text in unsafe library.setItem(handle, item, text) }
        }
    }

    private func call(_ body: (OpaquePointer) -> Int32) throws(PAMError) {
        guard let handle = unsafe handle else {
            throw PAMError(code: PAMError.systemError, text: "the dialogue is over")
        }
        lastResult = unsafe body(handle)
        guard lastResult == 0 else {
            // SAFETY: a static text, copied at once.
            let text = unsafe library.describe(handle, lastResult).map {
                unsafe String(cOctets: $0)
            }
            throw PAMError(code: lastResult, text: text ?? "error \(lastResult)")
        }
    }
}

/// A module's refusal or failure.
package struct PAMError: Error, Equatable, CustomStringConvertible {
    package var code: Int32
    /// What pam_strerror(3) says.
    package var text: String

    package static let systemError: Int32 = 4
    package static let newPasswordRequired: Int32 = 12

    /// Whether the account is good but its password must be changed first.
    package var needsNewPassword: Bool { code == PAMError.newPasswordRequired }

    package var description: String { text }
}

private enum PAMItem {
    static let user: Int32 = 2
    static let terminal: Int32 = 3
    static let remoteHost: Int32 = 4
}

private enum PAMFlag {
    static let disallowEmpty: Int32 = 0x1
    static let changeExpired: Int32 = 0x20
}

private final class ConversationBox {
    var conversation: PAM.Conversation?
}

/// What libpam calls: hands the messages to the box's conversation and copies the answers for it.
private func converse(
    _ count: Int32,
    _ messages: UnsafeMutablePointer<UnsafePointer<hawser_pam_message>?>?,
    _ responses: UnsafeMutablePointer<UnsafeMutablePointer<hawser_pam_response>?>?,
    _ context: UnsafeMutableRawPointer?
) -> Int32 {
    let conversationError: Int32 = 19
    guard count > 0, count <= 32, let messages = unsafe messages,
        let responses = unsafe responses, let context = unsafe context
    else { return conversationError }
    // SAFETY: the box outlives the dialogue (`PAM.init`).
    let box = unsafe Unmanaged<ConversationBox>.fromOpaque(context).takeUnretainedValue()
    var list: [PAM.Message] = []
    for index in 0..<Int(count) {
        guard let message = unsafe messages[index],
            let style = unsafe PAM.Message.Style(rawValue: message.pointee.style)
        else { return conversationError }
        let text = unsafe message.pointee.text.map { unsafe String(cOctets: $0) }
        list.append(PAM.Message(style: style, text: text ?? ""))
    }
    guard let answers = box.conversation?(list), answers.count == list.count else {
        return conversationError
    }
    // SAFETY: libpam frees the array and each string with free(3).
    let size = unsafe MemoryLayout<hawser_pam_response>.stride
    guard let memory = unsafe calloc(Int(count), size) else { return conversationError }
    let array = unsafe memory.bindMemory(to: hawser_pam_response.self, capacity: Int(count))
    for (index, answer) in answers.enumerated() where list[index].style.isPrompt {
        guard let text = unsafe calloc(answer.count + 1, 1) else { continue }
        let bytes = answer.bytes
        for offset in 0..<bytes.byteCount {
            unsafe text.storeBytes(of: bytes[byteAt: offset], toByteOffset: offset, as: UInt8.self)
        }
        unsafe array[index].text = unsafe text.assumingMemoryBound(to: CChar.self)
    }
    unsafe responses.pointee = unsafe array
    return 0
}

/// libpam, opened by the first dialogue: only the monitor of a connection pays for it.
@safe
private struct PAMLibrary: @unchecked Sendable {
    typealias Handle = OpaquePointer
    typealias Text = UnsafePointer<CChar>
    typealias Step = @convention(c) (Handle, Int32) -> Int32

    let start:
        @convention(c) (
            Text, Text, UnsafePointer<hawser_pam_conversation>, UnsafeMutablePointer<Handle?>
        ) -> Int32
    let end: Step
    let authenticate: Step
    let account: Step
    let changeToken: Step
    let setCredentials: Step
    let openSession: Step
    let closeSession: Step
    let setItem: @convention(c) (Handle, Int32, UnsafeRawPointer) -> Int32
    let getItem: @convention(c) (Handle, Int32, UnsafeMutablePointer<UnsafeRawPointer?>) -> Int32
    let putEnvironment: @convention(c) (Handle, Text) -> Int32
    let environmentList:
        @convention(c) (Handle) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    let describe: @convention(c) (Handle, Int32) -> Text?

    static let shared = PAMLibrary()

    private init?() {
        // Modules refer to libpam's symbols, hence global.
        guard let library = DynamicLibrary("libpam.so.0", isGlobal: true),
            library.has("pam_start")
        else { return nil }
        // Each name is a function of pam(3) whose C type is the one of its property.
        func need<Function>(_ name: String) -> Function {
            guard let function: Function = library.function(name) else {
                fatalError("libpam.so.0 has no \(name)")
            }
            return function
        }
        unsafe start = need("pam_start")
        unsafe end = need("pam_end")
        unsafe authenticate = need("pam_authenticate")
        unsafe account = need("pam_acct_mgmt")
        unsafe changeToken = need("pam_chauthtok")
        unsafe setCredentials = need("pam_setcred")
        unsafe openSession = need("pam_open_session")
        unsafe closeSession = need("pam_close_session")
        unsafe setItem = need("pam_set_item")
        unsafe getItem = need("pam_get_item")
        unsafe putEnvironment = need("pam_putenv")
        unsafe environmentList = need("pam_getenvlist")
        unsafe describe = need("pam_strerror")
    }
}
