// SPDX-License-Identifier: Apache-2.0

package import HawserSFTP
internal import HawserWire

extension Reply {
    /// The user's word for a status that is not success.
    package var failureText: String {
        guard case .status(let status, let text) = content else { return "unexpected answer" }
        return status.userText(text)
    }

    /// The server's word for it, where it has one: what is told of paths that are asked for.
    package var ownText: String {
        guard case .status(_, let text) = content, !text.isEmpty else { return failureText }
        return PrintableText.of(text)
    }
}

extension Status {
    /// OpenSSH's words; the server's own where they say more.
    package func userText(_ text: [UInt8]) -> String {
        switch self {
        case .noSuchFile: "No such file or directory"
        case .failure where !text.isEmpty && text != self.text.octets: PrintableText.of(text)
        default: self.text
        }
    }
}
