// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// A picture of a fingerprint: a bishop's walk over a board of 17 by 9 squares
/// ("The drunken bishop", Loss, Limmer and von Gernler 2009).
package enum Randomart {
    /// The picture in eleven lines, with `top` and `bottom` in its frame; no line end after the last.
    package static func picture(of digest: [UInt8], top: String, bottom: String) -> String {
        var visits = [UInt8](repeating: 0, count: width * height)
        var column = width / 2
        var row = height / 2
        for byte in digest {
            for step in 0..<4 {
                let move = byte >> UInt8(2 * step)
                column = min(max(column + (move & 1 == 0 ? -1 : 1), 0), width - 1)
                row = min(max(row + (move & 2 == 0 ? -1 : 1), 0), height - 1)
                let square = row * width + column
                if visits[square] < last { visits[square] += 1 }
            }
        }
        visits[height / 2 * width + width / 2] = start
        visits[row * width + column] = end
        var lines = [frame(top)]
        for row in 0..<height {
            let squares = visits[row * width..<(row + 1) * width].map { symbols[Int($0)] }
            lines.append("|" + String(octets: squares) + "|")
        }
        lines.append(frame(bottom))
        return lines.joined(separator: "\n")
    }

    /// The picture for a key, as clients show it: type and size above, the hash below.
    package static func picture(of key: PublicKey, _ hash: Fingerprint.Hash = .sha256) -> String {
        let type = key.type.shortName
        let long = "[\(type) \(key.bits)]"
        return picture(
            of: Fingerprint(of: key, hash).digest,
            top: long.utf8.count <= width ? long : "[\(type)]",
            bottom: "[\(hash.rawValue)]"
        )
    }

    private static func frame(_ title: String) -> String {
        let title = title.utf8.count <= width ? title : String(title.prefix(width))
        let left = (width - title.utf8.count) / 2
        let right = width - title.utf8.count - left
        return "+" + String(repeating: "-", count: left) + title
            + String(repeating: "-", count: right) + "+"
    }

    private static let width = 17
    private static let height = 9
    private static let symbols = [UInt8](" .o+=*BOX@%&#/^SE".utf8)
    private static let last = UInt8(symbols.count - 3)
    private static let start = UInt8(symbols.count - 2)
    private static let end = UInt8(symbols.count - 1)
}
