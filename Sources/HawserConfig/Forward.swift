// SPDX-License-Identifier: Apache-2.0

/// A forwarding as `-L`, `-R`, `-D` and their keywords write it (ssh(1), ssh_config(5)).
package struct Forward: Hashable, Sendable {
    package enum Kind: Sendable { case local, remote, dynamic }

    /// The value of a variable of the environment.
    package typealias Variable = (String) -> String?

    /// Where connections are taken, or where they go.
    package enum End: Hashable, Sendable {
        /// Without a host: as `GatewayPorts` says. An empty host or `*` is every address.
        case tcp(host: String?, port: UInt16)
        case unix(path: String)
    }

    package var kind: Kind
    package var listen: End
    /// Nil where each connection says where it wants to go (SOCKS).
    package var connect: End?

    package init(_ kind: Kind, listen: End, connect: End?) {
        self.kind = kind
        self.listen = listen
        self.connect = connect
    }

    /// Nil for what cannot be read. Fields are apart by colons; an address in brackets may hold
    /// some, and what holds a slash is a Unix socket.
    /// `${NAME}` is replaced before it is looked at what a field is.
    package init?(_ kind: Kind, _ text: String, variable: Variable? = nil) {
        guard var fields = Self.fields(text, variable) else { return nil }
        self.kind = kind
        let takesAnyPort = kind == .remote
        if kind == .dynamic
            || (kind == .remote
                && (fields.count == 1 || (fields.count == 2 && !fields.contains(where: \.isPath))))
        {
            guard let listen = Self.takeListener(&fields, takesAnyPort: takesAnyPort),
                fields.isEmpty
            else { return nil }
            self.listen = listen
            connect = nil
            return
        }
        guard let listen = Self.takeListener(&fields, takesAnyPort: takesAnyPort),
            let target = Self.target(fields)
        else { return nil }
        self.listen = listen
        connect = target
    }

    /// `host:port` or a Unix socket, as `-W` writes it; nil for what cannot be read.
    package static func target(_ text: String) -> End? {
        fields(text, nil).flatMap { target($0[...]) }
    }

    /// The two arguments of a keyword; nil for what cannot be read.
    package init?(_ kind: Kind, listen: String, target: String?, variable: Variable? = nil) {
        let takesAnyPort = kind == .remote
        guard var fields = Self.fields(listen, variable),
            let end = Self.takeListener(&fields, takesAnyPort: takesAnyPort), fields.isEmpty
        else { return nil }
        self.kind = kind
        self.listen = end
        guard let target else {
            connect = nil
            return
        }
        guard let connect = Self.fields(target, variable).flatMap(Self.target) else { return nil }
        self.connect = connect
    }

    /// Whether a text is `host:port` as `PermitRemoteOpen` and `PermitOpen` write it, where the port
    /// may be `*`.
    static func permits(_ text: String) -> Bool {
        guard let fields = fields(text, nil), fields.count == 2, let host = fields.first,
            let port = fields.last, !host.text.isEmpty
        else { return false }
        return port.text == "*" || (port.number ?? 0) > 0
    }

    // MARK: Fields

    private struct Field {
        var text: String
        var isBracketed = false
        var isPath: Bool { text.utf8.contains(UInt8(ascii: "/")) }
        var number: UInt16? { isBracketed ? nil : UInt16(text) }
    }

    private static func fields(_ text: String, _ variable: Variable?) -> ArraySlice<Field>? {
        var result: [Field] = []
        var field = Field(text: "")
        var isInside = false
        var isOver = false
        var characters = text.makeIterator()
        while let character = characters.next() {
            switch character {
            case "[" where field.text.isEmpty && !field.isBracketed:
                field.isBracketed = true
                isInside = true
            case "]" where isInside:
                isInside = false
                isOver = true
            case ":" where !isInside:
                result.append(field)
                field = Field(text: "")
                isOver = false
            case "\\":
                guard let escaped = characters.next() else { return nil }
                field.text.append(escaped)
            default:
                guard !isOver else { return nil }
                field.text.append(character)
            }
        }
        guard !isInside else { return nil }
        result.append(field)
        guard let variable else { return result[...] }
        for index in result.indices {
            guard let text = Tokens.expandVariables(result[index].text, variable) else {
                return nil
            }
            result[index].text = text
        }
        return result[...]
    }

    /// Takes the fields of the listening end from the front.
    private static func takeListener(_ fields: inout ArraySlice<Field>, takesAnyPort: Bool) -> End?
    {
        guard let first = fields.popFirst() else { return nil }
        if first.isPath { return .unix(path: first.text) }
        // With a bind address there is one field more; a number alone is a port.
        let isPort =
            first.number != nil
            && (fields.isEmpty || fields.first?.isPath == true || fields.count == 2)
        if isPort, let port = first.number, port > 0 || takesAnyPort {
            return .tcp(host: nil, port: port)
        }
        guard let port = fields.popFirst()?.number, port > 0 || takesAnyPort else { return nil }
        return .tcp(host: first.text, port: port)
    }

    private static func target(_ fields: ArraySlice<Field>) -> End? {
        guard let first = fields.first else { return nil }
        if fields.count == 1 { return first.isPath ? .unix(path: first.text) : nil }
        guard fields.count == 2, !first.text.isEmpty, !first.isPath,
            let port = fields.last?.number, port > 0
        else { return nil }
        return .tcp(host: first.text, port: port)
    }
}

extension Forward: CustomStringConvertible {
    /// As `ssh -G` writes it, which the keyword reads again.
    package var description: String {
        switch kind {
        case .dynamic: "\(listen)"
        case .local: "\(listen) \(connect.map(\.description) ?? "")"
        case .remote: "\(listen)\(connect.map { " \($0)" } ?? " [socks]:0")"
        }
    }
}

extension Forward.End: CustomStringConvertible {
    /// As `ssh -G` writes it, with a port alone where there is no host.
    package var description: String {
        switch self {
        case .tcp(nil, let port): "\(port)"
        case .tcp(let host?, let port): "[\(host)]:\(port)"
        case .unix(let path): path
        }
    }
}
