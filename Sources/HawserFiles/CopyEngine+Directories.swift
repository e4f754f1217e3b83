// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserSystem

/// Directories: made, listed, and given their attributes when all that is in them is done.
extension CopyEngine {
    func start(_ directory: DirectoryCopy) {
        guard directory.depth < DirectoryCopy.maximumDepth else {
            report("Maximum directory depth exceeded: \(DirectoryCopy.maximumDepth) levels")
            return oneDone(in: directory)
        }
        listing += 1
        observer.copyEnters(directory.source)
        switch target {
        case .local:
            let mode = (directory.attributes.permissions.map { $0 & 0o1777 } ?? 0o777) | 0o300
            let result = FileCalls.makeDirectory(directory.target, mode: mode)
            if result == 0 {
                directory.isNew = true
            } else if result != -17 {  // EEXIST
                report(
                    "mkdir \(shown(directory.target)): \(SystemError.reason(Int32(-result)))"
                )
                return giveUp(directory)
            } else if FileCalls.status(directory.target, followingLinks: true).1?.isDirectory
                != true
            {
                report("mkdir \(shown(directory.target)): \(SystemError.reason(20))")
                return giveUp(directory)
            }
            list(directory)
        case .remote(let session):
            let mode = (directory.attributes.permissions.map { $0 & 0o1777 } ?? 0o777) | 0o300
            let id = session.client.request(
                .mkdir,
                directory.target,
                Attributes(permissions: mode)
            )
            fromTarget[id] = .makeDirectory(directory)
        }
    }

    /// It could not be made: what stands there instead keeps its attributes.
    func giveUp(_ directory: DirectoryCopy) {
        listing -= 1
        directory.isNew = false
        oneDone(in: directory)
    }

    func madeDirectory(
        _ reply: Reply,
        _ directory: DirectoryCopy,
        _ session: RemoteSession
    ) {
        if case .status(.ok, _) = reply.content {
            directory.isNew = true
            list(directory)
        } else if case .status(.failure, _) = reply.content {
            // Perhaps it is there already.
            fromTarget[session.client.request(.stat, directory.target)] =
                .checkDirectory(directory)
        } else {
            report("remote mkdir \"\(shown(directory.target))\": \(why(reply))")
            giveUp(directory)
        }
    }

    func checkedDirectory(_ reply: Reply, _ directory: DirectoryCopy) {
        if case .attributes(let attributes) = reply.content, attributes.isDirectory {
            list(directory)
        } else {
            report("\"\(shown(directory.target))\" exists but is not a directory")
            giveUp(directory)
        }
    }

    func list(_ directory: DirectoryCopy) {
        switch source {
        case .local: listLocal(directory)
        case .remote(let session):
            fromSource[session.client.request(.opendir, directory.source)] =
                .openDirectory(directory)
        }
    }

    func listLocal(_ directory: DirectoryCopy) {
        listing -= 1
        let (result, stream) = DirectoryStream.open(directory.source)
        guard let stream else {
            report(
                "local opendir \"\(shown(directory.source))\": "
                    + SystemError.reason(Int32(-result))
            )
            return oneDone(in: directory)
        }
        directory.identity = FileCalls.status(directory.source, followingLinks: true).1
            .map(DirectoryCopy.Identity.init)
        while let name = stream.next() {
            guard name != [46], name != [46, 46] else { continue }
            guard let status = stream.status(of: name, followingLinks: options.followsLinks) else {
                report(
                    "local lstat \"\(shown(RemotePath.join(directory.source, name)))\": "
                        + SystemError("stat").reason
                )
                continue
            }
            // A link back to where we are in has no end; two of them would be followed 2^40 times.
            if status.isDirectory, directory.isInside(DirectoryCopy.Identity(status)) {
                report(
                    "local \"\(shown(RemotePath.join(directory.source, name)))\": "
                        + SystemError.reason(40)  // ELOOP
                )
                continue
            }
            consider(name, Attributes(status), in: directory)
        }
        directory.hasEnded = true
        oneDone(in: directory)
    }

    func openedDirectory(
        _ reply: Reply,
        _ directory: DirectoryCopy,
        _ session: RemoteSession
    ) {
        guard case .handle(let handle) = reply.content else {
            listing -= 1
            report("remote opendir(\"\(shown(directory.source))\"): \(why(reply))")
            return oneDone(in: directory)
        }
        directory.handle = handle
        for _ in 0..<2 { ask(directory, session) }
    }

    func ask(_ directory: DirectoryCopy, _ session: RemoteSession) {
        guard let handle = directory.handle else { return }
        fromSource[session.client.request(.readdir, handle)] = .readDirectory(directory)
        directory.listingRequests += 1
    }

    func readDirectory(
        _ reply: Reply,
        _ directory: DirectoryCopy,
        _ session: RemoteSession
    ) {
        directory.listingRequests -= 1
        if case .names(let names) = reply.content, !wasInterrupted {
            for entry in names where entry.name != [46] && entry.name != [46, 46] {
                guard RemotePath.isSafe(name: entry.name) else {
                    report(
                        "Server sent suspect path \"\(shown(entry.name))\" during readdir of "
                            + "\"\(shown(directory.source))\""
                    )
                    continue
                }
                if entry.attributes.isLink, options.followsLinks {
                    directory.pending += 1
                    let path = RemotePath.join(directory.source, entry.name)
                    fromSource[session.client.request(.stat, path)] =
                        .followLink(directory, name: entry.name)
                } else {
                    consider(entry.name, entry.attributes, in: directory)
                }
            }
            if !directory.hasEnded { return ask(directory, session) }
        } else if case .status(let status, _) = reply.content, status != .endOfFile,
            !directory.hasEnded
        {
            report("remote readdir \"\(shown(directory.source))\": \(why(reply))")
        }
        directory.hasEnded = true
        guard directory.listingRequests == 0, let handle = directory.handle else { return }
        directory.handle = nil
        listing -= 1
        fromSource[session.client.request(.close, handle)] = .closeDirectory(directory)
    }

    /// Asks where a link to a directory leads, and where it is.
    func check(_ link: LinkCheck, _ session: RemoteSession) {
        func ask(_ path: [UInt8], ofLink: Bool) {
            fromSource[session.client.request(.realpath, path)] = .realPath(link, ofLink: ofLink)
            link.outstanding += 1
        }
        if link.directory.realPath == nil { ask(link.directory.source, ofLink: false) }
        ask(RemotePath.join(link.directory.source, link.name), ofLink: true)
    }

    func checked(_ link: LinkCheck, _ reply: Reply, ofLink: Bool) {
        if case .names(let names) = reply.content, let path = names.first?.name {
            if ofLink { link.realPath = path } else { link.directory.realPath = path }
        }
        link.outstanding -= 1
        guard link.outstanding == 0 else { return }
        let directory = link.directory
        defer { oneDone(in: directory) }
        guard let place = directory.realPath, let realPath = link.realPath else {
            return consider(link.name, link.attributes, in: directory)
        }
        guard !directory.isInside(realPath: realPath, at: place) else {
            let path = RemotePath.join(directory.source, link.name)
            return report("remote \"\(shown(path))\": \(SystemError.reason(40))")  // ELOOP
        }
        consider(link.name, link.attributes, in: directory) {
            $0.realPath = realPath
            $0.linkedFrom = place
        }
    }

    /// An entry of a directory that is being copied.
    func consider(
        _ name: [UInt8],
        _ attributes: Attributes,
        in directory: DirectoryCopy,
        _ note: (DirectoryCopy) -> Void = { _ in }
    ) {
        guard !wasInterrupted else { return }
        let from = RemotePath.join(directory.source, name)
        let to = RemotePath.join(directory.target, name)
        if attributes.isDirectory {
            directory.pending += 1
            let entry = DirectoryCopy(from, to, attributes, in: directory)
            note(entry)
            directories.append(entry)
        } else if attributes.isRegular || attributes.permissions == nil {
            directory.pending += 1
            files.append(FileCopy(from, to, attributes, in: directory))
        } else {
            observer.copyNotes(
                source.session == nil
                    ? "\(shown(from)): not a regular file"
                    : "download \"\(shown(from))\": not a regular file"
            )
        }
    }

    /// One entry of a directory, or its own listing, is done; with the last one its attributes are
    /// set.
    func oneDone(in directory: DirectoryCopy) {
        directory.pending -= 1
        guard directory.pending == 0 else { return }
        let permissions = directory.attributes.permissions.map { $0 & 0o1777 }
        switch target {
        case .local:
            if directory.isNew || options.preserves, directory.hasEnded {
                if let permissions, options.preserves || permissions & 0o300 != 0o300 {
                    let result = FileCalls.setMode(
                        directory.target,
                        permissions,
                        followingLinks: true
                    )
                    if result < 0 {
                        report(
                            "local chmod directory \"\(shown(directory.target))\": "
                                + SystemError.reason(Int32(-result))
                        )
                    }
                }
                if options.preserves, let times = directory.attributes.times {
                    let result = FileCalls.setTimes(
                        directory.target,
                        access: Int64(times.access),
                        modification: Int64(times.modification),
                        followingLinks: true
                    )
                    if result < 0 {
                        report(
                            "local set times on \"\(shown(directory.target))\": "
                                + SystemError.reason(Int32(-result))
                        )
                    }
                }
            }
            directoryIsDone(directory)
        case .remote(let session):
            guard directory.isNew || options.preserves, directory.hasEnded, let permissions else {
                return directoryIsDone(directory)
            }
            let change = Attributes(
                permissions: permissions,
                times: options.preserves ? directory.attributes.times : nil
            )
            fromTarget[session.client.request(.setstat, directory.target, change)] =
                .setDirectory(directory)
        }
    }

    func directoryIsDone(_ directory: DirectoryCopy) {
        if let parent = directory.parent { oneDone(in: parent) }
    }
}
