// SPDX-License-Identifier: Apache-2.0

/// Names that people give need not be UTF-8: a principal, a namespace or a key ID in Latin-1 is the
/// bytes that were typed, and no two such names may become the same text.
extension String {
    /// Text in which nothing of `bytes` is lost: a byte that is no part of a character becomes the
    /// private scalar U+10FF00 + byte. Such a scalar in the bytes themselves is kept byte by byte.
    package init(keeping bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        if !Self.mayHoldKeptBytes(bytes), let text = Self(checking: bytes[...]) {
            self = text
            return
        }
        var result = ""
        var rest = bytes[...]
        while let first = rest.first {
            let character = (1...4).lazy
                .compactMap { Self(checking: rest.prefix($0)) }
                .first { !$0.isEmpty }
            let scalar = character?.unicodeScalars.first
            if let character, let scalar, scalar.value < Self.firstKept {
                result.unicodeScalars.append(scalar)
                rest = rest.dropFirst(character.utf8.count)
            } else {
                if let kept = Unicode.Scalar(Self.keptBase | UInt32(first)) {
                    result.unicodeScalars.append(kept)
                }
                rest = rest.dropFirst()
            }
        }
        self = result
    }

    /// The bytes that `init(keeping:)` has made this of.
    package var keptBytes: [UInt8] {
        let bytes = Array(utf8)
        guard Self.mayHoldKeptBytes(bytes) else { return bytes }
        var result: [UInt8] = []
        for scalar in unicodeScalars {
            if scalar.value >= Self.firstKept {
                result.append(UInt8(truncatingIfNeeded: scalar.value))
            } else {
                result += Array(String(scalar).utf8)
            }
        }
        return result
    }

    private static let keptBase: UInt32 = 0x10_ff00
    /// Only bytes from 0x80 on are ever kept so.
    private static let firstKept: UInt32 = 0x10_ff80

    /// Whether there may be a scalar from U+10FF80 on: F4 8F BE or F4 8F BF.
    private static func mayHoldKeptBytes(_ bytes: [UInt8]) -> Bool {
        guard bytes.contains(0xf4) else { return false }
        return bytes.indices.dropLast(2).contains { index in
            bytes[index] == 0xf4 && bytes[index + 1] == 0x8f && bytes[index + 2] >= 0xbe
        }
    }

    /// The text, if it is UTF-8.
    private init?(checking bytes: ArraySlice<UInt8>) {
        do {
            self = String(copying: try UTF8Span(validating: bytes.span))
        } catch {
            return nil
        }
    }
}
