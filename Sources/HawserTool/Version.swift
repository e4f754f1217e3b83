// SPDX-License-Identifier: Apache-2.0

/// What the programs call themselves, in one place.
package enum Version {
    package static let number = "0.1"
    /// The name and number of this program, the comment of the identification line (RFC 4253 §4.2).
    package static let software = "Hawser_\(number)"
    /// The version that we are compatible with, as `Match version` compares it.
    package static let compatible = "OpenSSH_10.5"
    /// The identification line without its end. Its softwareversion names the family of extensions
    /// that we speak, for which OpenSSH and others look (docs/decisions/0010-identification.md).
    package static let identification = "SSH-2.0-\(compatible) \(software)"
    /// What `-V` prints. Scripts look for `OpenSSH_` and a version to learn what they may ask of ssh.
    package static let text = "Hawser_\(number), OpenSSH_10.5 compatible, BoringSSL"
}
