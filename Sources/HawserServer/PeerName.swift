// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
internal import HawserSystem

/// The name of a client's host, for `UseDNS`.
enum PeerName {
    /// The name that an address has and that leads back to the address; nil when there is none.
    static func resolve(_ address: SocketAddress, _ log: Log) -> String? {
        guard let name = address.resolvedName?.lowercased() else { return nil }
        return check(
            name,
            address.host,
            isNumeric: {
                (try? Resolver.addresses(of: $0, port: "0", isNumeric: true))?.isEmpty == false
            },
            addresses: { try? Resolver.addresses(of: $0, port: "0").map(\.unmapped.host) },
            log
        )
    }

    /// Whoever runs the reverse zone may say any name there: only the forward one counts.
    static func check(
        _ name: String,
        _ address: String,
        isNumeric: (String) -> Bool,
        addresses: (String) -> [String]?,
        _ log: Log
    ) -> String? {
        if isNumeric(name) {
            log.info("Nasty PTR record \"\(name)\" is set up for \(address), ignoring")
            return nil
        }
        guard let list = addresses(name) else {
            log.info("reverse mapping checking getaddrinfo for \(name) [\(address)] failed.")
            return nil
        }
        guard list.contains(address) else {
            log.info(
                "Address \(address) maps to \(name), but this does not map back to the address."
            )
            return nil
        }
        return name
    }
}
