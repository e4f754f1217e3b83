// SPDX-License-Identifier: Apache-2.0

extension Optional {
    /// The value of what C declares as optional and is not: BoringSSL aborts rather than fail to
    /// allocate, and a buffer with bytes in it has an address.
    @inline(__always)
    var neverNil: Wrapped {
        guard let self else { preconditionFailure("no memory") }
        return self
    }
}
