// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import HawserWire

/// What the kernel refused: the call, what it was about, and its error number.
package struct SystemError: Error, Equatable, Sendable {
    package var call: String
    /// A path, an address, or nothing.
    package var object: String
    /// The number of errno(3).
    package var number: Int32

    package init(_ call: String, _ object: String = "", number: Int32 = errno) {
        self.call = call
        self.object = object
        self.number = number
    }

    /// The kernel's own words, e.g. "Connection refused".
    package var reason: String { Self.reason(number) }

    /// Somebody else has the address (`EADDRINUSE`).
    package var isAddressInUse: Bool { number == EADDRINUSE }

    /// The peer broke the connection off (`ECONNRESET`).
    package static func isReset(_ number: Int32) -> Bool { number == ECONNRESET }

    package static func reason(_ number: Int32) -> String {
        // SAFETY: strerror's buffer is copied at once.
        unsafe String(cOctets: strerror(number))
    }
}

extension SystemError: CustomStringConvertible {
    package var description: String {
        object.isEmpty ? "\(call): \(reason)" : "\(call) \(object): \(reason)"
    }
}
