// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserTool
internal import HawserWire

/// What the command line asked for.
struct Arguments {
    /// The operations; a new key is made when none is given.
    var changesPassphrase = false
    var changesComment = false
    var printsFingerprint = false
    var printsBubbleBabble = false
    var printsPublicKey = false
    var printsCertificates = false
    var exports = false
    var imports = false
    var makesHostKeys = false
    var hashesHosts = false
    var makesRevocationList = false
    var queriesRevocationList = false
    var downloadsResidentKeys = false
    var findsHost: String?
    var removesHost: String?
    /// `-r`: records of the domain name system, or the revoked keys of `-Y verify`.
    var recordName: String?
    /// `-M`: what to do with groups.
    var moduliOperation: String?
    /// `-Y`: what to do with signatures.
    var signatureOperation: String?

    var file: String?
    var typeName: String?
    var bits: String?
    var comment: String?
    var commentBytes: [UInt8]? { comment.map { $0.octets } }
    var newPassphraseBytes: SecretBytes? {
        newPassphrase.map { SecretBytes($0.octets) }
    }
    var oldPassphraseBytes: SecretBytes? {
        oldPassphrase.map { SecretBytes($0.octets) }
    }
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

    var certifiesHost = false
    var identity: String?
    var principals: String?
    /// `-s`: the key of an authority, or a signature.
    var signer: String?
    var validity: String?
    var serial: UInt64 = 0
    /// `-z +n`: the next key gets the next serial number.
    var incrementsSerial = false
    var usesAgent = false
    var updates = false
    var tokenLibrary: String?
    var securityKeyLibrary: String?

    /// The words after the options.
    private(set) var files: [String] = []

    enum Format { case rfc4716, pkcs8, pem }

    /// What is said on the way, with `-v` more of it.
    var log: Log {
        let levels: [LogLevel] = [.info, .debug1, .debug2, .debug3]
        return Log(level: levels[min(verbosity, 3)], sink: Messages())
    }

    static let program = "ssh-keygen"

    /// A letter of the command line and what it does.
    private struct Row {
        enum Effect {
            case flag((inout Arguments) -> Void)
            case value((inout Arguments, String) -> Void)
        }

        let letter: Unicode.Scalar
        let effect: Effect

        /// A letter alone.
        init(_ letter: Unicode.Scalar, _ apply: @escaping (inout Arguments) -> Void) {
            self.letter = letter
            effect = .flag(apply)
        }

        /// A letter with a value.
        init(
            _ letter: Unicode.Scalar,
            value apply: @escaping (inout Arguments, String) -> Void
        ) {
            self.letter = letter
            effect = .value(apply)
        }
    }

    /// The rows as getopt(3) has them.
    private static func specification(_ rows: [Row]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(2 * rows.count)
        for row in rows {
            bytes.append(UInt8(ascii: row.letter))
            if case .value = row.effect { bytes.append(UInt8(ascii: ":")) }
        }
        return bytes
    }

    private static var rows: [Row] {
        [
            Row("A") { $0.makesHostKeys = true },
            Row("B") { $0.printsBubbleBabble = true },
            Row("H") { $0.hashesHosts = true },
            Row("K") { $0.downloadsResidentKeys = true },
            Row("L") { $0.printsCertificates = true },
            Row("Q") { $0.queriesRevocationList = true },
            Row("U") { $0.usesAgent = true },
            Row("X") { $0.imports = true },
            Row("c") { $0.changesComment = true },
            Row("e") { $0.exports = true },
            Row("g") { $0.usesGenericRecord = true },
            Row("h") { $0.certifiesHost = true },
            Row("i") { $0.imports = true },
            Row("k") { $0.makesRevocationList = true },
            Row("l") { $0.printsFingerprint = true },
            Row("o") { _ in },
            Row("p") { $0.changesPassphrase = true },
            Row("q") { $0.isQuiet = true },
            Row("u") { $0.updates = true },
            Row("v") { $0.verbosity += 1 },
            Row("y") { $0.printsPublicKey = true },
            Row("C", value: { $0.comment = $1 }),
            Row("D", value: { $0.tokenLibrary = $1 }),
            Row("E", value: { $0.fingerprintHash = Self.fingerprintHash($1) }),
            Row("F", value: { $0.findsHost = $1 }),
            Row("I", value: { $0.identity = $1 }),
            Row("M", value: { $0.moduliOperation = $1 }),
            Row("N", value: { $0.newPassphrase = $1 }),
            Row("O", value: { $0.options.append($1) }),
            Row("P", value: { $0.oldPassphrase = $1 }),
            Row("R", value: { $0.removesHost = $1 }),
            Row("V", value: { $0.validity = $1 }),
            Row("Y", value: { $0.signatureOperation = $1 }),
            Row("Z", value: { $0.cipher = Self.cipher($1) }),
            Row("a", value: { $0.rounds = Self.number($1, upTo: Int(Int32.max)) }),
            Row("b", value: { $0.bits = $1 }),
            Row("f", value: { $0.file = $1 }),
            Row("m", value: { $0.setFormat($1) }),
            Row("n", value: { $0.principals = $1 }),
            Row("r", value: { $0.recordName = $1 }),
            Row("s", value: { $0.signer = $1 }),
            Row("t", value: { $0.typeName = $1 }),
            Row("w", value: { $0.securityKeyLibrary = $1 }),
            Row("z", value: { $0.setSerial($1) }),
        ]
    }

    /// Reads the words after the program's name; leaves the program when they make no sense.
    init(_ words: [String]) {
        let rows = Self.rows
        func effect(of letter: Character) -> Row.Effect? {
            let scalar = letter.unicodeScalars.first
            return rows.first { $0.letter == scalar }?.effect
        }
        var parser = CommandLineParser(words, Self.specification(rows))
        while let step = parser.next() {
            switch step {
            case .flag(let letter):
                guard case .flag(let apply)? = effect(of: letter) else { continue }
                apply(&self)
            case .option(let letter, let value):
                guard case .value(let apply)? = effect(of: letter) else { continue }
                apply(&self, value)
            case .unknown(let letter): fatal("unknown option -- \(letter)", usage: true)
            case .missingValue(let letter):
                fatal("option requires an argument -- \(letter)", usage: true)
            }
        }
        files = parser.operands
        checkFiles()
    }

    /// Some operations want files, the others none.
    private func checkFiles() {
        if printsFingerprint, hashesHosts || removesHost != nil {
            World.error("Cannot use -l with -H or -R.")
            World.writeError(usageText + "\n")
            World.exit(1)
        }
        if moduliOperation != nil {
            if files.count > 1 { fatal("Too many arguments.", usage: true) }
        } else if signer != nil && signatureOperation == nil {
            if files.isEmpty && !makesRevocationList { fatal("Too few arguments.", usage: true) }
        } else if !files.isEmpty, !makesRevocationList, !queriesRevocationList,
            signatureOperation == nil
        {
            fatal("Too many arguments.", usage: true)
        }
    }

    private static func fingerprintHash(_ value: String) -> Fingerprint.Hash {
        guard let hash = Fingerprint.Hash(word: value) else {
            fatal("Invalid hash algorithm \"\(value)\"")
        }
        return hash
    }

    private static func cipher(_ value: String) -> CipherAlgorithm {
        guard let cipher = CipherAlgorithm(rawValue: value) else {
            fatal("Invalid OpenSSH-format cipher '\(value)'")
        }
        return cipher
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
            fatal("Unsupported conversion format \"\(value)\"")
        }
    }

    private mutating func setSerial(_ value: String) {
        // Once asked for, serial numbers go on, whichever number counts in the end.
        let countsUp = value.hasPrefix("+")
        incrementsSerial = incrementsSerial || countsUp
        let digits = countsUp ? value.dropFirst() : value[...]
        guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = UInt64(digits)
        else { fatal("Invalid serial number \"\(digits)\"") }
        serial = number
    }

    private static func number(_ text: String, upTo limit: Int) -> Int {
        guard let number = Int(text) else {
            fatal("Invalid number: \(text) (invalid)")
        }
        if number < 1 { fatal("Invalid number: \(text) (too small)") }
        if number > limit { fatal("Invalid number: \(text) (too large)") }
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
                      [-t ecdsa | ecdsa-sk | ed25519 | ed25519-sk | mldsa44-ed25519 | rsa]
                      [-w provider] [-Z cipher]
           ssh-keygen -p [-a rounds] [-f keyfile] [-m format] [-N new_passphrase]
                       [-P old_passphrase] [-O option] [-Z cipher]
           ssh-keygen -i [-f input_keyfile] [-m key_format]
           ssh-keygen -e [-f input_keyfile] [-m key_format]
           ssh-keygen -y [-f input_keyfile]
           ssh-keygen -c [-a rounds] [-C comment] [-f keyfile] [-P passphrase]
           ssh-keygen -l [-v] [-E fingerprint_hash] [-f input_keyfile]
           ssh-keygen -B [-f input_keyfile]
           ssh-keygen -D pkcs11
           ssh-keygen -F hostname [-lv] [-f known_hosts_file]
           ssh-keygen -H [-f known_hosts_file]
           ssh-keygen -K [-a rounds] [-w provider]
           ssh-keygen -R hostname [-f known_hosts_file]
           ssh-keygen -r hostname [-g] [-f input_keyfile]
           ssh-keygen -M generate [-O option] output_file
           ssh-keygen -M screen [-f input_file] [-O option] output_file
           ssh-keygen -I certificate_identity -s ca_key [-hU] [-D pkcs11_provider]
                      [-n principals] [-O option] [-V validity_interval]
                      [-z serial_number] file ...
           ssh-keygen -L [-f input_keyfile]
           ssh-keygen -A [-a rounds] [-f prefix_path]
           ssh-keygen -k -f krl_file [-u] [-s ca_public] [-z version_number]
                      file ...
           ssh-keygen -Q [-l] -f krl_file [file ...]
           ssh-keygen -Y find-principals -s signature_file -f allowed_signers_file
           ssh-keygen -Y match-principals -I signer_identity -f allowed_signers_file
           ssh-keygen -Y check-novalidate -n namespace -s signature_file
           ssh-keygen -Y sign -f key_file -n namespace file [-O option] ...
           ssh-keygen -Y verify -f allowed_signers_file -I signer_identity
                      -n namespace -s signature_file [-r krl_file] [-O option]
    """
