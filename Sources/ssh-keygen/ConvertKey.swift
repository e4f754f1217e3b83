// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserWire

/// `-e`: a public key in a format of others.
func exportKey(_ arguments: Arguments) -> Int32 {
    let path = inputFile(arguments)
    requireFile(path, prefix: "\(Arguments.program): ")
    let key = loadPublicKey(path, arguments)
    switch arguments.format {
    case .rfc4716:
        let comment =
            "\(key.bits)-bit \(key.type.shortName), converted by \(World.userAtHost) from OpenSSH"
        World.write(RFC4716.text(key, comment: comment))
    case .pem:
        guard let text = PublicKeyFile.pem(key) else {
            fatal("do_convert_to_pem: unsupported key type \(key.type.shortName)")
        }
        World.write(text)
    case .pkcs8:
        guard let text = PublicKeyFile.pkcs8(key) else {
            fatal("do_convert_to_pkcs8: unsupported key type \(key.type.shortName)")
        }
        World.write(text)
    }
    return 0
}

/// `-i`: a key in a format of others, printed as OpenSSH has it.
func importKey(_ arguments: Arguments) -> Int32 {
    let path = inputFile(arguments)
    requireFile(path, prefix: "\(Arguments.program): ")
    let contents = World.read(path) ?? []
    switch arguments.format {
    case .rfc4716:
        do {
            switch try RFC4716.parse(contents) {
            case .publicKey(let key): World.print(key.text)
            case .privateKey(let key):
                let text = try PrivateKeyFile.serialize(
                    key,
                    format: .pem,
                    random: SystemRandom()
                )
                World.write(text.exposed)
            }
        } catch .invalidFormat("base64") {
            fatal("do_convert_from_ssh2: base64 decode: invalid format")
        } catch .incomplete {
            fatal("do_convert_from_ssh2: parse key: invalid format")
        } catch {
            fatal("do_convert_from_ssh2: parse key: \(error)")
        }
    case .pem, .pkcs8:
        do {
            World.print(try PublicKeyFile.parse(contents).text)
        } catch {
            let isPEM = arguments.format == .pem
            fatal(
                isPEM
                    ? "do_convert_from_pem: unrecognised raw private key format"
                    : "do_convert_from_pkcs8: \(path) is not a recognised public key format"
            )
        }
    }
    return 0
}
