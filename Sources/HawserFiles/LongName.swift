// SPDX-License-Identifier: Apache-2.0

package import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// A file on one line, as `ls -l` prints it.
package enum LongName {
    /// `size`: the number to print in place of the size in bytes.
    package static func line(
        _ name: [UInt8],
        _ attributes: Attributes,
        links: String,
        user: String,
        group: String,
        size: String? = nil,
        now: Int64
    ) -> [UInt8] {
        let time =
            attributes.times.map { ListingTime.text(of: Int64($0.modification), now: now) } ?? ""
        let size = size ?? String(attributes.size ?? 0)
        let line =
            mode(attributes.permissions ?? 0) + " " + right(links, 4) + " " + left(user, 8) + " "
            + left(group, 8) + " " + right(size, 8) + " " + time + " "
        return line.octets + name
    }

    /// Kind and permissions as letters. POSIX ls, STDOUT.
    package static func mode(_ mode: UInt32) -> String {
        let kind =
            switch mode & 0o170000 {
            case 0o140000: "s"
            case 0o120000: "l"
            case 0o100000: "-"
            case 0o060000: "b"
            case 0o040000: "d"
            case 0o020000: "c"
            case 0o010000: "p"
            default: "?"
            }
        var text = kind
        let special: [(bit: UInt32, with: String, without: String)] = [
            (0o4000, "s", "S"), (0o2000, "s", "S"), (0o1000, "t", "T"),
        ]
        for index in 0..<3 {
            let bits = mode >> UInt32(6 - 3 * index)
            text += bits & 4 != 0 ? "r" : "-"
            text += bits & 2 != 0 ? "w" : "-"
            let runs = bits & 1 != 0
            if mode & special[index].bit != 0 {
                text += runs ? special[index].with : special[index].without
            } else {
                text += runs ? "x" : "-"
            }
        }
        return text
    }

    package static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    package static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
