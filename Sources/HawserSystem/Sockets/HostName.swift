// SPDX-License-Identifier: Apache-2.0

/// What this host is called towards a server.
package enum HostName {
    /// The name of our end of a connection, or the host's own name behind a command, where there is
    /// no address.
    package static func ofClient(behind descriptor: Int32) -> String {
        if let address = Socket.local(of: descriptor), !address.isUnix,
            let name = address.unmapped.resolvedName
        {
            return name
        }
        return Resolver.ownHostName
    }
}
