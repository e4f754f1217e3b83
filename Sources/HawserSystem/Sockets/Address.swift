// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// An address of a socket: IPv4, IPv6 or a path.
package struct SocketAddress: Hashable, Sendable {
    /// The C structure, as long as its family needs.
    package let bytes: [UInt8]

    package init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    package var family: Int32 {
        guard bytes.count >= 2 else { return AF_UNSPEC }
        return Int32(UInt16(bytes[0]) | UInt16(bytes[1]) << 8)
    }

    package var isIPv6: Bool { family == AF_INET6 }
    package var isUnix: Bool { family == AF_UNIX }

    /// The numeric form, e.g. `127.0.0.1` or `fe80::1%eth0`; "UNKNOWN" for what has none.
    package var host: String {
        if family == AF_INET, bytes.count >= 8 {
            return "\(bytes[4]).\(bytes[5]).\(bytes[6]).\(bytes[7])"
        }
        guard family == AF_INET6 else { return "UNKNOWN" }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        // SAFETY: reads the address, writes a terminated string.
        let status = unsafe withC { address, count in
            unsafe getnameinfo(address, count, &host, UInt32(host.count), nil, 0, NI_NUMERICHOST)
        }
        return status == 0 ? text(host) : "UNKNOWN"
    }

    package var port: Int {
        guard family == AF_INET || family == AF_INET6, bytes.count >= 4 else { return 0 }
        return Int(bytes[2]) << 8 | Int(bytes[3])
    }

    /// Whether the other end is on this machine.
    package var isLoopback: Bool {
        let plain = unmapped
        if plain.family == AF_INET, plain.bytes.count >= 8 { return plain.bytes[4] == 127 }
        guard family == AF_INET6, bytes.count >= 24 else { return false }
        return bytes[8..<23].allSatisfy { $0 == 0 } && bytes[23] == 1
    }

    /// Four decimal numbers and a port, without asking anyone; nil for any other form, which may be
    /// an address too.
    static func plainIPv4(_ host: String, port: String) -> SocketAddress? {
        guard let port = UInt16(port) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        let parts = host.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        for (index, part) in parts.enumerated() {
            // A zero in front would make it octal.
            guard part.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains),
                part.count == 1 || part.first != UInt8(ascii: "0"),
                let number = UInt8(String(Substring(part)))
            else { return nil }
            bytes[4 + index] = number
        }
        bytes[0] = UInt8(AF_INET)
        bytes[2] = UInt8(port >> 8)
        bytes[3] = UInt8(port & 0xff)
        return SocketAddress(bytes: bytes)
    }

    /// The name that the resolver has for the address, or nil.
    package var resolvedName: String? {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        // SAFETY: as in `names`.
        let status = unsafe withC { address, count in
            unsafe getnameinfo(
                address,
                count,
                &host,
                UInt32(host.count),
                nil,
                0,
                NI_NAMEREQD
            )
        }
        return status == 0 ? text(host) : nil
    }

    /// The IPv4 address in an IPv6 one that maps it (RFC 4291 §2.5.5.2), else this one.
    package var unmapped: SocketAddress {
        guard family == AF_INET6, bytes.count >= 28 else { return self }
        let address = bytes[8..<24]
        guard address.prefix(10).allSatisfy({ $0 == 0 }),
            address.dropFirst(10).prefix(2) == [255, 255]
        else { return self }
        var result = [UInt8](repeating: 0, count: 16)
        result[0] = UInt8(AF_INET)
        result[2] = bytes[2]
        result[3] = bytes[3]
        for index in 0..<4 { result[4 + index] = bytes[20 + index] }
        return SocketAddress(bytes: result)
    }

    /// Lends the address to a C call.
    func withC<Result>(_ body: (UnsafePointer<sockaddr>?, socklen_t) -> Result) -> Result {
        unsafe bytes.withUnsafeBytes { buffer in
            // SAFETY: a sockaddr is the common start of every family's structure.
            unsafe body(
                buffer.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(buffer.count)
            )
        }
    }

    /// Fills an address by a C call that knows its length.
    static func filled(
        _ body: (UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> (result: Int32, address: SocketAddress) {
        var bytes = [UInt8](repeating: 0, count: 128)
        var count = socklen_t(bytes.count)
        let result = unsafe bytes.withUnsafeMutableBytes { buffer in
            // SAFETY: room for the longest structure (sockaddr_storage).
            unsafe body(buffer.baseAddress?.assumingMemoryBound(to: sockaddr.self), &count)
        }
        return (result, SocketAddress(bytes: Array(bytes.prefix(Int(min(count, 128))))))
    }

    /// The address of a path, or nil when it is too long (108 bytes with its end).
    package static func unix(_ path: String) -> SocketAddress? {
        let name = path.octets
        guard name.count < 108, !name.isEmpty else { return nil }
        return SocketAddress(bytes: [UInt8(AF_UNIX), 0] + name + [0])
    }
}

/// Why a name has no address: the resolver's own words.
package struct ResolveError: Error, CustomStringConvertible {
    package var code: Int32

    package var description: String {
        // SAFETY: a constant string.
        code == EAI_SYSTEM
            ? SystemError.reason(errno) : unsafe String(cOctets: gai_strerror(code))
    }
}

/// Names to addresses. C: `getaddrinfo`.
package enum Resolver {
    package enum Family: Sendable { case any, ipv4, ipv6 }

    /// The addresses of a host, in the resolver's order.
    package static func addresses(
        of host: String?,
        port: String,
        family: Family = .any,
        isPassive: Bool = false,
        isNumeric: Bool = false
    ) throws(ResolveError) -> [SocketAddress] {
        if let host, family != .ipv6, let address = SocketAddress.plainIPv4(host, port: port) {
            return [address]
        }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_family =
            switch family {
            case .any: AF_UNSPEC
            case .ipv4: AF_INET
            case .ipv6: AF_INET6
            }
        if isPassive { unsafe hints.ai_flags |= AI_PASSIVE }
        if isNumeric { unsafe hints.ai_flags |= AI_NUMERICHOST }
        var list: UnsafeMutablePointer<addrinfo>?
        unsafe list = nil
        // SAFETY: the list is freed after it has been copied.
        let status =
            unsafe host?.withCOctets { unsafe getaddrinfo($0, port, &hints, &list) }
            ?? getaddrinfo(nil, port, &hints, &list)
        guard status == 0 else { throw ResolveError(code: status) }
        defer { unsafe freeaddrinfo(list) }
        var result: [SocketAddress] = []
        var next = unsafe list
        while let entry = unsafe next {
            let bytes = unsafe UnsafeRawBufferPointer(
                start: entry.pointee.ai_addr,
                count: Int(entry.pointee.ai_addrlen)
            )
            unsafe result.append(SocketAddress(bytes: Array(bytes)))
            unsafe next = entry.pointee.ai_next
        }
        return result
    }

    /// The name that a host's own name is an alias of, with a dot at its end when `name` has one, or
    /// nil when there is no such host. C: `getaddrinfo` with `AI_CANONNAME`.
    package static func canonicalName(
        of host: String,
        port: String,
        family: Family = .any,
        isNumeric: Bool = false
    ) throws(ResolveError) -> String? {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_family =
            switch family {
            case .any: AF_UNSPEC
            case .ipv4: AF_INET
            case .ipv6: AF_INET6
            }
        unsafe hints.ai_flags = isNumeric ? AI_NUMERICHOST | AI_CANONNAME : AI_CANONNAME
        var list: UnsafeMutablePointer<addrinfo>?
        unsafe list = nil
        // SAFETY: the list is freed after its first name has been copied.
        let status = unsafe host.withCOctets { unsafe getaddrinfo($0, port, &hints, &list) }
        guard status == 0 else { throw ResolveError(code: status) }
        defer { unsafe freeaddrinfo(list) }
        guard let first = unsafe list, let name = unsafe first.pointee.ai_canonname else {
            return nil
        }
        return unsafe String(cOctets: name)
    }

    /// The host's own canonical name, if it is an alias.
    package static var ownHostName: String {
        var name = [CChar](repeating: 0, count: 256)
        // SAFETY: writes at most 255 bytes; the last stays zero.
        _ = unsafe gethostname(&name, name.count - 1)
        return text(name)
    }
}

func text(_ characters: [CChar]) -> String {
    String(octets: characters.prefix(while: { $0 != 0 }).map { UInt8(bitPattern: $0) })
}
