// SPDX-License-Identifier: Apache-2.0

package import HawserConfig
internal import HawserSystem

/// `CanonicalizeHostname` and its companions: a short name becomes the full one that the resolver
/// knows under one of the domains.
package struct HostCanonicalization {
    private let options: ClientOptions

    package init(_ options: ClientOptions) {
        self.options = options
    }

    /// The name to connect to; the name itself where there is nothing to do. Throws when no domain
    /// has the name and `CanonicalizeFallbackLocal` is `no`.
    package func canonicalName(
        of host: String,
        _ note: (String) -> Void
    ) throws(ConfigError) -> String {
        let mode = options.canonicalizeHostname ?? .no
        let isProxied = options.proxyCommand != nil || options.proxyJump != nil
        guard mode == .always || (mode == .yes && !isProxied) else { return host.lowercased() }
        if AddressPatterns.bytes(of: host) != nil { return host.lowercased() }
        // A dot at the end says that the name is whole.
        if host.hasSuffix(".") {
            let name = String(host.dropLast())
            return try resolve(name + ".").map { followed(name, $0) } ?? name
        }
        let dots = host.utf8.count { $0 == UInt8(ascii: ".") }
        if dots <= options.canonicalizeMaxDots ?? 1 {
            for domain in options.canonicalDomains ?? [] where domain != "none" {
                let name = "\(host).\(domain)"
                guard let canonical = try resolve(name + ".") else { continue }
                return followed(name.lowercased(), canonical)
            }
        }
        guard options.canonicalizeFallbackLocal ?? true else {
            throw ConfigError(file: "", line: 0, text: "Could not resolve host \"\(host)\"")
        }
        return host.lowercased()
    }

    /// The canonical name of a host, or nil when there is none.
    private func resolve(_ name: String) throws(ConfigError) -> String? {
        let family: Resolver.Family =
            switch options.addressFamily ?? .any {
            case .any: .any
            case .inet: .ipv4
            case .inet6: .ipv6
            }
        guard
            let found = try? Resolver.canonicalName(
                of: name,
                port: "\(options.port ?? 22)",
                family: family
            )
        else { return nil }
        return found.hasSuffix(".") ? String(found.dropLast()) : found
    }

    /// The target of an alias, if a rule of `CanonicalizePermittedCNAMEs` permits it.
    private func followed(_ name: String, _ target: String) -> String {
        let target = target.lowercased()
        guard target != name else { return name }
        for rule in options.canonicalizePermittedCNAMEs ?? [] where rule != "none" {
            let sides = rule.split(separator: ":", maxSplits: 1).map(String.init)
            if sides.count == 2, Patterns.verdict(list: sides[0], name) == true,
                Patterns.verdict(list: sides[1], target) == true
            {
                return target
            }
        }
        return name
    }
}
