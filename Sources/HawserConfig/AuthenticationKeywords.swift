// SPDX-License-Identifier: Apache-2.0

extension ClientKeywords {
    /// The keywords about keys, host keys and methods of authentication, one row each.
    static let authentication: [ClientKeyword] = [
        ClientKeyword("AddKeysToAgent") { options, line in
            guard let value = addKeysToAgent(line.arguments) else {
                return line.arguments.isEmpty
                    ? "missing argument." : "unsupported option \"\(line.arguments[0])\"."
            }
            if options.addKeysToAgent == nil { options.addKeysToAgent = value }
            return nil
        },
        .text("CASignatureAlgorithms", \.caSignatureAlgorithms),
        .value("EnableSSHKeysign", \.enableSSHKeysign, Syntax.flag),
        .text("HostbasedAcceptedAlgorithms", \.hostbasedAcceptedAlgorithms),
        .value("HostbasedAuthentication", \.hostbasedAuthentication, Syntax.flag),
        .text("KbdInteractiveDevices", \.kbdInteractiveDevices),
        .command("KnownHostsCommand", \.knownHostsCommand),
        .value("ObscureKeystrokeTiming", \.obscureKeystrokeTiming) { word in
            if let flag = Syntax.flag(word) {
                return ClientOptions.KeystrokeInterval(milliseconds: flag ? 20 : 0)
            }
            guard word.lowercased().hasPrefix("interval:"),
                let milliseconds = Int(word.dropFirst("interval:".count)),
                (1...1000).contains(milliseconds)
            else { return nil }
            return ClientOptions.KeystrokeInterval(milliseconds: milliseconds)
        },
        .text("PKCS11Provider", \.pkcs11Provider),
        .value("ProxyUseFdpass", \.proxyUseFdpass, Syntax.flag),
        .firstLine("RevokedHostKeys", \.revokedHostKeys),
        .text("SecurityKeyProvider", \.securityKeyProvider),
        .value("UpdateHostKeys", \.updateHostKeys, ask),
        .value("VerifyHostKeyDNS", \.verifyHostKeyDNS, ask),
    ]

    private static func ask(_ word: String) -> ClientOptions.Ask? {
        Syntax.flag(word).map { $0 ? .yes : .no } ?? ClientOptions.Ask(rawValue: word.lowercased())
    }

    /// `yes`, `no`, `ask`, `confirm`, with a time after it or alone.
    private static func addKeysToAgent(_ words: [String]) -> ClientOptions.AddKeysToAgent? {
        guard let first = words.first, words.count <= 2 else { return nil }
        let mode =
            Syntax.flag(first).map { $0 ? ClientOptions.AddKeysToAgent.Mode.yes : .no }
            ?? ClientOptions.AddKeysToAgent.Mode(rawValue: first.lowercased())
        guard let mode else {
            guard words.count == 1, let seconds = Syntax.seconds(first) else { return nil }
            return ClientOptions.AddKeysToAgent(.yes, seconds: seconds)
        }
        guard words.count == 2 else { return ClientOptions.AddKeysToAgent(mode) }
        guard mode == .confirm, let seconds = Syntax.seconds(words[1]) else { return nil }
        return ClientOptions.AddKeysToAgent(mode, seconds: seconds)
    }
}
