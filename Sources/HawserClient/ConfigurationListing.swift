// SPDX-License-Identifier: Apache-2.0

package import HawserConfig

extension ClientSettings {
    /// What `ssh -G` shows of these settings.
    package var listing: ClientListing {
        get throws(ConfigError) {
            var listing = ClientListing(host: originalHost, options: options)
            listing.shown[.user] = [user]
            listing.shown[.hostName] = [host]
            for (keyword, family) in Self.algorithmKeywords {
                let names = ValueContext.client.names(family)
                listing.shown[keyword] = [
                    names.resolved(options.values(keyword).first ?? "").joined(separator: ",")
                ]
            }
            if let controlPath { listing.shown[.controlPath] = [controlPath] }
            if let remoteCommand { listing.shown[.remoteCommand] = [remoteCommand] }
            if let agent = options.identityAgent, agent != "SSH_AUTH_SOCK", agent != "none",
                !Self.isVariable(agent)
            {
                listing.shown[.identityAgent] = [try expandPath(agent)]
            }
            if let agent = options.forwardAgent, agent != "yes", agent != "no",
                !Self.isVariable(agent)
            {
                listing.shown[.forwardAgent] = [try expandPath(agent)]
            }
            for keyword in [ClientKeyword.dynamicForward, .localForward, .remoteForward] {
                guard let setting = options[keyword] else { continue }
                var values: [String] = []
                for value in setting.values { values.append(try expandForward(value)) }
                listing.shown[keyword] = values
            }
            listing.shown[.userKnownHostsFile] = try userKnownHostsFiles(orNone: "none")
            if let files = options.revokedHostKeys, files != ["none"] {
                var paths: [String] = []
                for file in files { paths.append(try expandPath(file)) }
                listing.shown[.revokedHostKeys] = paths
            }
            listing.shown[.setEnv] = try setEnvironment
            if options[.identityFile] == nil {
                listing.shown[.identityFile] = Self.ownIdentityFiles
            }
            listing.shown[.updateHostKeys] = [updateHostKeys.rawValue]
            if standardForward != nil {
                if options.exitOnForwardFailure == nil {
                    listing.shown[.exitOnForwardFailure] = ["yes"]
                }
                if options.clearAllForwardings == nil {
                    listing.shown[.clearAllForwardings] = ["yes"]
                    listing.options.clearAllForwardings = true
                }
            }
            return listing
        }
    }

    /// `$NAME`, which names a variable that holds a path.
    private static func isVariable(_ text: String) -> Bool {
        text.hasPrefix("$") && !text.hasPrefix("${")
    }

    /// A forwarding with the tokens of its paths replaced.
    private func expandForward(_ text: String) throws(ConfigError) -> String {
        text.utf8.contains(UInt8(ascii: "/")) ? try expand(text) : text
    }

    /// `NAME=value` for each variable of `SetEnv`, tokens of the values replaced.
    package var setEnvironment: [String] {
        get throws(ConfigError) {
            var result: [String] = []
            for pair in options.setEnv ?? [] {
                let equals = pair.utf8.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
                result.append(pair[..<equals] + (try expand(String(pair[equals...]))))
            }
            return result
        }
    }

    /// `UpdateHostKeys`; unless someone said, only where host keys are kept in the usual files.
    package var updateHostKeys: ClientOptions.Ask {
        if let value = options.updateHostKeys { return value }
        let isUsual =
            options.userKnownHostsFile == nil && (options.verifyHostKeyDNS ?? .no) == .no
        return isUsual ? .yes : .no
    }

    private static let algorithmKeywords: [(ClientKeyword, AlgorithmFamily)] = [
        (.ciphers, .ciphers), (.macs, .macs), (.kexAlgorithms, .keyExchange),
        (.hostKeyAlgorithms, .publicKey), (.hostbasedAcceptedAlgorithms, .publicKey),
        (.pubkeyAcceptedAlgorithms, .publicKey), (.caSignatureAlgorithms, .certificateAuthority),
    ]

    /// The identity files that are tried when none is named.
    package static let ownIdentityFiles = [
        "~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519",
        "~/.ssh/id_ed25519_sk", "~/.ssh/id_mldsa44_ed25519",
    ]
}
