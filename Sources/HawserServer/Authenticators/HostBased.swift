// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

extension Monitor {
    // MARK: hostbased (RFC 4252 §9)

    func decideHostBased(_ attempt: HostBasedAttempt, _ login: LoginState) -> Verdict {
        let offered = OfferedKey(
            method: "userauth_hostbased",
            keyword: "HostbasedAcceptedAlgorithms",
            accepted: AlgorithmDefaults.hostBased(settings),
            algorithm: attempt.algorithm,
            blob: attempt.keyBlob
        )
        guard let key = usableKey(offered, login) else { return .failed }
        guard isTrusted(attempt, key, login) else { return .failed }
        let signed = SignedRequest.hostBased(
            sessionIdentifier: sessionIdentifier,
            user: login.saidName.octets,
            service: "ssh-connection",
            algorithm: attempt.algorithm,
            keyBlob: attempt.keyBlob,
            clientHostName: attempt.clientHostName,
            clientUser: attempt.clientUser
        )
        do throws(KeyError) {
            try key.verify(
                signature: attempt.signature,
                over: signed.rawBytes,
                allowing: [attempt.algorithm],
                minimumRSABits: settings.minimumRSABits
            )
        } catch {
            log.error("key verification failed: \(error) [preauth]")
            return .failed
        }
        login.usedKeys.append(key)
        login.authenticationInfo.append("hostbased \(key.text)\n")
        return .succeeded
    }

    /// Whether the client's host is one that a file trusts, and the key is known to be its.
    private func isTrusted(
        _ attempt: HostBasedAttempt,
        _ key: PublicKey,
        _ login: LoginState
    ) -> Bool {
        let revocation = Revocation(
            paths: settings.words("revokedkeys"),
            fingerprintHash: settings.fingerprintHash,
            log: log
        )
        guard !revocation.revokes(key) else { return false }
        var claimed = attempt.clientHostName
        let resolved = hostName ?? start.peer.address
        log.debug2(
            "userauth_hostbased: chost \(claimed) resolvedname \(resolved) "
                + "ipaddr \(start.peer.address)"
        )
        if claimed.hasSuffix(".") {
            log.debug2("stripping trailing dot from chost \(claimed)")
            claimed.removeLast()
        }
        let client: TrustedHosts.Client
        if settings.isYes("hostbasedusesnamefrompacketonly", default: false) {
            client = TrustedHosts.Client(
                user: attempt.clientUser,
                host: claimed,
                address: claimed
            )
        } else {
            if claimed.lowercased() != resolved.lowercased() {
                log.info(
                    "userauth_hostbased mismatch: client sends \(claimed), but we resolve "
                        + "\(start.peer.address) to \(resolved)"
                )
            }
            client = TrustedHosts.Client(
                user: attempt.clientUser,
                host: resolved,
                address: start.peer.address
            )
        }
        let hosts = TrustedHosts(
            user: login.user,
            isStrict: settings.isStrict,
            ignored: ignoredFiles,
            log: log
        )
        guard hosts.trust(client) else {
            log.debug2(
                "userauth_hostbased: auth_rhosts2 refused user \"\(attempt.clientUser)\" "
                    + "host \"\(client.host)\" (from packet)"
            )
            return false
        }
        return isKnown(key, of: client.host, login)
    }

    private var ignoredFiles: TrustedHosts.IgnoredFiles {
        switch settings.first("ignorerhosts") {
        case "no": .none
        case "shosts-only": .rhosts
        default: .all
        }
    }

    /// Whether a known_hosts file has the key for the host, or for a certificate its authority.
    private func isKnown(_ key: PublicKey, of host: String, _ login: LoginState) -> Bool {
        var files = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"].compactMap { path in
            (try? Files.read(path)).map { KnownHostsFile(path: path, contents: $0) }
        }
        if !settings.isYes("ignoreuserknownhosts", default: false) {
            let path = login.user.home + "/.ssh/known_hosts"
            let contents: [UInt8]? = Identity.reading(as: login.user) {
                guard Files.exists(path) else { return nil }
                if settings.isStrict,
                    Files.distrust(of: path, owner: login.user.uid, home: login.user.home) != nil
                {
                    log.info(
                        "Authentication refused for \(login.user.name): bad owner or modes for "
                            + path
                    )
                    return nil
                }
                return try? Files.read(path)
            }
            if let contents { files.append(KnownHostsFile(path: path, contents: contents)) }
        }
        switch KnownHosts(files: files).verdict(on: key, for: host) {
        case .known:
            guard key.certificate != nil else { return true }
            return isGoodCertificate(key, of: host)
        case .revoked:
            log.error(
                "WARNING: revoked key for \(host) attempted authentication"
            )
            return false
        case .changed, .unknown:
            return false
        }
    }

    private func isGoodCertificate(_ key: PublicKey, of host: String) -> Bool {
        do throws(CertificateRefusal) {
            let valid = try key.validCertificate(
                of: .host,
                for: [host],
                at: Clock.epochSeconds,
                allowing: settings.names("casignaturealgorithms"),
                minimumRSABits: settings.minimumRSABits
            )
            let (hash, authority) = (settings.fingerprintHash, valid.authority)
            log.verbose(
                "Accepted certificate ID \"\(valid.certificate.keyID)\" signed by "
                    + "\(authority.type.shortName) CA \(authority.fingerprint(hash)) from "
                    + "\(host)"
            )
            return true
        } catch {
            log.error("\(error)")
            return false
        }
    }
}
