// SPDX-License-Identifier: Apache-2.0

/// The compression of payloads (RFC 4253 §6.2), which the program supplies: the core links no zlib.
package protocol PacketCompression: AnyObject {
    /// Appends the compressed form of `payload`, flushed so that the peer can read all of it.
    func compress(_ payload: RawSpan, into output: inout ByteQueue)
    /// Appends what `payload` was before, at most `limitBytes` bytes. False when it is not valid or
    /// would be longer.
    func decompress(_ payload: RawSpan, into output: inout ByteQueue, limitBytes: Int) -> Bool
}
