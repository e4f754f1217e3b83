// SPDX-License-Identifier: Apache-2.0

import HawserServer
import HawserSystem

Signals.dieOnCrash()
Memory.returnsLargeBuffers()
let arguments = RawArguments.texts
if arguments.count > 1, let role = ServerRole(rawValue: arguments[1]) {
    Daemon.exit(ServerProgram.run(role, Array(arguments[2...])))
}
switch ServerCommandLine.parse(arguments) {
case .run(let options):
    var program = ServerProgram(options)
    Daemon.exit(program.run())
case .end(let status):
    Daemon.exit(status)
}
