// SPDX-License-Identifier: Apache-2.0

internal import HawserAgentClient
internal import HawserSystem
internal import HawserTool

// The keys pass through this process: nobody may look into it.
Signals.dieOnCrash()
Descriptor.ensureStandardDescriptors()
SecretProcess.hide()
Signals.ignore([13])  // SIGPIPE

do throws(AgentConnection.Failure) {
    let agent = try AgentConnection.fromEnvironment()
    var arguments = Arguments(Array(RawArguments.texts.dropFirst()))
    if arguments.securityKeyProvider == nil {
        arguments.securityKeyProvider = Environment.value("SSH_SK_PROVIDER") ?? "internal"
    }
    World.exit(Program(agent: agent, arguments: arguments).run())
} catch {
    if case .noAgent = error {
        printError("\(error)\n")
    } else {
        printError("Error connecting to agent: \(error)\n")
    }
    World.exit(2)
}
