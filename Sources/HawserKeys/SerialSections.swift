// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Chooses how serial numbers are written: as lists, ranges or bitmaps (PROTOCOL.krl §2.1 to §2.3).
///
/// For one run of consecutive numbers after the other, what costs the fewest bytes is taken, with
/// an eye on the gap after the run. Costs and ties are such that the file is the same, byte by
/// byte, as OpenSSH's; they were found by making lists with it (docs/openssh-behaviour.md).
enum SerialSections {
    static func write(_ runs: [ClosedRange<UInt64>], to writer: inout WireWriter) {
        var sections = Writer()
        for (index, run) in runs.enumerated() {
            let next = index + 1 < runs.count ? runs[index + 1].lowerBound : nil
            sections.write(run, next: next, to: &writer)
        }
        sections.close(&writer)
    }

    /// What one section costs beyond its numbers, in bits.
    private static let header = 8
    private static let number = 64

    /// OpenSSH reads no longer bitmap, though it may write one.
    private static let maximumBitmapBits: UInt64 = 16384

    private enum Form { case list, range, bitmap, newBitmap }

    /// The section that is being written.
    private struct Writer {
        private var form: Form?
        private var list: [UInt8] = []
        private var bitmapStart: UInt64 = 0
        /// The lowest bit first.
        private var bitmap: [UInt8] = []
        private var last: UInt64 = 0

        mutating func write(
            _ run: ClosedRange<UInt64>,
            next: UInt64?,
            to writer: inout WireWriter
        ) {
            let chosen = choose(run, next: next)
            if chosen == .newBitmap || chosen == .range || chosen != form { close(&writer) }
            switch chosen {
            case .list:
                for serial in run { Self.append(serial, to: &list) }
                form = .list
            case .range:
                var content: [UInt8] = []
                Self.append(run.lowerBound, to: &content)
                Self.append(run.upperBound, to: &content)
                writer.write(byte: KeyRevocationList.CertificatePart.serialRange.rawValue)
                writer.write(string: content)
                form = .range
            case .bitmap, .newBitmap:
                if chosen == .newBitmap { bitmapStart = run.lowerBound }
                for serial in run { set(Int(serial - bitmapStart)) }
                form = .bitmap
            }
            last = run.upperBound
        }

        private func choose(_ run: ClosedRange<UInt64>, next: UInt64?) -> Form {
            // Large enough to be decided by any of them, small enough to multiply.
            let far: UInt64 = 1 << 32
            let count = Int(min(run.upperBound - run.lowerBound, far)) + 1
            let restart = next == nil ? 0 : header + number
            let gap = next.map { Int(min($0 - run.upperBound, far)) } ?? 0
            let after = min(gap, restart)
            let listCost = number * count + restart + (form == .list ? 0 : header)
            let rangeCost = header + 2 * number + restart
            let newBitmapCost = header + number + count + after
            var costs = [(Form.list, listCost), (.range, rangeCost)]
            if form == nil {
                costs.insert((.newBitmap, newBitmapCost), at: 0)
            } else {
                costs.append((.newBitmap, newBitmapCost))
            }
            if form == .bitmap, run.upperBound - bitmapStart < maximumBitmapBits {
                let gapBefore = Int(min(run.lowerBound - last, far))
                costs.insert((.bitmap, gapBefore + count + after), at: 0)
            }
            var best = costs[0]
            for cost in costs where (cost.1 + 7) / 8 < (best.1 + 7) / 8 { best = cost }
            return best.0
        }

        private mutating func set(_ bit: Int) {
            while bitmap.count <= bit / 8 { bitmap.append(0) }
            bitmap[bit / 8] |= 1 << UInt8(bit % 8)
        }

        /// Writes what has been gathered.
        mutating func close(_ writer: inout WireWriter) {
            switch form {
            case .list:
                writer.write(byte: KeyRevocationList.CertificatePart.serialList.rawValue)
                writer.write(string: list)
            case .bitmap:
                writer.write(byte: KeyRevocationList.CertificatePart.serialBitmap.rawValue)
                writer.writeString { content in
                    content.write(uint64: bitmapStart)
                    content.write(multiplePrecision: bitmap.reversed())
                }
            case .range, .newBitmap, nil: break
            }
            list = []
            bitmap = []
        }

        private static func append(_ serial: UInt64, to bytes: inout [UInt8]) {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: serial >> UInt64(shift)))
            }
        }
    }
}
