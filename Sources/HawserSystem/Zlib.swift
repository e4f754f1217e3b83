// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
package import HawserWire

/// The compression `zlib` of RFC 4253 §6.2: streams of RFC 1950, one in each direction, made when
/// first used.
@safe
package final class Zlib: PacketCompression {
    private var deflater: UnsafeMutablePointer<z_stream>?
    private var inflater: UnsafeMutablePointer<z_stream>?

    package init() {}

    deinit {
        // SAFETY: both are owned by this object alone.
        if let deflater = unsafe deflater {
            unsafe deflateEnd(deflater)
            unsafe deflater.deallocate()
        }
        if let inflater = unsafe inflater {
            unsafe inflateEnd(inflater)
            unsafe inflater.deallocate()
        }
    }

    /// Bytes that were compressed, and what they became on the wire.
    package var compressed: (plain: UInt64, wire: UInt64) {
        guard let stream = unsafe deflater else { return (0, 0) }
        return unsafe (UInt64(stream.pointee.total_in), UInt64(stream.pointee.total_out))
    }

    /// Bytes that came compressed, and what they had been.
    package var decompressed: (plain: UInt64, wire: UInt64) {
        guard let stream = unsafe inflater else { return (0, 0) }
        return unsafe (UInt64(stream.pointee.total_out), UInt64(stream.pointee.total_in))
    }

    package func compress(_ payload: RawSpan, into output: inout ByteQueue) {
        let stream = unsafe deflater ?? makeDeflater()
        unsafe payload.withUnsafeBytes { input in
            // SAFETY: the stream reads the payload and writes to the span it is given, during the
            // call only.
            unsafe stream.pointee.next_in = UnsafeMutablePointer(
                mutating: input.bindMemory(to: UInt8.self).baseAddress
            )
            unsafe stream.pointee.avail_in = UInt32(input.count)
            var isFull = true
            while isFull {
                _ = output.appendUpTo(4096) { (span: inout MutableRawSpan) -> Int in
                    unsafe span.withUnsafeMutableBytes { room in
                        unsafe stream.pointee.next_out =
                            room.bindMemory(to: UInt8.self).baseAddress
                        unsafe stream.pointee.avail_out = UInt32(room.count)
                        _ = unsafe deflate(stream, Z_PARTIAL_FLUSH)
                        isFull = unsafe stream.pointee.avail_out == 0
                        return unsafe room.count - Int(stream.pointee.avail_out)
                    }
                }
            }
        }
    }

    package func decompress(
        _ payload: RawSpan,
        into output: inout ByteQueue,
        limitBytes: Int
    ) -> Bool {
        let stream = unsafe inflater ?? makeInflater()
        var total = 0
        return unsafe payload.withUnsafeBytes { input in
            // SAFETY: as in `compress`.
            unsafe stream.pointee.next_in = UnsafeMutablePointer(
                mutating: input.bindMemory(to: UInt8.self).baseAddress
            )
            unsafe stream.pointee.avail_in = UInt32(input.count)
            while true {
                var status = Z_OK
                let written = output.appendUpTo(16384) { (span: inout MutableRawSpan) -> Int in
                    unsafe span.withUnsafeMutableBytes { room in
                        unsafe stream.pointee.next_out =
                            room.bindMemory(to: UInt8.self).baseAddress
                        unsafe stream.pointee.avail_out = UInt32(room.count)
                        status = unsafe inflate(stream, Z_SYNC_FLUSH)
                        return unsafe room.count - Int(stream.pointee.avail_out)
                    }
                }
                total += written
                guard total <= limitBytes else { return false }
                switch status {
                case Z_OK where written > 0: continue
                // No progress was possible: everything has been taken.
                case Z_OK, Z_BUF_ERROR: return unsafe stream.pointee.avail_in == 0
                default: return false
                }
            }
        }
    }

    private func makeDeflater() -> UnsafeMutablePointer<z_stream> {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        _ = unsafe hawser_deflate_init(stream, 6)
        unsafe deflater = stream
        return unsafe stream
    }

    private func makeInflater() -> UnsafeMutablePointer<z_stream> {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        _ = unsafe hawser_inflate_init(stream)
        unsafe inflater = stream
        return unsafe stream
    }
}
