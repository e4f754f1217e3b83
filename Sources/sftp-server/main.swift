// SPDX-License-Identifier: Apache-2.0

import HawserFiles
import HawserLog
import HawserSystem
import HawserTool

Signals.dieOnCrash()
Descriptor.ensureStandardDescriptors()
Signals.ignore([13])  // PIPE: a write says so itself

guard let user = User.current else {
    printError("No user found for uid\n")
    Daemon.exit(1)
}
switch ServerCommandLine.parse(Array(RawArguments.texts.dropFirst()), user: user) {
case .end(let text, let isError, let status):
    isError ? printError(text) : printOutput(text)
    Daemon.exit(status)
case .serve(let line):
    let sink: any LogSink =
        line.logsToStandardError
        ? Messages(usesCarriageReturns: true)
        : SystemLog(program: "sftp-server", facility: line.facility)
    Daemon.exit(line.serve(user: user, log: Log(level: line.level, sink: sink)))
}
