// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserSystem

/// Where files are: here, or behind a session.
package enum Place {
    case local
    case remote(RemoteSession)

    var session: RemoteSession? {
        if case .remote(let session) = self { return session }
        return nil
    }
}

/// How files are copied.
package struct CopyOptions: Sendable {
    /// Times and modes too (`-p`).
    package var preserves = false
    /// Goes on after what is there already (`-a`, `--resume`).
    package var resumes = false
    /// To the disk before the copy counts as done (`-f`).
    package var synchronizes = false
    /// Follows symbolic links in a tree (scp does, sftp does not).
    package var followsLinks = false
    /// Writes to another name first (`--atomic`).
    package var isAtomic = false
    /// Compares hashes at the end (`--verify`).
    package var verifies = false
    /// Never empties the target beforehand, so that a file copied onto itself survives.
    package var isInPlace = false
    /// Requests under way at once (`-R`); 0: as the path needs.
    package var requests = 0
    /// Bytes per request (`-B`); 0: as the server allows.
    package var blockBytes = 0
    /// Kbit/s (`-l`); 0: unbounded.
    package var kilobitsPerSecond: UInt64 = 0

    package init() {}
}

/// One file under way.
final class FileCopy {
    let source: [UInt8]
    /// Where it is written; with `isAtomic` the final name is `finalTarget`.
    var target: [UInt8]
    private(set) var finalTarget: [UInt8]
    let directory: DirectoryCopy?
    /// What is known of the source.
    var attributes: Attributes

    /// `-1` and nil: not open.
    var sourceFile: Int32 = -1
    var targetFile: Int32 = -1
    var sourceHandle: [UInt8]?
    var targetHandle: [UInt8]?

    /// Where the next block is read.
    var nextOffset: UInt64 = 0
    /// Where the copy began: more than 0 when it resumes.
    var startOffset: UInt64 = 0
    /// Bytes that have arrived at the target.
    var doneBytes: UInt64 = 0
    /// Where the source turned out to end.
    var endOffset: UInt64?
    /// Data requests under way for this file, of both sides.
    var blocks = 0
    /// Requests under way for this file.
    var outstanding = 0
    var hasFailed = false
    var isFinishing = false
    /// Nothing is left to be done for it.
    var isSettled = false
    /// The close of the source has been asked for together with the only read.
    var closesEarly = false
    /// A second try, after an early close came too early.
    var isCareful = false
    var targetIsNew = false
    /// The target may turn out to be a directory, into which the file then goes.
    var isGuess = false
    /// That has been asked and not been answered.
    var awaitsStatus = false
    /// The answer to the open, when it came first.
    var openAnswer: Reply?

    init(
        _ source: [UInt8],
        _ target: [UInt8],
        _ attributes: Attributes,
        in directory: DirectoryCopy?
    ) {
        self.source = source
        self.target = target
        self.finalTarget = target
        self.attributes = attributes
        self.directory = directory
    }

    /// The target is a directory: the file goes into it.
    func enterTarget() {
        target = RemotePath.join(target, RemotePath.name(of: source))
        finalTarget = target
    }

    var size: UInt64? { attributes.size }
    /// Permission bits without set-uid, as a new file gets them.
    var mode: UInt32 { attributes.permissions.map { $0 & 0o777 } ?? 0o666 }
}

/// One directory under way: done when its entries are.
final class DirectoryCopy {
    let source: [UInt8]
    let target: [UInt8]
    let depth: Int
    let parent: DirectoryCopy?
    var attributes: Attributes
    /// Entries and steps of its own that are not done yet.
    var pending = 1
    var handle: [UInt8]?
    /// Whether we made it.
    var isNew = false
    var hasEnded = false
    var listingRequests = 0
    /// Which directory it is, of a local source.
    var identity: Identity?
    /// Where it really is, of a remote source, once that had to be asked.
    var realPath: [UInt8]?
    /// Where the link really is that led to it.
    var linkedFrom: [UInt8]?

    struct Identity: Equatable {
        let device: UInt64
        let inode: UInt64

        init(_ status: FileStatus) {
            device = status.device
            inode = status.inode
        }
    }

    init(
        _ source: [UInt8],
        _ target: [UInt8],
        _ attributes: Attributes,
        in parent: DirectoryCopy?
    ) {
        self.source = source
        self.target = target
        self.attributes = attributes
        self.parent = parent
        depth = parent.map { $0.depth + 1 } ?? 0
    }

    /// Whether a directory is this one or one that this one is in.
    func isInside(_ other: Identity) -> Bool {
        var next: DirectoryCopy? = self
        while let directory = next {
            if directory.identity == other { return true }
            next = directory.parent
        }
        return false
    }

    /// Whether the directory of a real path is this one, which really is at `place`, or one that this
    /// one is in.
    func isInside(realPath: [UInt8], at place: [UInt8]) -> Bool {
        var place = place
        var last = self
        while true {
            // Up to where a link led in, each directory is in the one before.
            var first = last
            while first.linkedFrom == nil, let parent = first.parent { first = parent }
            if RemotePath.levels(from: realPath, to: place).map({ $0 <= last.depth - first.depth })
                == true
            {
                return true
            }
            guard let linkedFrom = first.linkedFrom, let parent = first.parent else { return false }
            place = linkedFrom
            last = parent
        }
    }

    static let maximumDepth = 64
}

/// A link to a directory of the other side, until it is known that it leads to another place.
final class LinkCheck {
    let directory: DirectoryCopy
    let name: [UInt8]
    let attributes: Attributes
    /// Where it leads.
    var realPath: [UInt8]?
    var outstanding = 0

    init(_ directory: DirectoryCopy, _ name: [UInt8], _ attributes: Attributes) {
        self.directory = directory
        self.name = name
        self.attributes = attributes
    }
}

/// What a reply is for.
enum PendingRequest {
    case openSource(FileCopy)
    case openTarget(FileCopy)
    /// Whether the target is a directory.
    case checkTarget(FileCopy)
    case read(FileCopy, offset: UInt64, count: Int)
    case write(FileCopy, count: Int)
    /// A last step of a file; what it is, for the message of a failure.
    case finish(FileCopy, String)
    case makeDirectory(DirectoryCopy)
    /// Whether what is there already is a directory.
    case checkDirectory(DirectoryCopy)
    case openDirectory(DirectoryCopy)
    case readDirectory(DirectoryCopy)
    case closeDirectory(DirectoryCopy)
    case followLink(DirectoryCopy, name: [UInt8])
    /// Where a link, or the directory that it is in, really is.
    case realPath(LinkCheck, ofLink: Bool)
    case setDirectory(DirectoryCopy)

    func opens(_ file: FileCopy) -> Bool {
        if case .openTarget(let other) = self { other === file } else { false }
    }
}

/// What a copy tells the one who asked for it.
package protocol CopyObserver: AnyObject {
    /// Text that belongs to the course of things.
    func copyNotes(_ text: String)
    /// Text of a failure.
    func copyFails(_ text: String)
    /// A file's turn has come, before anything is done for it.
    func copyStarts(_ source: [UInt8], _ target: [UInt8])
    func copyBegins(_ source: [UInt8], _ target: [UInt8], bytes: UInt64?, from offset: UInt64)
    func copyAdvances(_ source: [UInt8], bytes: UInt64)
    func copyEnds(_ source: [UInt8], _ target: [UInt8], bytes: UInt64, hasFailed: Bool)
    /// A directory of a tree is entered.
    func copyEnters(_ source: [UInt8])
    /// Whether the user wants it to stop.
    var isInterrupted: Bool { get }
    /// When to be asked again at the latest, nanoseconds from now; nil: no need.
    func copyTicks() -> UInt64?
}
