// SPDX-License-Identifier: Apache-2.0

/// Spans of time as options and configurations have them (sshd_config(5), TIME FORMATS).
package enum TimeSpan {
    /// A time in seconds: `90`, `2m`, `1h30m`, `1w`.
    package static func seconds(_ text: String) -> Int? {
        var total = 0
        var number: Int?
        for byte in text.utf8 {
            if (48...57).contains(byte) {
                let (tens, high) = (number ?? 0).multipliedReportingOverflow(by: 10)
                let (sum, over) = tens.addingReportingOverflow(Int(byte) - 48)
                guard !high, !over else { return nil }
                number = sum
                continue
            }
            let unit: Int
            switch byte | 0x20 {
            case UInt8(ascii: "s"): unit = 1
            case UInt8(ascii: "m"): unit = 60
            case UInt8(ascii: "h"): unit = 3600
            case UInt8(ascii: "d"): unit = 86400
            case UInt8(ascii: "w"): unit = 604_800
            default: return nil
            }
            guard let value = number else { return nil }
            let (part, high) = value.multipliedReportingOverflow(by: unit)
            let (sum, over) = total.addingReportingOverflow(part)
            guard !high, !over else { return nil }
            total = sum
            number = nil
        }
        if let number {
            let (sum, over) = total.addingReportingOverflow(number)
            guard !over else { return nil }
            total = sum
        } else if text.isEmpty {
            return nil
        }
        return total <= Int(Int32.max) ? total : nil
    }
}
