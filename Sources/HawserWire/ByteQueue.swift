// SPDX-License-Identifier: Apache-2.0

/// Bytes in at one end, out at the other, in one contiguous allocation.
///
/// It grows to what is needed and moves its content to the front when that makes room. It never
/// limits itself: its owner stops reading (`Limits`) when `count` says so.
@safe
package struct ByteQueue: ~Copyable {
    // Owned; every access goes through a span whose bounds are `head..<tail` or the free end.
    private var storage: UnsafeMutableRawPointer
    private var capacity: Int
    private var head = 0
    private var tail = 0

    /// An empty queue that first holds up to `capacityBytes` without growing.
    package init(capacityBytes: Int = 4096) {
        capacity = max(capacityBytes, 64)
        // SAFETY: freed in `deinit`, or when a larger one replaces it.
        unsafe storage = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        // SAFETY: the one owner of the allocation.
        unsafe storage.deallocate()
    }

    /// How many bytes are in the queue.
    package var count: Int { tail - head }

    package var isEmpty: Bool { tail == head }

    /// How many bytes the queue can hold before it must grow.
    package var capacityBytes: Int { capacity }

    /// Everything in the queue, oldest first, borrowed.
    package var bytes: RawSpan {
        @_lifetime(borrow self) get {
            // SAFETY: `head..<tail` is inside the allocation, which lives as long as `self`.
            let span = unsafe RawSpan(_unsafeStart: storage + head, byteCount: tail - head)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// Everything in the queue, oldest first, to be changed in place.
    package var mutableBytes: MutableRawSpan {
        @_lifetime(&self)
        mutating get {
            // SAFETY: as `bytes`; the exclusive borrow of `self` keeps others away.
            let span = unsafe MutableRawSpan(_unsafeStart: storage + head, byteCount: tail - head)
            return unsafe _overrideLifetime(span, mutating: &self)
        }
    }

    /// Takes the oldest `count` bytes out.
    package mutating func removeFirst(_ count: Int) {
        precondition(count >= 0 && count <= tail - head)
        head += count
        if head == tail {
            head = 0
            tail = 0
        }
    }

    /// Takes everything out and keeps the allocation.
    package mutating func removeAll() {
        head = 0
        tail = 0
    }

    /// Makes room for `count` more bytes at the end.
    package mutating func reserve(_ count: Int) {
        precondition(count >= 0)
        if capacity - tail >= count { return }
        let held = tail - head
        if capacity - held >= count, head >= held {
            // SAFETY: both ranges are inside the allocation, and `head >= held` keeps them apart.
            unsafe storage.copyMemory(from: storage + head, byteCount: held)
        } else {
            grow(toHold: held + count)
        }
        head = 0
        tail = held
    }

    /// Appends borrowed bytes.
    package mutating func append(_ source: RawSpan) {
        appendUninitialized(source.byteCount)
        let offset = count - source.byteCount
        var target = mutableBytes
        target.copy(source, at: offset)
    }

    package mutating func append(_ source: [UInt8]) {
        append(source.rawBytes)
    }

    package mutating func append(byte value: UInt8) {
        reserve(1)
        // SAFETY: `reserve` made room for it.
        unsafe storage.storeBytes(of: value, toByteOffset: tail, as: UInt8.self)
        tail += 1
    }

    /// Appends a big-endian `uint32`.
    package mutating func append(uint32 value: UInt32) {
        reserve(4)
        // SAFETY: `reserve` made room for it.
        unsafe storage.storeBytes(of: value.bigEndian, toByteOffset: tail, as: UInt32.self)
        tail += 4
    }

    /// Appends `count` bytes whose values are not defined yet, to be filled through `mutableBytes`.
    package mutating func appendUninitialized(_ count: Int) {
        reserve(count)
        tail += count
    }

    /// Drops the youngest `count` bytes again.
    package mutating func removeLast(_ count: Int) {
        precondition(count >= 0 && count <= tail - head)
        tail -= count
    }

    /// Lets `body` fill up to `count` bytes at the end; it returns how many it wrote. The rest does
    /// not become part of the queue. This is how a descriptor reads without a copy between.
    package mutating func appendUpTo<Failure: Error>(
        _ count: Int,
        _ body: (inout MutableRawSpan) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        reserve(count)
        // SAFETY: `reserve` made room for `count` bytes after `tail`; the span ends with this call.
        var span = unsafe MutableRawSpan(_unsafeStart: storage + tail, byteCount: count)
        let written = try body(&span)
        precondition(written >= 0 && written <= count)
        tail += written
        return written
    }

    /// Gives back memory when the queue is empty and larger than `capacityBytes`.
    package mutating func shrink(to capacityBytes: Int) {
        guard isEmpty, capacity > max(capacityBytes, 64) else { return }
        grow(toHold: 0, capacity: max(capacityBytes, 64))
        head = 0
        tail = 0
    }

    private mutating func grow(toHold count: Int) {
        grow(toHold: count, capacity: max(count, capacity * 2))
    }

    private mutating func grow(toHold count: Int, capacity newCapacity: Int) {
        // SAFETY: the new allocation holds at least what is copied; the old one is freed once.
        let larger = UnsafeMutableRawPointer.allocate(byteCount: newCapacity, alignment: 16)
        unsafe larger.copyMemory(from: storage + head, byteCount: tail - head)
        unsafe storage.deallocate()
        unsafe storage = larger
        capacity = newCapacity
    }
}
