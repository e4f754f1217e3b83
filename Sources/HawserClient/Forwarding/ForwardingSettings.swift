// SPDX-License-Identifier: Apache-2.0

package import HawserConfig

/// What is to be forwarded, and how: the keywords of ssh_config(5) that say so, decided.
package struct ForwardingSettings {
    package var forwards: [Forward] = []
    package var exitOnFailure = false
    package var gatewayPorts = false
    /// Nil: anywhere.
    package var permittedOpens: [PermittedOpen]?
    package var bindMask: UInt32 = 0o177
    package var bindUnlink = false

    /// An entry of `PermitRemoteOpen`.
    package struct PermittedOpen: Equatable, Sendable {
        package var host: String
        /// Nil: any.
        package var port: UInt16?
    }

    /// With `standardForward` (`-W`), nothing else is forwarded unless that is asked for.
    package init(_ settings: ClientSettings) throws(ConfigError) {
        let hasStandardForward = settings.standardForward != nil
        let options = settings.options
        exitOnFailure = options.exitOnForwardFailure ?? hasStandardForward
        gatewayPorts = options.gatewayPorts ?? false
        bindUnlink = options.streamLocalBindUnlink ?? false
        bindMask = options.streamLocalBindMask.map(UInt32.init) ?? 0o177
        permittedOpens = options.permitRemoteOpen.flatMap(Self.permitted)
        if options.clearAllForwardings ?? hasStandardForward { return }
        forwards = try options.forwards.map { forward throws(ConfigError) in
            var forward = forward
            forward.listen = try Self.expand(forward.listen, settings)
            if let connect = forward.connect {
                forward.connect = try Self.expand(connect, settings)
            }
            return forward
        }
    }

    /// The tokens in the path of a Unix socket.
    private static func expand(
        _ end: Forward.End,
        _ settings: ClientSettings
    ) throws(ConfigError) -> Forward.End {
        guard case .unix(let path) = end else { return end }
        return .unix(path: try settings.expandPath(path))
    }

    private static func permitted(_ words: [String]) -> [PermittedOpen]? {
        if words.first?.lowercased() == "any" { return nil }
        if words.first?.lowercased() == "none" { return [] }
        var result: [PermittedOpen] = []
        for word in words {
            guard let colon = word.lastIndex(of: ":") else { continue }
            var host = word[..<colon]
            if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
            let port = word[word.index(after: colon)...]
            result.append(PermittedOpen(host: String(host), port: port == "*" ? nil : UInt16(port)))
        }
        return result
    }

    /// Whether a connection of a remote SOCKS client may go there.
    package func permitsRemoteOpen(host: String, port: UInt16) -> Bool {
        guard let permittedOpens else { return true }
        return permittedOpens.contains { entry in
            (entry.host == "*" || entry.host == host) && (entry.port == nil || entry.port == port)
        }
    }
}
