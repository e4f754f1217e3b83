// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem
internal import HawserTool

// Before anything else: nobody may look into this process, and a crash leaves no memory behind.
Signals.dieOnCrash()
Descriptor.ensureStandardDescriptors()
do {
    try SecretProcess.dropLentGroup()
} catch {
    printError("\(error)\n")
    Daemon.exit(1)
}
SecretProcess.hide()

do throws(Arguments.Problem) {
    let arguments = try Arguments(Array(RawArguments.texts.dropFirst()))
    let program = Program(arguments: arguments, loginShell: Environment.value("SHELL"))
    Daemon.exit(program.run())
} catch {
    if !error.text.isEmpty { printError(error.text + "\n") }
    if error.showsUsage { printError(Arguments.usage) }
    Daemon.exit(error.status)
}
