// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem

/// The environment of a session: variables in order, each name once.
package struct LoginEnvironment: Equatable, Sendable {
    package private(set) var variables: [(name: String, value: String)] = []
    private var indexes: [String: Int] = [:]

    package init() {}

    package subscript(name: String) -> String? {
        get { indexes[name].map { variables[$0].value } }
        set {
            switch (indexes[name], newValue) {
            case (let index?, let value?):
                variables[index].value = value
            case (nil, let value?):
                indexes[name] = variables.count
                variables.append((name, value))
            case (let index?, nil):
                variables.remove(at: index)
                indexes = [:]
                for (index, variable) in variables.enumerated() { indexes[variable.name] = index }
            case (nil, nil):
                break
            }
        }
    }

    /// Sets every variable of a list.
    package mutating func merge(_ list: [(name: String, value: String)]) {
        for (name, value) in list { self[name] = value }
    }

    /// As execve(2) takes them.
    package var strings: [String] { variables.map { "\($0.name)=\($0.value)" } }

    package static func == (first: LoginEnvironment, second: LoginEnvironment) -> Bool {
        first.strings == second.strings
    }
}

extension LoginEnvironment {
    /// What one session's environment is made of.
    package struct Sources {
        package var userName: String
        package var isRoot: Bool
        package var home: String
        package var shell: String
        package var peer: PeerAddress
        /// Of the server itself.
        package var timeZone: String?
        /// With PAM, it is left to pam_mail(8).
        package var setsMail: Bool
        /// The client's requests that `AcceptEnv` lets pass.
        package var accepted: [(name: String, value: String)] = []
        /// `environment=` of the key, and `~/.ssh/environment`; only as far as
        /// `PermitUserEnvironment` lets them pass.
        package var fromUser: [(name: String, value: String)] = []
        package var fromPAM: [(name: String, value: String)] = []
        /// `SetEnv`.
        package var fromConfiguration: [(name: String, value: String)] = []
        /// The path of the session's terminal and its type.
        package var terminal: (path: String, term: String)?
        /// What the client asked for, when something else is run instead.
        package var originalCommand: String?
        package var display: String?
        package var agentSocket: String?
        /// The file of `ExposeAuthInfo`.
        package var authenticationInfoFile: String?

        package init(
            userName: String,
            isRoot: Bool,
            home: String,
            shell: String,
            peer: PeerAddress,
            timeZone: String?,
            setsMail: Bool
        ) {
            self.userName = userName
            self.isRoot = isRoot
            self.home = home
            self.shell = shell
            self.peer = peer
            self.timeZone = timeZone
            self.setsMail = setsMail
        }
    }

    /// The whole environment; what comes later wins.
    package init(_ sources: Sources) {
        self.init()
        merge(sources.accepted)
        self["USER"] = sources.userName
        self["LOGNAME"] = sources.userName
        self["HOME"] = sources.home
        self["PATH"] = sources.isRoot ? Self.rootPath : Self.userPath
        if sources.setsMail { self["MAIL"] = "/var/mail/\(sources.userName)" }
        self["SHELL"] = sources.shell
        if let zone = sources.timeZone { self["TZ"] = zone }
        merge(sources.fromUser)
        // Neither may pretend to be the other's, nor to be set by us.
        merge(sources.fromPAM.filter { !Self.ownNames.contains($0.name) })
        self["SSH_CLIENT"] = sources.peer.client
        self["SSH_CONNECTION"] = sources.peer.connection
        if let terminal = sources.terminal {
            self["SSH_TTY"] = terminal.path
            if !terminal.term.isEmpty { self["TERM"] = terminal.term }
        }
        if let display = sources.display { self["DISPLAY"] = display }
        if let command = sources.originalCommand { self["SSH_ORIGINAL_COMMAND"] = command }
        if let socket = sources.agentSocket { self["SSH_AUTH_SOCK"] = socket }
        if let file = sources.authenticationInfoFile { self["SSH_USER_AUTH"] = file }
        // Of several values for one name the first counts, as in all of the configuration.
        merge(sources.fromConfiguration.reversed())
    }

    /// The variables of a file of `NAME=value` lines, such as `~/.ssh/environment`.
    package static func parse(fileContents text: String) -> [(name: String, value: String)] {
        text.split(whereSeparator: \.isNewline).compactMap {
            line -> (name: String, value: String)? in
            let line: Substring = line.drop(while: { $0 == " " || $0 == "\t" })
            guard let first = line.first, first != "#", let equals = line.firstIndex(of: "=") else {
                return nil
            }
            return (String(line[..<equals]), String(line[line.index(after: equals)...]))
        }
    }

    static let userPath = "/usr/local/bin:/usr/bin:/bin:/usr/games"
    static let rootPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    /// Only sshd says these.
    static let ownNames: Set<String> = ["SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY"]
}
