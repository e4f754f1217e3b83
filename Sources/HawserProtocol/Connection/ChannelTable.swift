// SPDX-License-Identifier: Apache-2.0

/// All channels by our number: adding, finding and removing one cost the same however many there
/// are.
struct ChannelTable {
    private var slots: [Channel] = []
    private var freeNumbers: [UInt32] = []
    /// How many numbers are in use.
    private(set) var count = 0
    /// How many of the channels go before bulk data.
    private(set) var interactiveCount = 0

    /// The channel of a number that was in use at some time.
    subscript(index: Int) -> Channel {
        _read { yield slots[index] }
        _modify { yield &slots[index] }
    }

    /// Where a channel is, unless it is gone.
    func index(of id: ChannelID) -> Int? {
        guard let index = Int(exactly: id.number), index < slots.count,
            slots[index].generation == id.generation, slots[index].phase != .free
        else { return nil }
        return index
    }

    /// Where the channel is that a peer addresses, unless it never was or is gone.
    func index(ofNumber number: UInt32) -> Int? {
        guard let index = Int(exactly: number), index < slots.count, slots[index].phase != .free
        else { return nil }
        return index
    }

    /// Whether a number has ever been in use.
    func hasUsed(number: UInt32) -> Bool {
        Int(exactly: number).map { $0 < slots.count } ?? false
    }

    func id(at index: Int) -> ChannelID {
        ChannelID(number: UInt32(truncatingIfNeeded: index), generation: slots[index].generation)
    }

    /// Takes a free number into use, if there may be one more channel.
    mutating func add(_ phase: Channel.Phase) -> Int? {
        guard count < ConnectionLimits.channels else { return nil }
        count += 1
        if let number = freeNumbers.popLast() {
            let index = Int(number)
            slots[index].phase = phase
            return index
        }
        slots.append(Channel(generation: 0, phase: phase))
        return slots.count - 1
    }

    /// Frees the number: the next use of it is another channel.
    mutating func remove(at index: Int) {
        setInteractive(false, at: index)
        slots[index] = Channel(generation: slots[index].generation &+ 1)
        freeNumbers.append(UInt32(truncatingIfNeeded: index))
        count -= 1
    }

    mutating func setInteractive(_ isInteractive: Bool, at index: Int) {
        guard slots[index].isInteractive != isInteractive else { return }
        slots[index].isInteractive = isInteractive
        interactiveCount += isInteractive ? 1 : -1
    }

    /// The channels that are open, lowest number first.
    var openChannels: [ChannelID] {
        slots.indices.filter { slots[$0].phase == .open }.map { id(at: $0) }
    }
}
