// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem

/// A display as `DISPLAY` names it: `[host]:number[.screen]`, `unix:number`, or a path before the
/// colon (X(7)).
struct X11Display: Hashable, Sendable {
    /// The whole name, for xauth.
    let name: String
    let screen: UInt32
    private let end: End

    private enum End: Hashable {
        case unix(path: String)
        case tcp(host: String, port: Int)
    }

    /// Nil for what is no display, or holds characters that no display has.
    init?(_ name: String) {
        let isSafe = name.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || ":/.-_[]%".utf8.contains(byte)
        }
        guard isSafe, name.utf8.count < 512, let colon = name.lastIndex(of: ":") else { return nil }
        let numbers = name[name.index(after: colon)...].split(
            separator: ".",
            omittingEmptySubsequences: false
        )
        guard let first = numbers.first, let number = Int(first), (0...59535).contains(number),
            numbers.count <= 2
        else { return nil }
        self.name = name
        screen = numbers.count == 2 ? UInt32(numbers[1]) ?? 0 : 0
        let host = String(name[..<colon])
        if host.hasPrefix("/") {
            end = .unix(path: "\(host):\(first)")
        } else if host.isEmpty || host == "unix" {
            end = .unix(path: "/tmp/.X11-unix/X\(number)")
        } else {
            end = .tcp(host: host, port: 6000 + number)
        }
    }

    /// The name under which xauth knows it: a display of this machine has no host there.
    var authorityName: String {
        name.hasPrefix("localhost:") ? "unix" + name.dropFirst("localhost".count) : name
    }

    /// A connection to its server.
    func connect() throws(SystemError) -> Int32 {
        switch end {
        case .unix(let path): return try UnixSocket.connect(path)
        case .tcp(let host, let port):
            let addresses = (try? Resolver.addresses(of: host, port: "\(port)")) ?? []
            var last = SystemError("connect", host, number: 111)
            for address in addresses {
                do throws(SystemError) {
                    return try Socket.connected(to: address, milliseconds: 5000)
                } catch { last = error }
            }
            throw last
        }
    }
}
