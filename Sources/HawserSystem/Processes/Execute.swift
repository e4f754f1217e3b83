// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// Becoming another program.
package enum Execute {
    /// Replaces this process by a program that is looked for in PATH; returns only when that
    /// fails. C: `execvp`.
    package static func replace(by arguments: [String]) -> SystemError {
        guard let program = arguments.first else { return SystemError("exec", number: ENOENT) }
        return unsafe Spawn.withCStrings(arguments) { list in
            // SAFETY: the list ends with nil and lives to the end of the call.
            _ = unsafe program.withCOctets { unsafe execvp($0, list) }
            return SystemError("exec", program)
        }
    }
}

extension Child {
    /// Sends a signal and says why that is not possible. C: `kill`.
    package static func signal(_ pid: Int32, _ number: Int32) throws(SystemError) {
        guard Glibc.kill(pid, number) == 0 else { throw SystemError("kill") }
    }
}
