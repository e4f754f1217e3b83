// SPDX-License-Identifier: Apache-2.0

package import HawserSystem

/// The right to become the master at a control path: of many processes that find none, one logs in
/// and the others wait for it. The lock ends with its process at the latest.
package final class MasterLock {
    private let path: String
    private var descriptor: Int32

    package enum Attempt {
        case taken(MasterLock)
        /// Another process has it.
        case busy
        /// There can be none, as where the directory is missing.
        case impossible
    }

    private init(_ path: String, _ descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { release() }

    /// Takes it, if nobody has it.
    package static func attempt(for controlPath: String) -> Attempt {
        let path = path(for: controlPath)
        // RDWR CREAT NOFOLLOW
        guard let fd = try? Descriptor.open(path, 2 | 0o100 | 0o400000) else { return .impossible }
        guard Descriptor.lock(fd) else {
            Descriptor.close(fd)
            return .busy
        }
        // Who had it before may have removed the file that we opened.
        guard let ours = Files.status(of: fd)?.identity, ours == Files.identity(path) else {
            Descriptor.close(fd)
            return .busy
        }
        return .taken(MasterLock(path, fd))
    }

    /// Which attempt to become the master is under way; nil for none.
    package static func identity(for controlPath: String) -> Files.Identity? {
        Files.identity(path(for: controlPath))
    }

    private static func path(for controlPath: String) -> String { controlPath + ".lock" }

    /// Takes it, waiting a little; nil when that does not help.
    package static func take(for controlPath: String, milliseconds: Int) -> MasterLock? {
        var left = milliseconds
        while true {
            switch attempt(for: controlPath) {
            case .taken(let lock): return lock
            case .impossible: return nil
            case .busy where left <= 0: return nil
            case .busy:
                Clock.sleep(nanoseconds: 20_000_000)
                left -= 20
            }
        }
    }

    /// Gives it back and leaves no file.
    package func release() {
        guard descriptor >= 0 else { return }
        Files.remove(path)
        Descriptor.close(descriptor)
        descriptor = -1
    }

    /// Lets go of it in a process that goes on without.
    package func forget() {
        Descriptor.close(descriptor)
        descriptor = -1
    }
}
