// SPDX-License-Identifier: Apache-2.0

/// How a request ended, draft-ietf-secsh-filexfer-02 §7.
package enum Status: UInt32, Error, Sendable {
    case ok = 0
    case endOfFile = 1
    case noSuchFile = 2
    case permissionDenied = 3
    case failure = 4
    case badMessage = 5
    case noConnection = 6
    case connectionLost = 7
    case unsupported = 8

    /// The text beside the number.
    package var text: String {
        switch self {
        case .ok: "Success"
        case .endOfFile: "End of file"
        case .noSuchFile: "No such file"
        case .permissionDenied: "Permission denied"
        case .failure: "Failure"
        case .badMessage: "Bad message"
        case .noConnection: "No connection"
        case .connectionLost: "Connection lost"
        case .unsupported: "Operation unsupported"
        }
    }

    /// What the number of an errno(3) becomes on Linux.
    package init(errorNumber: Int) {
        switch errorNumber {
        case 0: self = .ok
        case 2, 20, 9, 40: self = .noSuchFile  // ENOENT ENOTDIR EBADF ELOOP
        case 1, 13, 14: self = .permissionDenied  // EPERM EACCES EFAULT
        case 36, 22: self = .badMessage  // ENAMETOOLONG EINVAL
        case 38: self = .unsupported  // ENOSYS
        default: self = .failure
        }
    }
}
