// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem

/// The ssh that carries sftp and scp, and the words it is started with.
package struct SSHProgram {
    /// `-S`, or the ssh that belongs to this program.
    package var path = SSHProgram.beside
    package var arguments: [String] = []

    package init() {}

    /// The ssh in the folder of this very program; else the one on PATH.
    package static var beside: String {
        guard let own = Files.canonical("/proc/self/exe") else { return "ssh" }
        let folder = Files.parent(of: own)
        return Files.exists(folder + "/ssh") ? folder + "/ssh" : "ssh"
    }
}
