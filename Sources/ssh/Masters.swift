// SPDX-License-Identifier: Apache-2.0

import HawserClient
import HawserSystem
import HawserTool
import HawserWire

/// The masters of this user, to look at.
extension Program {
    /// `-O list [--json]`: every master of the user's.
    func list(asJSON: Bool) -> Int32 {
        let places = UnixSocket.listeningPaths.compactMap { bound -> String? in
            // A master's socket was bound to a name of its own before it got its path.
            guard let dot = bound.lastIndex(of: ".") else { return nil }
            let path = String(bound[..<dot])
            guard let status = Files.status(path, followingLinks: false), status.isSocket,
                status.uid == Daemon.effectiveUser
            else { return nil }
            return path
        }
        var found = ControlClient.answers(at: places, to: "status").map { text in
            var fields: [String: String] = [:]
            for line in text.split(separator: "\n") {
                guard let blank = line.firstIndex(of: " ") else { continue }
                fields[String(line[..<blank])] = String(line[line.index(after: blank)...])
            }
            return fields
        }
        found.sort { ($0["path"] ?? "") < ($1["path"] ?? "") }
        printOutput(asJSON ? Self.json(found) : Self.table(found))
        return 0
    }

    /// Round trip in milliseconds; nil when the server does not answer.
    private static func roundTrip(_ master: [String: String]) -> String? {
        let words = (master["health"] ?? "").split(separator: " ")
        guard words.first == "alive", words.count == 2, let time = Int(words[1]) else { return nil }
        return "\(time / 1000).\(time % 1000 / 100)"
    }

    private static func table(_ masters: [[String: String]]) -> String {
        let rows = masters.map { each in
            [
                each["pid"] ?? "",
                (each["age"] ?? "") + " s",
                roundTrip(each).map { $0 + " ms" } ?? "dead",
                each["sessions"] ?? "",
                "\(each["user"] ?? "")@\(each["host"] ?? ""):\(each["port"] ?? "")",
                each["path"] ?? "",
            ]
        }
        return aligned([["PID", "AGE", "RTT", "SESSIONS", "PEER", "PATH"]] + rows)
    }

    /// Rows of the same cells below one another, at least two blanks apart.
    private static func aligned(_ rows: [[String]]) -> String {
        let rows = rows.map { $0.map { $0.visible(keeping: []) } }
        let widths = rows.reduce(into: [Int](repeating: 0, count: rows.first?.count ?? 0)) {
            for (column, cell) in $1.enumerated() { $0[column] = max($0[column], cell.count) }
        }
        return rows.map { row in
            row.enumerated().map { column, cell in
                let isLast = column == row.count - 1
                return isLast
                    ? cell + "\n"
                    : cell + String(repeating: " ", count: widths[column] + 2 - cell.count)
            }.joined()
        }.joined()
    }

    private static func json(_ masters: [[String: String]]) -> String {
        let entries = masters.map { each -> String in
            var parts = ["path", "user", "host"].map {
                "\"\($0)\":\(JSONObject.quoted(each[$0] ?? ""))"
            }
            for key in ["port", "pid", "age", "sessions"] {
                parts.append("\"\(key)\":\(Int(each[key] ?? "") ?? 0)")
            }
            parts.append("\"rtt_ms\":\(roundTrip(each) ?? "null")")
            return "{" + parts.joined(separator: ",") + "}"
        }
        return "[" + entries.joined(separator: ",") + "]\n"
    }
}
