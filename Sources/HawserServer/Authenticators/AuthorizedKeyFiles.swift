// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserSystem

/// Whether a user's authorized_keys files let a key in (`AuthorizedKeysFile`, `StrictModes`).
struct AuthorizedKeyFiles {
    let user: User
    let patterns: [String]
    let isStrict: Bool
    let peer: PeerAddress
    /// The client's name, when names are looked up.
    let hostName: String?
    let fingerprintHash: Fingerprint.Hash
    let log: Log

    /// The options of the first line that lets the key in.
    func options(for key: PublicKey) -> AuthorizedKeysMatch? {
        for pattern in patterns {
            let path = expand(pattern)
            log.debug("trying public key file \(path)")
            let read = Identity.reading(as: user) { contents(of: path) }
            guard let contents = read else { continue }
            if let match = search(contents, path, key) { return match }
        }
        return nil
    }

    private func contents(of path: String) -> [UInt8]? {
        guard Files.exists(path) else {
            log.debug("Could not open user '\(user.name)' authorized keys '\(path)'")
            return nil
        }
        if isStrict, let reason = Files.distrust(of: path, owner: user.uid, home: user.home) {
            log.info("Authentication refused: \(reason)")
            return nil
        }
        return try? Files.read(path)
    }

    func search(
        _ contents: [UInt8],
        _ path: String,
        _ key: PublicKey
    ) -> AuthorizedKeysMatch? {
        let file = AuthorizedKeys(contents: contents)
        for (number, entry) in file.entries(for: key) {
            // Certificates are for the authority's rules, which check principals and dates.
            guard key.certificate == nil else { continue }
            let place = "\(path):\(number)"
            if let reason = refusal(of: entry.options, place) {
                log.info("Authentication tried for \(user.name) with correct key but \(reason)")
                continue
            }
            let name = "\(key.type.shortName) \(key.fingerprint(fingerprintHash))"
            return AuthorizedKeysMatch(
                options: entry.options,
                optionsText: entry.optionsText,
                description: "Accepted key \(name) found at \(place)"
            )
        }
        return nil
    }

    /// Why a line's options keep this client out now.
    private func refusal(of options: AuthorizedKeyOptions, _ place: String) -> String? {
        if let expiry = options.expiryTime, isOver(expiry) { return "the key has expired" }
        guard let from = options.from else { return nil }
        let list = from.split(separator: ",").map(String.init)
        if let verdict = AddressPatterns.verdict(list, peer.address) {
            return verdict ? nil : Self.wrongHost(hostName, peer)
        }
        if let hostName, Pattern.listContains(from.lowercased(), hostName.lowercased()) {
            return nil
        }
        return Self.wrongHost(hostName, peer)
    }

    private static func wrongHost(_ hostName: String?, _ peer: PeerAddress) -> String {
        "not from a permitted host (host=\(hostName ?? peer.address), ip=\(peer.address))."
    }

    private func isOver(_ time: TimeSpecification) -> Bool {
        let end =
            time.isUTC
            ? time.secondsAsUTC
            : CivilTime.seconds(
                year: time.year,
                month: time.month,
                day: time.day,
                hour: time.hour,
                minute: time.minute,
                second: time.second
            )
        return Int64(clamping: Clock.epochSeconds) >= end
    }

    /// A path with its tokens replaced, relative to the user's home.
    private func expand(_ pattern: String) -> String {
        var path = ""
        var isToken = false
        for character in pattern {
            if isToken {
                switch character {
                case "h": path += user.home
                case "u": path += user.name
                case "U": path += String(user.uid)
                case "%": path += "%"
                default: path += "%" + String(character)
                }
                isToken = false
            } else if character == "%" {
                isToken = true
            } else {
                path.append(character)
            }
        }
        return path.hasPrefix("/") ? path : user.home + "/" + path
    }
}

/// A line that lets a key in.
struct AuthorizedKeysMatch {
    let options: AuthorizedKeyOptions
    /// As written, for the user's process.
    let optionsText: String
    /// For the log.
    let description: String
}
