// SPDX-License-Identifier: Apache-2.0

// A path with delay, rate and faults for tests: `relay HOST PORT`. It prints its own port.

import HawserSystem

Signals.ignore([13])  // PIPE
let words = CommandLine.arguments
guard words.count == 3,
    let target = try? Resolver.addresses(of: words[1], port: words[2], isNumeric: true).first,
    let relay = try? Relay(to: target)
else {
    Descriptor.writeAll(2, Array("usage: relay HOST PORT\n".utf8))
    Daemon.exit(2)
}
Descriptor.writeAll(1, Array("\(relay.port)\n".utf8))
relay.run()
Daemon.exit(0)
