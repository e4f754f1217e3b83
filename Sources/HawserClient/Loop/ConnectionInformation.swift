// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserProtocol
internal import HawserSystem

/// The compressions of a connection (zlib@openssh.com), so that one can tell what they save.
final class Compressions {
    private(set) var made: [Zlib] = []

    func make() -> Zlib {
        let one = Zlib()
        made.append(one)
        return one
    }
}

/// What `-O conninfo` and `~I` show.
extension ClientLoop {
    /// A line of its own for what it is about, then a name and a value each (OpenSSH 10.3).
    var connectionInformation: String {
        let lines =
            [("", "Connection to \(settings.host), process \(Daemon.processID):")]
            + [ends, ("duration", Self.duration(Clock.nanoseconds - started))]
            + algorithms + [("traffic", traffic)] + savings + [("channels", "\(channels.count)")]
        return lines.map { $0.isEmpty ? "\($1)\n" : "  \($0) \($1)\n" }.joined()
    }

    private var ends: (String, String) {
        guard let local = Socket.local(of: dialed.input), let address = dialed.address else {
            return ("command", "\(settings.user) -> \(settings.host):\(settings.port)")
        }
        let ends = [local, address].map {
            $0.isIPv6 ? "[\($0.host)]:\($0.port)" : "\($0.host):\($0.port)"
        }
        return ("tcp", "\(ends[0]) -> \(ends[1])")
    }

    private var algorithms: [(String, String)] {
        guard let agreed = connection.negotiated else { return [] }
        let (out, back) = (agreed.toServer, agreed.toClient)
        return [
            ("kexalgorithm", agreed.keyExchange),
            ("hostkeyalgorithm", agreed.hostKey),
        ] + Self.pair("cipher", out.cipher.rawValue, back.cipher.rawValue)
            + Self.pair("mac", Self.mac(out), Self.mac(back))
            + Self.pair("compression", out.compression, back.compression)
    }

    private static func mac(_ way: Negotiated.Direction) -> String {
        way.mac?.rawValue ?? "<implicit>"
    }

    /// One line where both directions are alike.
    private static func pair(_ name: String, _ out: String, _ back: String) -> [(String, String)] {
        out == back ? [(name, out)] : [(name, "\(out) out"), (name, "\(back) in")]
    }

    private var traffic: String {
        let (received, sent) = connection.traffic
        return [(received, "in"), (sent, "out")].map { way, name in
            "\(way.packets) pkts \(way.bytes / 16) blks \(Self.size(way.bytes)) \(name)"
        }.joined(separator: ", ")
    }

    private var savings: [(String, String)] {
        guard !compressions.made.isEmpty else { return [] }
        func sum(_ ways: [(plain: UInt64, wire: UInt64)]) -> String {
            let wire = ways.reduce(0) { $0 &+ $1.wire }
            let plain = ways.reduce(0) { $0 &+ $1.plain }
            return "\(Self.size(plain)) to \(Self.size(wire))"
        }
        let received = sum(compressions.made.map(\.decompressed))
        let sent = sum(compressions.made.map(\.compressed))
        return [("compressed", "\(received) in, \(sent) out")]
    }

    private static func size(_ bytes: UInt64) -> String {
        var value = bytes
        for unit in ["B", "KB", "MB", "GB"] {
            if value < 10_000 { return "\(value)\(unit)" }
            value /= 1024
        }
        return "\(value)TB"
    }

    private static func duration(_ nanoseconds: UInt64) -> String {
        let seconds = nanoseconds / 1_000_000_000
        let parts = [("h", seconds / 3600), ("m", seconds / 60 % 60), ("s", seconds % 60)]
        let first = parts.firstIndex { $0.1 > 0 } ?? 2
        return parts[first...].map { "\($0.1)\($0.0)" }.joined()
    }
}
