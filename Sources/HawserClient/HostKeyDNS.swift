// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserSystem

/// What the domain name system says about a host key (`VerifyHostKeyDNS`, RFC 4255).
enum DNSVerdict: Equatable {
    case notAsked
    /// There are no records, or none to be had.
    case nothing
    /// `isSecure`: a trusted resolver has checked their signatures.
    case matches(isSecure: Bool)
    case differs
}

extension HostKeyVerification {
    /// Looks up the SSHFP records of the host and compares those of the key's kind: each of them must
    /// match. Warns when they do not.
    func verdictOfDNS(_ key: PublicKey) -> DNSVerdict {
        guard let ours = SSHFPRecord.records(of: key), let kind = ours.first?.algorithm else {
            return .notAsked
        }
        if (try? Resolver.addresses(of: settings.host, port: "22", isNumeric: true)) != nil {
            log.debug("skipped DNS lookup for numerical hostname")
            return .notAsked
        }
        let found: (data: [[UInt8]], isSecure: Bool)
        do throws(NameServiceError) {
            found = try NameServers.ofSystem.records(of: settings.host, type: Self.recordType)
        } catch {
            log.info("DNS lookup error: \(error)")
            return .nothing
        }
        log.debug(
            "found \(found.data.count) \(found.isSecure ? "secure" : "insecure") fingerprints in DNS"
        )
        let relevant = found.data.compactMap(SSHFPRecord.init(data:)).filter { record in
            record.algorithm == kind && ours.contains { $0.hash == record.hash }
        }
        if !relevant.isEmpty, relevant.allSatisfy(ours.contains) {
            log.debug("matching host key fingerprint found in DNS")
            return .matches(isSecure: found.isSecure)
        }
        log.debug("mismatching host key fingerprint found in DNS")
        warnChanged(key)
        log.error(
            "Update the SSHFP RR in DNS with the new host key to get rid of this message."
        )
        return .differs
    }

    /// SSHFP (RFC 4255 §3.1).
    private static let recordType: UInt16 = 44
}

extension SSHFPRecord {
    /// From the data of a record; nil for one that is too short.
    init?(data: [UInt8]) {
        guard data.count > 2 else { return nil }
        self.init(algorithm: data[0], hash: data[1], digest: Array(data[2...]))
    }
}
