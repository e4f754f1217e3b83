// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// Why the domain name system has no records. The descriptions are the words that users know.
package enum NameServiceError: Error, Equatable, Sendable, CustomStringConvertible {
    case noSuchName
    case noSuchData
    case failed

    package var description: String {
        switch self {
        case .noSuchName: "name does not exist"
        case .noSuchData: "data does not exist"
        case .failed: "general failure"
        }
    }
}

/// The resolvers of resolv.conf(5), asked for records that getaddrinfo(3) does not tell.
package struct NameServers: Sendable {
    package var addresses: [SocketAddress] = []
    package var timeoutSeconds = 5
    package var attempts = 2
    /// The way to the resolver is safe, so that its word about signatures counts (`trust-ad`).
    package var isTrusted = false
    package var usesStreams = false

    /// What `/etc/resolv.conf` and `RES_OPTIONS` say.
    package static var ofSystem: NameServers {
        let text = (try? Files.read("/etc/resolv.conf", limit: 1 << 16)) ?? []
        return NameServers(
            configuration: String(octets: text),
            options: Environment.value("RES_OPTIONS") ?? ""
        )
    }

    package init(configuration: String, options: String = "") {
        for line in configuration.split(whereSeparator: \.isNewline) {
            let words = line.split { $0 == " " || $0 == "\t" }
            guard let keyword = words.first else { continue }
            if keyword == "nameserver", words.count > 1, addresses.count < 3 {
                let found = try? Resolver.addresses(
                    of: String(words[1]),
                    port: "53",
                    isNumeric: true
                )
                addresses += found?.prefix(1) ?? []
            } else if keyword == "options" {
                words.dropFirst().forEach { set(option: $0) }
            }
        }
        options.split(separator: " ").forEach { set(option: $0) }
        if addresses.isEmpty {
            addresses =
                (try? Resolver.addresses(of: "127.0.0.1", port: "53", isNumeric: true)) ?? []
        }
    }

    private mutating func set(option: Substring) {
        let parts = option.split(separator: ":", maxSplits: 1)
        let value = parts.count > 1 ? Int(parts[1]) : nil
        switch parts.first {
        case "timeout": timeoutSeconds = min(max(value ?? 5, 1), 30)
        case "attempts": attempts = min(max(value ?? 2, 1), 5)
        case "trust-ad": isTrusted = true
        case "use-vc": usesStreams = true
        default: break
        }
    }

    /// The data of all records of a type at a name, and whether a trusted resolver has checked their
    /// signatures.
    package func records(
        of name: String,
        type: UInt16
    ) throws(NameServiceError) -> (data: [[UInt8]], isSecure: Bool) {
        for _ in 0..<attempts {
            for address in addresses {
                guard let answer = ask(address, name, type) else { continue }
                switch answer.responseCode {
                case 0:
                    guard !answer.records.isEmpty else { throw .noSuchData }
                    return (answer.records, answer.isAuthenticated && isTrusted)
                case 3: throw .noSuchName
                default: continue
                }
            }
        }
        throw .failed
    }

    private func ask(
        _ address: SocketAddress,
        _ name: String,
        _ type: UInt16
    ) -> DomainNameMessage.Answer? {
        let identifier = UInt16.random(in: 0...UInt16.max)
        guard
            let question = DomainNameMessage.question(name, type: type, identifier: identifier)
        else { return nil }
        func read(_ bytes: [UInt8]) -> DomainNameMessage.Answer? {
            DomainNameMessage.answer(bytes, to: name, type: type, identifier: identifier)
        }
        if !usesStreams {
            guard let answer = askByDatagram(address, question, read) else { return nil }
            if !answer.isTruncated { return answer }
        }
        return askByStream(address, question).flatMap(read)
    }

    /// UDP (RFC 1035 §4.2.1). What does not answer the question is passed over.
    private func askByDatagram(
        _ address: SocketAddress,
        _ question: [UInt8],
        _ read: ([UInt8]) -> DomainNameMessage.Answer?
    ) -> DomainNameMessage.Answer? {
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let fd = socket(address.family, kind | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard fd >= 0 else { return nil }
        defer { Descriptor.close(fd) }
        guard (try? Socket.connect(fd, to: address)) != nil,
            case .bytes = Descriptor.write(fd, question.rawBytes)
        else { return nil }
        let deadline = Clock.nanoseconds + UInt64(timeoutSeconds) * 1_000_000_000
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let now = Clock.nanoseconds
            guard now < deadline,
                Descriptor.waitUntilReady(
                    fd,
                    forWriting: false,
                    milliseconds: Int32(clamping: (deadline - now) / 1_000_000 + 1)
                )
            else { return nil }
            var span = buffer.mutableRawBytes
            switch Descriptor.read(fd, into: &span) {
            case .bytes(let count):
                if let answer = read(Array(buffer[..<count])) { return answer }
            case .wouldBlock: continue
            case .ended, .failed: return nil
            }
        }
    }

    /// TCP, with two bytes of length before each message (RFC 1035 §4.2.2).
    private func askByStream(_ address: SocketAddress, _ question: [UInt8]) -> [UInt8]? {
        let milliseconds = Int32(clamping: timeoutSeconds * 1000)
        guard let fd = try? Socket.connected(to: address, milliseconds: milliseconds) else {
            return nil
        }
        defer { Descriptor.close(fd) }
        let head = [UInt8(question.count >> 8 & 0xff), UInt8(question.count & 0xff)]
        guard Descriptor.writeAll(fd, head + question) else { return nil }
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            if received.count >= 2 {
                let count = Int(received[0]) << 8 | Int(received[1])
                if received.count >= count + 2 { return Array(received[2..<count + 2]) }
            }
            guard
                Descriptor.waitUntilReady(fd, forWriting: false, milliseconds: milliseconds)
            else { return nil }
            var span = chunk.mutableRawBytes
            switch Descriptor.read(fd, into: &span) {
            case .bytes(let count): received += chunk[..<count]
            case .wouldBlock: continue
            case .ended, .failed: return nil
            }
        }
    }
}
