// SPDX-License-Identifier: Apache-2.0

extension ServerListing {
    /// What one keyword says against another, in OpenSSH's words.
    package struct Contradictions: Sendable {
        /// With one of these the server must not start.
        package var errors: [String] = []
        /// What deserves a line in the log.
        package var notes: [String] = []
    }

    package var contradictions: Contradictions {
        var result = Contradictions()
        for name in ["AuthorizedKeysCommand", "AuthorizedPrincipalsCommand"] {
            let isSet = value(name) ?? "none" != "none"
            // A user `none` lets the server start; its command is not run.
            if isSet, value(name + "User") == nil {
                result.errors.append("\(name) set without \(name)User")
            }
        }
        checkMethods(&result)
        checkAddresses(&result)
        return result
    }

    private func value(_ name: String) -> String? {
        ServerKeyword.allCases.first { $0.row.name == name }.flatMap { values(of: $0)?.first }
    }

    private func checkMethods(_ result: inout Contradictions) {
        guard let lists = values(of: .authenticationMethods)?.first, lists != "any" else { return }
        var isPossible = false
        for list in lists.utf8.split(separator: UInt8(ascii: " ")) {
            let methods = list.split(separator: UInt8(ascii: ",")).map { method in
                String(Substring(method.prefix { $0 != UInt8(ascii: ":") }))
            }
            guard let disabled = methods.first(where: { !isEnabled($0) }) else {
                isPossible = true
                continue
            }
            result.notes.append(
                "Disabled method \"\(disabled)\" in AuthenticationMethods list "
                    + "\"\(Substring(list))\""
            )
        }
        if !isPossible {
            result.errors.append(
                "AuthenticationMethods cannot be satisfied by enabled authentication methods"
            )
        }
    }

    private func isEnabled(_ method: String) -> Bool {
        func isYes(_ keyword: ServerKeyword) -> Bool {
            (values(of: keyword)?.first ?? keyword.row.initial) == "yes"
        }
        switch method {
        case "publickey": return isYes(.pubkeyAuthentication)
        case "password": return isYes(.passwordAuthentication)
        case "keyboard-interactive": return isYes(.kbdInteractiveAuthentication)
        case "hostbased": return isYes(.hostbasedAuthentication)
        case "gssapi-with-mic": return isYes(.gssapiAuthentication)
        default: return true
        }
    }

    private func checkAddresses(_ result: inout Contradictions) {
        let family = values(of: .addressFamily)?.first
        guard family == "inet" || family == "inet6" else { return }
        for address in values(of: .listenAddress) ?? [] {
            let isIPv6 = address.hasPrefix("[")
            guard isIPv6 == (family == "inet") else { continue }
            let host =
                isIPv6
                ? address.dropFirst().prefix { $0 != "]" }
                : address.prefix { $0 != ":" && $0 != " " }
            result.errors.append(
                "bad addr or host: \(host) (Address family for hostname not supported)"
            )
        }
    }
}
