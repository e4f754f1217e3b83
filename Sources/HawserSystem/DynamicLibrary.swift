// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A library of the system that is opened by the first who uses it, so that no other process pays
/// for it, and that stays open as long as the process lives. C: `dlopen`, `dlsym`.
@safe
struct DynamicLibrary: Sendable {
    nonisolated(unsafe) private let handle: UnsafeMutableRawPointer

    /// Nil when this machine has none of `names`. With `isGlobal`, libraries that this one opens see
    /// its symbols.
    init?(_ names: String..., isGlobal: Bool = false) {
        let flags = RTLD_NOW | (isGlobal ? RTLD_GLOBAL : RTLD_LOCAL)
        for name in names {
            // SAFETY: the name is a library of the system, whose code is trusted as our own.
            if let handle = unsafe dlopen(name, flags) {
                unsafe self.handle = handle
                return
            }
        }
        return nil
    }

    func has(_ name: String) -> Bool { unsafe dlsym(handle, name) != nil }

    /// A function by its name and C type; nil when there is none. The caller answers for the type.
    func function<Function>(_ name: String, _ type: Function.Type = Function.self) -> Function? {
        guard let address = unsafe dlsym(handle, name) else { return nil }
        // SAFETY: the type is the one that the library's header or manual declares for the name.
        return unsafe unsafeBitCast(address, to: type)
    }
}
