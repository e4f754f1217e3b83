// SPDX-License-Identifier: Apache-2.0

/// What a client can ask, one row each: the name that `-P`, `-p`, `-Q requests` and the log use.
package enum ServerRequest: String, CaseIterable, Sendable {
    case open, close, read, write, lstat, fstat, setstat, fsetstat, opendir, readdir, remove, mkdir
    case rmdir, realpath, stat, rename, readlink, symlink
    case posixRename = "posix-rename"
    case statvfs, fstatvfs, hardlink, fsync, lsetstat, limits
    case expandPath = "expand-path"
    case copyData = "copy-data"
    case homeDirectory = "home-directory"
    case usersGroupsByID = "users-groups-by-id"
    /// Of ours, docs/protocol/sftp.md.
    case blockHashes = "block-hashes"

    /// The name and version in the answer to the client's greeting; nil for the draft's own
    /// requests. OpenSSH's PROTOCOL §4, and draft-ietf-secsh-filexfer-extensions-00 for two.
    package var extended: (name: String, version: String)? {
        switch self {
        case .posixRename: ("posix-rename@openssh.com", "1")
        case .statvfs: ("statvfs@openssh.com", "2")
        case .fstatvfs: ("fstatvfs@openssh.com", "2")
        case .hardlink: ("hardlink@openssh.com", "1")
        case .fsync: ("fsync@openssh.com", "1")
        case .lsetstat: ("lsetstat@openssh.com", "1")
        case .limits: ("limits@openssh.com", "1")
        case .expandPath: ("expand-path@openssh.com", "1")
        case .copyData: ("copy-data", "1")
        case .homeDirectory: ("home-directory", "1")
        case .usersGroupsByID: ("users-groups-by-id@openssh.com", "1")
        case .blockHashes: ("block-hashes@hawser", "1")
        default: nil
        }
    }

    package init?(_ type: PacketType) {
        switch type {
        case .open: self = .open
        case .close: self = .close
        case .read: self = .read
        case .write: self = .write
        case .lstat: self = .lstat
        case .fstat: self = .fstat
        case .setstat: self = .setstat
        case .fsetstat: self = .fsetstat
        case .opendir: self = .opendir
        case .readdir: self = .readdir
        case .remove: self = .remove
        case .mkdir: self = .mkdir
        case .rmdir: self = .rmdir
        case .realpath: self = .realpath
        case .stat: self = .stat
        case .rename: self = .rename
        case .readlink: self = .readlink
        case .symlink: self = .symlink
        default: return nil
        }
    }

    package init?(extendedName: String) {
        for row in Self.allCases where row.extended?.name == extendedName {
            self = row
            return
        }
        return nil
    }

    /// Whether a read-only server refuses it. (`open` looks at the flags.)
    package var changesFiles: Bool {
        switch self {
        case .write, .setstat, .fsetstat, .remove, .mkdir, .rmdir, .rename, .symlink,
            .posixRename, .hardlink, .fsync, .lsetstat, .copyData:
            true
        default: false
        }
    }
}

/// Which requests a server answers: `-P`, `-p` and `-R` of sftp-server(8). Lists, not sets: they are
/// short, and a set of texts costs a start of the server more than all look-ups.
package struct RequestRules: Sendable {
    /// Never answered.
    package var denied: [String] = []
    /// The only ones answered; nil: all.
    package var allowed: [String]?
    package var isReadOnly = false

    package init() {}

    /// Why a request is refused, in the log's words; nil when it is not.
    package func refusal(of request: ServerRequest) -> String? {
        let name = request.rawValue
        if denied.contains(name) { return "Refusing denylisted \(name) request" }
        if let allowed, !allowed.contains(name) {
            return "Refusing non-allowlisted \(name) request"
        }
        if isReadOnly, request.changesFiles {
            return "Refusing \(name) request in read-only mode"
        }
        return nil
    }
}
