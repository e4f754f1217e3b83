// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem

/// The standard descriptors of whoever waits for a session, read and written without ever waiting.
///
/// Pipes and terminals are opened anew for that. With everything else (sockets) others who share it
/// see that it does not wait either, until it is given back as it was.
struct BorrowedDescriptors {
    let input: Int32
    let output: Int32
    /// -1 for none.
    let error: Int32
    /// They are closed when they are given back.
    private let areOurs: Bool
    private var flags: WaitingFlags?
    private var copies: [Int32] = []
    private var isBack = false

    init(input: Int32, output: Int32, error: Int32 = -1, areOurs: Bool) {
        self.input = input
        self.output = output
        self.error = error
        self.areOurs = areOurs
    }

    private var all: [Int32] { [input, output, error] }

    /// The descriptors to read from and write to; once.
    mutating func take() -> (input: Int32, output: Int32, error: Int32) {
        flags = WaitingFlags(of: all)
        let isSocket = input == output
        let taken = all.enumerated().map { index, fd in
            guard fd >= 0, !isSocket,
                let copy = Descriptor.reopened(fd, forWriting: index > 0)
            else { return fd }
            copies.append(copy)
            return copy
        }
        return (taken[0], taken[1], taken[2])
    }

    /// Gives them back as they were; nothing may wait for them any more.
    mutating func giveBack() {
        guard !isBack else { return }
        isBack = true
        copies.forEach(Descriptor.close)
        flags?.putBack()
        guard areOurs else { return }
        for (index, fd) in all.enumerated() where !all[..<index].contains(fd) {
            Descriptor.close(fd)
        }
    }
}

/// Which open files wait in a read or a write, so that they do again when others have changed that.
struct WaitingFlags {
    private let waiting: [Int32]

    init(of descriptors: [Int32]) {
        waiting = descriptors.filter { $0 >= 0 && !Descriptor.isNonblocking($0) }
    }

    func putBack() {
        for fd in waiting { Descriptor.setNonblocking(fd, false) }
    }
}
