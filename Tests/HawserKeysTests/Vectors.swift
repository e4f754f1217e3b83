// SPDX-License-Identifier: Apache-2.0

import Glibc
import HawserCrypto
import HawserKeys
import HawserWire
import Testing

/// Files of `Tests/Vectors/openssh-keys`, which were made with ssh-keygen of OpenSSH 9.2 (and, where
/// their names end in `des3` or `aes256`, OpenSSL 3.0). Every passphrase is `hawser`.
enum Vectors {
    static let folder: String = {
        let here = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        return "/" + here + "/Vectors/openssh-keys/"
    }()

    static let passphrase = SecretBytes(Array("hawser".utf8))

    static func bytes(_ name: String) throws -> [UInt8] {
        let opened = unsafe fopen(folder + name, "r")
        guard let file = unsafe opened else { throw KeyError.incomplete }
        defer { unsafe fclose(file) }
        var contents: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe fread(&chunk, 1, chunk.count, file)
            if count == 0 { return contents }
            contents += chunk.prefix(count)
        }
    }

    static func text(_ name: String) throws -> String {
        String(decoding: try bytes(name), as: UTF8.self)
    }

    static func line(_ name: String) throws -> PublicKeyLine {
        try PublicKeyLine.parse(try text(name))
    }

    static let plain = ["ed25519", "rsa", "ecdsa", "ecdsa384", "ecdsa521", "dsa"]

    static let ciphers = [
        "aes256-ctr", "aes192-ctr", "aes128-ctr", "aes256-cbc", "aes192-cbc", "aes128-cbc",
        "3des-cbc", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
    ]

    static let old = plain.dropFirst().flatMap { name in
        ["PEM", "PKCS8"].flatMap { ["\(name).\($0)", "\(name).\($0).encrypted"] }
    }

    static let foreign = [
        "rsa.PEM.des3", "rsa.PEM.aes256", "ecdsa.PKCS8.des3", "ecdsa.PKCS8.aes256",
    ]

    /// The file of the public key that goes with a private one.
    static func publicName(_ name: String) -> String {
        name.prefix { $0 != "." } + ".pub"
    }
}
