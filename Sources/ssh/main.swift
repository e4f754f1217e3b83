// SPDX-License-Identifier: Apache-2.0

import HawserSystem
import HawserTool

Descriptor.ensureStandardDescriptors()
Memory.returnsLargeBuffers()
Signals.ignore([13])  // PIPE: a write says so itself

let words = Swift.CommandLine.arguments
let program = Program(name: words.first ?? "ssh")
Daemon.exit(program.run(Array(words.dropFirst())))
