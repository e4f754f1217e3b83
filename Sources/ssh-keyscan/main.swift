// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem

Descriptor.ensureStandardDescriptors()
Signals.ignore([13])  // PIPE: a write says so itself

let arguments = Arguments(Array(RawArguments.texts.dropFirst()))
var scanner = Scanner(arguments)
Daemon.exit(scanner.run() ? 0 : 1)
