// SPDX-License-Identifier: Apache-2.0

import HawserSystem
import HawserTool

Descriptor.ensureStandardDescriptors()
Descriptor.closeAll(from: 3)  // so that a master holds nothing of its caller's
Memory.returnsLargeBuffers()
Signals.ignore([13])  // PIPE: a write says so itself

let words = RawArguments.texts
let program = Program(name: words.first ?? "ssh")
Daemon.exit(program.run(Array(words.dropFirst())))
