// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// One host to ask, and the names that its keys are printed under.
struct Host {
    let address: String
    let names: [String]

    /// A line of a file or an argument, `addrlist namelist`: the first word of the list is asked,
    /// the names are the second part or else the whole list.
    init?(line: Substring) {
        let words = line.split(maxSplits: 1) { $0 == " " || $0 == "\t" }
        guard let list = words.first, let first = list.split(separator: ",").first else {
            return nil
        }
        address = String(first)
        names = (words.count == 2 ? words[1] : list).split(separator: ",").map(String.init)
    }

    init(address: SocketAddress) {
        self.address = address.host
        names = [self.address]
    }
}

/// The hosts of the files and then of the arguments, made one by one: a range may be large.
struct HostList {
    private var lines: [Substring] = []
    private var arguments: ArraySlice<String>
    private var range: AddressRange?
    private let family: Resolver.Family
    private let log: Log

    /// Reads the files; leaves the program when one cannot be read.
    init(_ arguments: Arguments, _ log: Log) {
        self.arguments = arguments.hosts[...]
        family = arguments.addresses
        self.log = log
        for file in arguments.files { lines += Self.lines(of: file) }
        lines.reverse()
    }

    private static func lines(of file: String) -> [Substring] {
        let contents: [UInt8]
        if file == "-" {
            contents = Descriptor.readAll(Descriptor.standardInput, limit: maximumBytes) ?? []
        } else {
            do throws(SystemError) {
                contents = try Files.read(file, limit: maximumBytes)
            } catch {
                Arguments.leave("ssh-keyscan: \(file): \(error.reason)\r\n", status: 255)
            }
        }
        return contents.split { $0 == 0x0a || $0 == 0x0d }.compactMap { bytes in
            // A comment starts at a # anywhere, as no name has one.
            let text = String(octets: bytes.prefix { $0 != UInt8(ascii: "#") })
            let line = text.drop { $0 == " " || $0 == "\t" }
            guard let end = line.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return nil }
            return line[...end]
        }
    }

    mutating func next() -> Host? {
        while let line = lines.popLast() {
            if let host = Host(line: line) { return host }
        }
        while true {
            if let address = range?.next() {
                log.debug("CIDR expand: address \(address.host)")
                return Host(address: address)
            }
            guard let argument = arguments.popFirst() else { return nil }
            range = AddressRange(argument, family: family)
            if range != nil {
                log.debug("CIDR range \(argument)")
            } else if let host = Host(line: argument[...]) {
                return host
            }
        }
    }

    private static let maximumBytes = 64 << 20
}
