// SPDX-License-Identifier: Apache-2.0

import HawserSystem
import HawserTool

Descriptor.ensureStandardDescriptors()
Signals.ignore([13])  // PIPE: a write says so itself

do throws(SCPCommandLine.Failure) {
    let line = try SCPCommandLine(RawArguments.all)
    Daemon.exit(Program(line).run())
} catch {
    if case .leave(let text, let status) = error {
        printError(text)
        Daemon.exit(status)
    }
}
