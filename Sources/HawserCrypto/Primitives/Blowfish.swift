// SPDX-License-Identifier: Apache-2.0

/// The Blowfish block cipher with the expensive key schedule of bcrypt ("eksblowfish").
///
/// B. Schneier, 1993; N. Provos and D. Mazières, "A Future-Adaptable Password Scheme", 1999, §4.
struct Blowfish: ~Copyable {
    // 18 subkeys, then four boxes of 256 words.
    private var words: [UInt32]

    private static let subkeyCount = 18
    private static let wordCount = 18 + 4 * 256

    init() {
        words = BlowfishTables.subkeys + BlowfishTables.boxes
    }

    /// Back to the state without a key, keeping the allocation.
    mutating func reset() {
        words.replaceSubrange(0..<Self.subkeyCount, with: BlowfishTables.subkeys)
        words.replaceSubrange(Self.subkeyCount..<Self.wordCount, with: BlowfishTables.boxes)
    }

    /// Overwrites the schedule.
    mutating func wipe() {
        for index in words.indices { words[index] = 0 }
    }

    /// `ExpandKey(state, salt, key)`: key words in turn into the subkeys, then every subkey and box
    /// entry replaced by the running encryption, with the salt words mixed in if there is a salt.
    /// `key` and `salt` are big-endian words, used over and over from their start.
    mutating func expand(key: [UInt32], salt: [UInt32]?) {
        precondition(!key.isEmpty && salt?.isEmpty != true)
        unsafe words.withUnsafeMutableBufferPointer { state in
            unsafe Self.expand(state, key: key, salt: salt)
        }
    }

    /// Encrypts pairs of words in place.
    func encrypt(_ data: inout [UInt32]) {
        unsafe words.withUnsafeBufferPointer { state in
            for index in stride(from: 0, to: data.count - 1, by: 2) {
                let (left, right) = unsafe Self.encrypt(
                    state,
                    data[index],
                    data[index + 1]
                )
                data[index] = left
                data[index + 1] = right
            }
        }
    }

    @inline(__always)
    private static func encrypt(
        _ state: UnsafeBufferPointer<UInt32>,
        _ first: UInt32,
        _ second: UInt32
    ) -> (UInt32, UInt32) {
        // SAFETY: `state` has `wordCount` words; a byte picks one of the 256 of a box.
        var left = first
        var right = second
        for round in stride(from: 0, to: 16, by: 2) {
            unsafe left ^= state[round]
            unsafe right ^= mix(state, left)
            unsafe right ^= state[round + 1]
            unsafe left ^= mix(state, right)
        }
        unsafe left ^= state[16]
        unsafe right ^= state[17]
        return (right, left)
    }

    @inline(__always)
    private static func mix(_ state: UnsafeBufferPointer<UInt32>, _ word: UInt32) -> UInt32 {
        let first = unsafe state[subkeyCount + Int(word >> 24)]
        let second = unsafe state[subkeyCount + 256 + Int(word >> 16 & 0xff)]
        let third = unsafe state[subkeyCount + 512 + Int(word >> 8 & 0xff)]
        let fourth = unsafe state[subkeyCount + 768 + Int(word & 0xff)]
        return ((first &+ second) ^ third) &+ fourth
    }

    private static func expand(
        _ state: UnsafeMutableBufferPointer<UInt32>,
        key: [UInt32],
        salt: [UInt32]?
    ) {
        for index in 0..<subkeyCount {
            unsafe state[index] ^= key[index % key.count]
        }
        var left: UInt32 = 0
        var right: UInt32 = 0
        var saltIndex = 0
        for index in stride(from: 0, to: wordCount, by: 2) {
            if let salt {
                left ^= salt[saltIndex % salt.count]
                right ^= salt[(saltIndex + 1) % salt.count]
                saltIndex += 2
            }
            unsafe (left, right) = encrypt(UnsafeBufferPointer(state), left, right)
            unsafe state[index] = left
            unsafe state[index + 1] = right
        }
    }
}
