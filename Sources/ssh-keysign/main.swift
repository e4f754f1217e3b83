// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
internal import HawserSystem
internal import HawserTool

// ssh-keysign(8): signs host-based logins with this host's keys, for ssh(1), which asks over its
// standard input. Installed set-uid root, since only root can read the keys. Not meant to be run by
// hand.

Signals.dieOnCrash()
SecretProcess.hide()
Descriptor.ensureStandardDescriptors()
let keysign = Keysign(log: Log(level: .info, sink: Messages()))
Daemon.exit(keysign.run() ? 0 : 255)
