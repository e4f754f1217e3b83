// SPDX-License-Identifier: Apache-2.0

/// Bytes that are wiped when the last owner lets go of them: keys, passphrases, shared secrets.
///
/// A reference, so that passing it around makes no further copy. Nothing prints it.
package final class SecretBytes: Sendable {
    // Only `deinit` writes it, when no one else can see it.
    nonisolated(unsafe) private var storage: [UInt8]

    /// Takes over `bytes`; the caller's own array must not live on.
    package init(_ bytes: consuming [UInt8]) {
        unsafe storage = bytes
    }

    package init(copying bytes: RawSpan) {
        unsafe storage = [UInt8](copying: bytes)
    }

    package var count: Int { unsafe storage.count }

    package var isEmpty: Bool { unsafe storage.isEmpty }

    /// A copy that is not wiped by itself: for an interface that takes nothing else.
    package var exposed: [UInt8] { unsafe storage }

    /// The secret, borrowed.
    package var bytes: RawSpan {
        @_lifetime(borrow self) get {
            let span = unsafe storage.rawBytes
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    deinit {
        unsafe storage.wipe()
    }
}

extension SecretBytes: Equatable {
    /// In constant time.
    package static func == (first: SecretBytes, second: SecretBytes) -> Bool {
        ConstantTime.equal(first.bytes, second.bytes)
    }
}

extension SecretBytes: CustomStringConvertible, CustomReflectable {
    package var description: String { "<\(count) secret bytes>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension [UInt8] {
    /// Overwrites every byte with zero in a way that the optimiser does not remove: it may neither
    /// look into the call nor conclude anything about it.
    @inline(never)
    @_optimize(none)
    package mutating func wipe() {
        unsafe withUnsafeMutableBytes { unsafe zero($0) }
    }
}

@inline(never)
private func zero(_ bytes: UnsafeMutableRawBufferPointer) {
    // SAFETY: the caller's buffer, for the time of the call.
    unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
}
