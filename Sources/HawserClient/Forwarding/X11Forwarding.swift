// SPDX-License-Identifier: Apache-2.0

internal import HawserProtocol
internal import HawserSystem

/// The display that a server may use (`ForwardX11`).
package struct X11Forwarding: Sendable {
    var isOn = false
}

extension ClientLoop {
    func requestX11(_ session: ClientSession) {}
}
