// SPDX-License-Identifier: Apache-2.0

/// `-X nrequests=N` and `-X buffer=SIZE`.
package enum TransferTuning {
    /// False when it is neither, or its value makes no sense.
    package static func apply(_ text: String, to options: inout CopyOptions) -> Bool {
        let parts = text.split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else { return false }
        switch parts[0].lowercased() {
        case "nrequests":
            guard let count = Int(parts[1]), count > 0 else { return false }
            options.requests = count
        case "buffer":
            guard let bytes = size(parts[1]), bytes > 0, bytes <= 256 * 1024 else { return false }
            options.blockBytes = bytes
        default: return false
        }
        return true
    }

    /// A number with `K`, `M` or `G` behind it.
    private static func size(_ text: Substring) -> Int? {
        let units: [Character: Int] = ["b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        if let last = text.last, let unit = units[Character(last.lowercased())] {
            guard let number = Int(text.dropLast()) else { return nil }
            let (value, overflow) = number.multipliedReportingOverflow(by: unit)
            return overflow ? nil : value
        }
        return Int(text)
    }
}
