// SPDX-License-Identifier: Apache-2.0

/// What `ssh -G` shows: the value of every keyword, one a line, in a form that can be read again.
package struct ClientListing: Sendable {
    /// The host as the command line names it.
    package var host: String
    package var options: ClientOptions
    /// Values that are more than what was written: tokens replaced, lists of algorithms resolved.
    package var shown: [ClientKeyword: [String]] = [:]

    package init(host: String, options: ClientOptions) {
        self.host = host
        self.options = options
    }

    /// A keyword as it is shown, and its value.
    package struct Entry: Equatable, Sendable {
        package var keyword: ClientKeyword
        package var name: String
        package var value: String
    }

    /// Every line but the first, which names the host.
    package var entries: [Entry] {
        ClientKeyword.allCases.flatMap { keyword -> [Entry] in
            let name = keyword.shownName
            return values(keyword).map { Entry(keyword: keyword, name: name, value: $0) }
        }
    }

    package var text: String {
        var text = "host \(host)\n"
        text.reserveCapacity(8192)
        for entry in entries {
            text += entry.name
            text += " "
            text += entry.value
            text += "\n"
        }
        return text
    }

    private func values(_ keyword: ClientKeyword) -> [String] {
        switch keyword {
        case .refuseConnection: return []
        case .localForward, .remoteForward, .dynamicForward:
            if options.clearAllForwardings == true { return [] }
        // A jump host is reached through a command that passes nothing.
        case .proxyUseFdpass where options.proxyJump != nil: return ["no"]
        case .tunnel where options.clearAllForwardings == true: return ["false"]
        default: break
        }
        let form = keyword.row.form
        let values = shown[keyword] ?? options.values(keyword)
        if values.count == 1, form.isNothing(values[0]) { return [] }
        return form.isOneLine && values.count > 1 ? [values.joined(separator: " ")] : values
    }
}

extension ClientKeyword {
    /// The keyword in small letters, but for one that OpenSSH writes otherwise.
    package var shownName: String {
        self == .canonicalizePermittedCNAMEs
            ? "canonicalizePermittedcnames" : row.name.lowercased()
    }
}

extension ValueForm {
    /// Whether the words of a list stand on one line.
    var isOneLine: Bool {
        switch self {
        case .words, .canonicalDomains, .permittedCNAMEs, .channelTimeout, .permitRemoteOpen: true
        default: false
        }
    }
}
