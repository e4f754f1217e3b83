// SPDX-License-Identifier: Apache-2.0

package import HawserConfig
internal import HawserSystem

/// What a connection shows of itself to the network and to the server.
extension ClientSettings {
    /// The identification line with `VersionAddendum` behind it (RFC 4253 §4.2).
    package func identification(_ own: String) throws(ConfigError) -> String {
        guard let text = options.versionAddendum else { return own }
        let addendum = try expand(text)
        let isPrintable = addendum.utf8.allSatisfy { (32..<127).contains($0) }
        guard isPrintable, own.utf8.count + addendum.utf8.count < 250 else {
            throw ConfigError(file: "", line: 0, text: "Invalid VersionAddendum")
        }
        return own + " " + addendum
    }
}
