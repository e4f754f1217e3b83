// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// The files of one identity: the private key at `path`, what is public about it beside it.
struct IdentityFile {
    let path: String
    let log: Log

    /// What can be said about the key without a passphrase.
    enum Content {
        case key(PublicKey)
        /// There is a private key that only its passphrase opens.
        case locked
        case nothing
    }

    /// `PATH.pub` if it can be read, else what the file itself shows. Says why not where a user
    /// named the file.
    func content(isNamed: Bool) -> Content {
        if let key = Self.publicKey(at: path + ".pub") { return .key(key) }
        guard let bytes = try? Files.read(path, limit: PrivateKeyFile.maximumBytes) else {
            return .nothing
        }
        guard PrivateKeyFile.isPrivateKey(bytes) else {
            if let key = Self.publicKey(inLines: bytes) { return .key(key) }
            if isNamed { log.error("Load key \"\(path)\": error in libcrypto") }
            return .nothing
        }
        if let key = (try? PrivateKeyFile.publicKey(in: bytes)) ?? nil { return .key(key) }
        do throws(KeyError) {
            return .key(try PrivateKeyFile.parse(bytes, passphrase: nil).publicKey)
        } catch .needsPassphrase {
            return .locked
        } catch {
            if isNamed { log.error("Load key \"\(path)\": \(error)") }
            return .nothing
        }
    }

    /// The certificate in `PATH-cert.pub`.
    var certificate: PublicKey? {
        Self.publicKey(at: path + "-cert.pub").flatMap { $0.type.isCertificate ? $0 : nil }
    }

    /// The first key in a file of public keys.
    static func publicKey(at path: String) -> PublicKey? {
        (try? Files.read(path, limit: 1 << 20)).flatMap(publicKey(inLines:))
    }

    private static func publicKey(inLines bytes: [UInt8]) -> PublicKey? {
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            if line.first == UInt8(ascii: "#") { continue }
            return (try? PublicKeyLine.parse(line[...]))?.key
        }
        return nil
    }

    // MARK: The private key

    /// A private key, and what opened it.
    struct Opened {
        var key: PrivateKey
        var passphrase: SecretBytes?
    }

    /// The private key, asking for its passphrase at most `prompts` times. Nil, said why, when there
    /// is none to be had.
    func open(prompts: Int) -> Opened? {
        guard let contents = guardedContents else { return nil }
        do throws(KeyError) {
            return Opened(key: try PrivateKeyFile.parse(contents, passphrase: nil))
        } catch .needsPassphrase {
            return unlock(contents, prompts)
        } catch {
            log.error("Load key \"\(path)\": \(error)")
            return nil
        }
    }

    /// The private key if nobody has to be asked or told anything for it.
    var openedSilently: PrivateKey? {
        guard let status = Files.status(path),
            status.uid != Daemon.realUser || status.mode & 0o077 == 0,
            let contents = try? Files.read(path, limit: PrivateKeyFile.maximumBytes)
        else { return nil }
        return try? PrivateKeyFile.parse(contents, passphrase: nil)
    }

    private func unlock(_ contents: [UInt8], _ prompts: Int) -> Opened? {
        for _ in 0..<max(0, prompts) {
            guard let passphrase = Prompts.ask("Enter passphrase for key '\(path)': "),
                !passphrase.isEmpty
            else {
                log.debug2("no passphrase given, try next key")
                return nil
            }
            do throws(KeyError) {
                let key = try PrivateKeyFile.parse(contents, passphrase: passphrase)
                return Opened(key: key, passphrase: passphrase)
            } catch .wrongPassphrase {
                log.debug2("bad passphrase given, try again...")
            } catch {
                log.error("Load key \"\(path)\": \(error)")
                return nil
            }
        }
        return nil
    }

    /// The file's bytes if only its owner can read them, or nil, said why.
    private var guardedContents: [UInt8]? {
        guard let status = Files.status(path) else { return nil }
        if status.uid == Daemon.realUser, status.mode & 0o077 != 0 {
            warnUnprotected(status.mode)
            return nil
        }
        return try? Files.read(path, limit: PrivateKeyFile.maximumBytes)
    }

    private func warnUnprotected(_ mode: UInt32) {
        let bar = String(repeating: "@", count: 59)
        let digits = String(mode & 0o777, radix: 8)
        let text = "0" + String(repeating: "0", count: max(0, 3 - digits.count)) + digits
        log.error(bar)
        log.error("@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @")
        log.error(bar)
        log.error("Permissions \(text) for '\(path)' are too open.")
        log.error("It is required that your private key files are NOT accessible by others.")
        log.error("This private key will be ignored.")
        log.error("Load key \"\(path)\": bad permissions")
    }
}
