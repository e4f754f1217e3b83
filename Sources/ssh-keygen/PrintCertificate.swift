// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserWire

/// `-L`: what the certificates in a file, or on standard input for `-`, say.
func printCertificates(_ arguments: Arguments) -> Int32 {
    let path = inputFile(arguments)
    let isInput = path == "-"
    if !isInput { requireFile(path, prefix: "\(Arguments.program): ") }
    let contents = isInput ? World.readStandardInput() : World.read(path) ?? []
    let name = isInput ? "(stdin)" : path
    var lines = contents.split(separator: 0x0a, omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    var isFound = false
    for (index, line) in lines.enumerated() {
        let text = String(octets: line)
        let place = "\(name):\(index + 1)"
        if line.first(where: { $0 != 0x20 && $0 != 0x09 }) == UInt8(ascii: "#") { continue }
        do throws(KeyError) {
            let key = try PublicKeyLine.parse(text).key
            guard let certificate = key.certificate else {
                World.error("\(place) is not a certificate")
                continue
            }
            try key.verifyCertificate(allowing: SignatureAlgorithm.allCases.map(\.name))
            isFound = true
            World.print(index == 0 && !isInput ? "\(name):" : "\(place):")
            World.write(describe(key, certificate, arguments))
        } catch {
            let reason = error == .badSignature ? error : .invalidFormat("")
            World.error("\(place): invalid key: \(reason)")
        }
    }
    return isFound ? 0 : 1
}

private func describe(
    _ key: PublicKey,
    _ certificate: Certificate,
    _ arguments: Arguments
) -> String {
    let hash = arguments.fingerprintHash ?? .sha256
    let authority = certificate.signatureKey
    let algorithm = certificate.signatureAlgorithm?.name ?? ""
    let kind = certificate.kind == .user ? "user" : "host"
    var lines = [
        "Type: \(key.type.name) \(kind) certificate",
        "Public key: \(key.type.shortName) \(key.fingerprint(hash))",
        "Signing CA: \(authority.type.shortName) \(authority.fingerprint(hash)) (using \(algorithm))",
        "Key ID: \"\(printed(certificate.keyID))\"",
        "Serial: \(certificate.serial)",
        "Valid: \(Validity(of: certificate).text)",
    ]
    lines += list("Principals", certificate.principals.map(printed))
    lines += list("Critical Options", certificate.criticalOptions.map { describe($0, true) })
    lines += list("Extensions", certificate.extensions.map { describe($0, false) })
    return lines.map { "        \($0)\n" }.joined()
}

private func list(_ title: String, _ entries: [String]) -> [String] {
    if entries.isEmpty { return ["\(title): (none)"] }
    return ["\(title): "] + entries.map { "        " + $0 }
}

private func describe(_ option: Certificate.Option, _ isCritical: Bool) -> String {
    let name = printed(option.name)
    let flags =
        isCritical
        ? ["verify-required"]
        : Certificate.Option.usualExtensions + ["no-touch-required"]
    let texts = isCritical ? ["force-command", "source-address"] : []
    if texts.contains(option.name), let text = try? option.text() {
        return "\(name) \(printed(text))"
    }
    if flags.contains(option.name), option.data.isEmpty { return name }
    if option.data.isEmpty { return "\(name) UNKNOWN FLAG OPTION" }
    let hex = Hexadecimal.encode(option.data)
    return "\(name) UNKNOWN OPTION: \(hex) (len \(option.data.count))"
}
