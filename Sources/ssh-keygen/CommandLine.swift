// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys

/// What the command line asked for.
struct Arguments {
    /// The operations; a new key is made when none is given.
    var changesPassphrase = false
    var changesComment = false
    var printsFingerprint = false
    var printsBubbleBabble = false
    var printsPublicKey = false
    var exports = false
    var imports = false
    var makesHostKeys = false
    var findsHost: String?
    var removesHost: String?
    var hashesHosts = false
    var printsRecordFor: String?

    var file: String?
    var typeName: String?
    var bits: String?
    var comment: String?
    var newPassphrase: String?
    var oldPassphrase: String?
    var isQuiet = false
    var verbosity = 0
    var rounds = PrivateKeyFile.defaultRounds
    var cipher = PrivateKeyFile.defaultCipher
    var format = Format.rfc4716
    var privateFormat = PrivateKeyFile.Format.openSSH
    var fingerprintHash: Fingerprint.Hash?
    var usesGenericRecord = false
    var options: [String] = []

    enum Format { case rfc4716, pkcs8, pem }

    static let program = "ssh-keygen"
    private static let withValue = Set("abfnCDEFGIJKMNOPQRSTVWYZjkmrstwz".utf8)
        .subtracting("kKQTuH".utf8).subtracting("j".utf8)
    private static let flags = Set("ABHKLQUXceghiklopquvy".utf8)

    /// Reads the words after the program's name; leaves the program when they make no sense.
    init(_ words: [String]) {
        var index = 0
        while index < words.count {
            let word = words[index]
            index += 1
            guard word.utf8.first == UInt8(ascii: "-"), word.utf8.count > 1 else {
                fatal("Too many arguments.", usage: true)
            }
            if word == "--" {
                if index < words.count { fatal("Too many arguments.", usage: true) }
                break
            }
            var letters = Array(word.utf8.dropFirst())[...]
            while let letter = letters.popFirst() {
                if Self.withValue.contains(letter) {
                    let value: String
                    if !letters.isEmpty {
                        value = String(decoding: letters, as: UTF8.self)
                    } else if index < words.count {
                        value = words[index]
                        index += 1
                    } else {
                        let name = String(decoding: [letter], as: UTF8.self)
                        fatal("option requires an argument -- \(name)", usage: true)
                    }
                    set(letter, to: value)
                    break
                }
                set(flag: letter)
            }
        }
    }

    private mutating func set(flag letter: UInt8) {
        switch Character(UnicodeScalar(letter)) {
        case "A": makesHostKeys = true
        case "B": printsBubbleBabble = true
        case "H": hashesHosts = true
        case "X", "i": imports = true
        case "c": changesComment = true
        case "e": exports = true
        case "g": usesGenericRecord = true
        case "l": printsFingerprint = true
        case "o": break
        case "p": changesPassphrase = true
        case "q": isQuiet = true
        case "v": verbosity += 1
        case "y": printsPublicKey = true
        case "K", "L", "Q", "U", "h", "k", "u":
            fatal("-\(Character(UnicodeScalar(letter))) is not supported yet", status: 255)
        default:
            fatal("unknown option -- \(Character(UnicodeScalar(letter)))", usage: true)
        }
    }

    private mutating func set(_ letter: UInt8, to value: String) {
        switch Character(UnicodeScalar(letter)) {
        case "C": comment = value
        case "E":
            guard let hash = Fingerprint.Hash(word: value) else {
                fatal("Invalid hash algorithm \"\(value)\"", status: 255)
            }
            fingerprintHash = hash
        case "F": findsHost = value
        case "N": newPassphrase = value
        case "O": options.append(value)
        case "P": oldPassphrase = value
        case "R": removesHost = value
        case "Z":
            guard let cipher = CipherAlgorithm(rawValue: value) else {
                fatal("Invalid OpenSSH-format cipher '\(value)'", status: 255)
            }
            self.cipher = cipher
        case "a": rounds = Self.number(value, upTo: 100_000)
        case "b": bits = value
        case "f": file = value
        case "m": setFormat(value)
        case "r": printsRecordFor = value
        case "t": typeName = value
        default:
            fatal("-\(Character(UnicodeScalar(letter))) is not supported yet", status: 255)
        }
    }

    private mutating func setFormat(_ value: String) {
        switch value.asciiLowercased {
        case "rfc4716", "ssh2":
            format = .rfc4716
        case "pkcs8":
            format = .pkcs8
            privateFormat = .pkcs8
        case "pem":
            format = .pem
            privateFormat = .pem
        default:
            fatal("Unsupported conversion format \"\(value)\"", status: 255)
        }
    }

    private static func number(_ text: String, upTo limit: Int) -> Int {
        guard let number = Int(text) else {
            fatal("Invalid number: \(text) (invalid)", status: 255)
        }
        if number < 1 { fatal("Invalid number: \(text) (too small)", status: 255) }
        if number > limit { fatal("Invalid number: \(text) (too large)", status: 255) }
        return number
    }
}

/// Prints a message and leaves. Wrong usage ends with 1 and the usage, all else with `status`.
func fatal(_ message: String, usage: Bool = false, status: Int32 = 255) -> Never {
    if usage {
        World.writeError(message + "\n" + usageText + "\n")
        World.exit(1)
    }
    World.error(message)
    World.exit(status)
}

let usageText = """
    usage: ssh-keygen [-q] [-a rounds] [-b bits] [-C comment] [-f output_keyfile]
                      [-m format] [-N new_passphrase] [-O option]
                      [-t ecdsa | ed25519 | mldsa44-ed25519 | rsa] [-Z cipher]
           ssh-keygen -p [-a rounds] [-f keyfile] [-m format] [-N new_passphrase]
                       [-P old_passphrase] [-Z cipher]
           ssh-keygen -i [-f input_keyfile] [-m key_format]
           ssh-keygen -e [-f input_keyfile] [-m key_format]
           ssh-keygen -y [-f input_keyfile]
           ssh-keygen -c [-a rounds] [-C comment] [-f keyfile] [-P passphrase]
           ssh-keygen -l [-v] [-E fingerprint_hash] [-f input_keyfile]
           ssh-keygen -B [-f input_keyfile]
           ssh-keygen -F hostname [-lv] [-f known_hosts_file]
           ssh-keygen -H [-f known_hosts_file]
           ssh-keygen -R hostname [-f known_hosts_file]
           ssh-keygen -r hostname [-g] [-f input_keyfile]
           ssh-keygen -A [-a rounds] [-f prefix_path]
    """
