// SPDX-License-Identifier: Apache-2.0

package import HawserConfig
internal import HawserSystem
internal import HawserWire

/// `CanonicalizeHostname` and its companions: a short name becomes the full one that the resolver
/// knows under one of the domains.
package struct HostCanonicalization {
    private let options: ClientOptions

    package init(_ options: ClientOptions) {
        self.options = options
    }

    /// The name to connect to; the name itself where there is nothing to do. Throws when no domain
    /// has the name and `CanonicalizeFallbackLocal` is `no`, and when an alias is to be followed and
    /// nobody knows the name.
    package func canonicalName(of host: String) throws(ConfigError) -> String {
        let mode = options.canonicalizeHostname ?? .no
        let isProxied = options.proxyCommand != nil || options.proxyJump != nil
        let name = HostSpelling.plain(host, options)
        guard mode == .always || (mode == .yes && !isProxied),
            NumericAddress.bytes(of: host) == nil
        else { return name }
        if let found = try foundUnderDomains(name) { return found }
        // As a last resort the resolver's own search finds what the name is an alias of.
        guard hasRules else { return name }
        do throws(ResolveError) {
            let canonical = try Resolver.canonicalName(of: name, port: port, family: family)
            return followed(name, canonical.map(Self.withoutDot) ?? name)
        } catch {
            throw ConfigError(
                file: "",
                line: 0,
                text: "Could not resolve hostname \(host): \(error)"
            )
        }
    }

    /// The canonical name, if one of the domains has the name or it is whole as it stands; nil where
    /// none has it, or the name is not to be looked for.
    private func foundUnderDomains(_ name: String) throws(ConfigError) -> String? {
        // A dot at the end says that the name is whole.
        if name.hasSuffix(".") {
            if let canonical = resolve(name) { return followed(Self.withoutDot(name), canonical) }
        } else {
            let dots = name.utf8.count { $0 == UInt8(ascii: ".") }
            guard dots <= options.canonicalizeMaxDots ?? 1 else { return nil }
            for domain in options.canonicalDomains ?? [] where domain != "none" {
                let whole = "\(name).\(domain)"
                if let canonical = resolve(whole + ".") { return followed(whole, canonical) }
            }
        }
        guard options.canonicalizeFallbackLocal ?? true else {
            throw ConfigError(file: "", line: 0, text: "Could not resolve host \"\(name)\"")
        }
        return nil
    }

    private var hasRules: Bool {
        (options.canonicalizePermittedCNAMEs ?? []).contains { $0 != "none" }
    }

    private var port: String { "\(options.port ?? 22)" }

    private var family: Resolver.Family { options.resolverFamily }

    private static func withoutDot(_ name: String) -> String {
        name.hasSuffix(".") ? String(name.dropLast()) : name
    }

    /// The canonical name of a host, or nil when there is none.
    private func resolve(_ name: String) -> String? {
        guard let found = try? Resolver.canonicalName(of: name, port: port, family: family) else {
            return nil
        }
        return Self.withoutDot(found)
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
