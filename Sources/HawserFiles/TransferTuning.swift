// SPDX-License-Identifier: Apache-2.0

/// `-X nrequests=N` and `-X buffer=SIZE`.
package enum TransferTuning {
    /// Takes one of them over; what is wrong with it when it cannot.
    package static func apply(_ text: String, to options: inout CopyOptions) -> String? {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return "Invalid -X option" }
        let value = parts[1]
        switch parts[0].lowercased() {
        case "nrequests":
            if let fault = fault(ofCount: value) {
                return "Invalid number of requests \"\(value)\": \(fault)"
            }
            options.requests = Int(value) ?? options.requests
        case "buffer":
            guard let bytes = size(value) else {
                let isNumber = !value.isEmpty && value.utf8.allSatisfy { (48...57).contains($0) }
                let fault = isNumber ? "Numerical result out of range" : "Invalid argument"
                return "Invalid buffer size \"\(value)\": \(fault)"
            }
            guard (1...256 * 1024).contains(bytes) else {
                return "Invalid buffer size \"\(value)\": Invalid argument"
            }
            options.blockBytes = bytes
        default: return "Invalid -X option"
        }
        return nil
    }

    /// What is wrong with a number of requests, if anything.
    private static func fault(ofCount text: Substring) -> String? {
        let digits = text.first == "-" ? text.dropFirst() : text
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return "invalid"
        }
        guard let count = Int(text) else { return text.first == "-" ? "too small" : "too large" }
        return count < 1 ? "too small" : count > Int(Int32.max) ? "too large" : nil
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
