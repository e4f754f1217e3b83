// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserSystem
internal import HawserWire

/// How a host is spelled before it is looked up or compared: what `ssh -G` shows as `hostname`.
enum HostSpelling {
    /// A name in small letters; an address as the system writes it, `127.1` as `127.0.0.1`. What
    /// has a colon or a percent sign is no name.
    static func plain(_ host: String, _ options: ClientOptions) -> String {
        if mayBeAddress(host),
            let address = try? Resolver.addresses(
                of: host,
                port: "22",
                family: options.resolverFamily,
                isNumeric: true
            ).first
        {
            // The letters' case is no reason to write it anew.
            return address.host.lowercased() == host.lowercased() ? host : address.host
        }
        if host.utf8.contains(where: { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "%") }) {
            return host
        }
        // Bytes: a resolver knows no other letters.
        let small = host.utf8.map { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 ? $0 | 0x20 : $0 }
        return String(decoding: small, as: UTF8.self)
    }

    /// Whether it is worth to ask the system.
    private static func mayBeAddress(_ host: String) -> Bool {
        guard let first = host.utf8.first else { return false }
        return UInt8(ascii: "0")...UInt8(ascii: "9") ~= first
            || host.utf8.contains(UInt8(ascii: ":"))
    }
}

extension ClientOptions {
    /// `AddressFamily`
    var resolverFamily: Resolver.Family {
        switch addressFamily ?? .any {
        case .any: .any
        case .inet: .ipv4
        case .inet6: .ipv6
        }
    }
}
