// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserTool

/// Prints keys as lines of known_hosts or as records of the domain name system.
struct KeyPrinter {
    private let format: Arguments.Format
    private let port: Int
    private let log: Log
    private let random = SystemRandom()

    init(_ format: Arguments.Format, port: Int, _ log: Log) {
        self.format = format
        self.port = port
        self.log = log
    }

    /// Whether the key could be printed.
    func print(_ key: PublicKey, of name: String) -> Bool {
        if format.printsRecords { return printRecords(of: key, name) }
        // A certificate names its hosts itself; a line for it needs its authority's key.
        if key.type.isCertificate {
            printOutput(key.text + "\n")
        } else {
            printOutput(field(name) + " " + key.text + "\n")
        }
        return true
    }

    /// The first field of a line of known_hosts (sshd(8)).
    private func field(_ name: String) -> String {
        let full = (port == 22 ? name : "[\(name)]:\(port)").asciiLowercased
        guard format.hashesNames else { return full }
        return HashedHostName(full, salt: random.bytes(HashedHostName.bytes)).text
    }

    private func printRecords(of key: PublicKey, _ name: String) -> Bool {
        let records = SSHFPRecord.records(of: key, hashes: format.recordHashes)
        guard let records else {
            log.error("export_dns_rr: unsupported algorithm and/or digest_type")
            return false
        }
        for record in records { printOutput(record.text(host: name, isGeneric: false) + "\n") }
        return true
    }
}
