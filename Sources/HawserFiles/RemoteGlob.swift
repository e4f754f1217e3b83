// SPDX-License-Identifier: Apache-2.0

package import HawserSFTP
internal import HawserSystem

/// The files that a pattern means, on the server or here.
package struct Glob {
    package struct Match {
        package var path: [UInt8]
        /// Nil when there is no such file and the pattern stands for itself.
        package var attributes: Attributes?
    }

    private let place: Place
    private static let limit = 1 << 20

    package init(_ place: Place) {
        self.place = place
    }

    /// Every match, sorted; the unescaped pattern itself when there is none.
    package func matches(_ pattern: [UInt8]) throws(SessionFault) -> [Match] {
        let found = try expand(pattern)
        if !found.isEmpty { return found }
        // A name that looks like a pattern may be one all the same.
        let literal = unescaped(pattern)
        return [Match(path: literal, attributes: try status(literal))]
    }

    private func unescaped(_ pattern: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < pattern.count {
            if pattern[index] == UInt8(ascii: "\\"), index + 1 < pattern.count { index += 1 }
            result.append(pattern[index])
            index += 1
        }
        return result
    }

    private func expand(_ pattern: [UInt8]) throws(SessionFault) -> [Match] {
        let start: [UInt8] = pattern.first == RemotePath.slash ? [RemotePath.slash] : []
        var found = [Match(path: start, attributes: nil)]
        for text in pattern.split(separator: RemotePath.slash) {
            let part = GlobPattern(Array(text))
            guard part.isPattern else {
                // No need to look into a directory.
                for index in found.indices {
                    found[index].path = RemotePath.join(found[index].path, part.literal)
                    found[index].attributes = nil
                }
                continue
            }
            var next: [Match] = []
            for base in found {
                for (name, attributes) in try names(in: base.path.isEmpty ? [46] : base.path)
                where part.matches(name) && next.count < Self.limit {
                    let path = RemotePath.join(base.path, name)
                    next.append(Match(path: path, attributes: attributes))
                }
            }
            found = next
        }
        // With a slash at its end a pattern means directories only, and links to such.
        let meansDirectories = pattern.last == RemotePath.slash
        var result: [Match] = []
        for match in found {
            var path = match.path.isEmpty ? [46] : match.path
            var known = match.attributes
            if meansDirectories, path.last != RemotePath.slash {
                path.append(RemotePath.slash)
                known = nil
            }
            if known == nil { known = try status(path) }
            if let attributes = known {
                result.append(Match(path: path, attributes: attributes))
            }
        }
        return result.sorted { $0.path.lexicographicallyPrecedes($1.path) }
    }

    /// What a path is: the link itself, with the kind of what it points to.
    private func status(_ path: [UInt8]) throws(SessionFault) -> Attributes? {
        switch place {
        case .local:
            return FileCalls.status(path, followingLinks: false).1.map(Attributes.init)
        case .remote(let session):
            let reply = try session.answer(to: session.client.request(.lstat, path))
            if case .attributes(let attributes) = reply.content { return attributes }
            return nil
        }
    }

    private func names(in directory: [UInt8]) throws(SessionFault) -> [([UInt8], Attributes)] {
        var names: [([UInt8], Attributes)] = []
        switch place {
        case .local:
            guard let stream = DirectoryStream.open(directory).1 else { return [] }
            while let name = stream.next(), names.count < Self.limit {
                if let status = stream.status(of: name) { names.append((name, Attributes(status))) }
            }
        case .remote(let session):
            let opened = try session.answer(to: session.client.request(.opendir, directory))
            guard case .handle(let handle) = opened.content else { return [] }
            while case .names(let some) = try session.answer(
                to: session.client.request(.readdir, handle)
            ).content, names.count < Self.limit {
                for entry in some
                where entry.name == [46] || entry.name == [46, 46]
                    || RemotePath.isSafe(name: entry.name)
                {
                    names.append((entry.name, entry.attributes))
                }
            }
            _ = try session.status(of: session.client.request(.close, handle))
        }
        return names
    }
}
