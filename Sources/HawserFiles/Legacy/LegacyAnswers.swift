// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserSystem

/// What a sink answers: one byte to each record of the source and one to the end of each file.
///
/// A source waits for each of them, and a long path would cost its delay twice for every file. The
/// user's own sink takes whatever comes and tells the user itself what it could not write; so it
/// gives its answers before they are due, from the second record on, and the source never waits. (One
/// file alone is copied step by step.) The far sink must answer truthfully, and does not do this.
///
/// A source that throws such early bytes away would wait for ever; when nothing more comes, it gets
/// one more, and from then on each in its turn. One too many does no harm: it says only "go on".
struct LegacyAnswers {
    private let channel: LegacyChannel
    private let mayRunAhead: Bool
    private var isAhead = false
    private var entries = 0
    /// Answers that were given and are not due yet.
    private var early = 0
    private var patienceMilliseconds: Int32 = 2000
    /// A refusal would no longer stand where it belongs.
    private(set) var hasRunAhead = false

    init(_ channel: LegacyChannel, mayRunAhead: Bool) {
        self.channel = channel
        self.mayRunAhead = mayRunAhead
    }

    /// To be called once for each record of a file or directory.
    mutating func noteEntry() {
        entries += 1
        guard mayRunAhead, entries == 2 else { return }
        isAhead = true
        hasRunAhead = true
    }

    /// Says yes to what is due.
    mutating func accept() throws(LegacyEnd) {
        if early > 0 { early -= 1 } else { try channel.send([0]) }
        guard isAhead, early < portion / 2 else { return }
        early += portion
        try channel.send([UInt8](repeating: 0, count: portion))
        // A source that is at its end takes none of them; what it has sent is still to be read.
        try? channel.flush()
    }

    /// Says no to what is due; false when yes has been said already, and what was announced comes.
    mutating func refuse(_ text: String) throws(LegacyEnd) -> Bool {
        guard !hasRunAhead else {
            try accept()
            return false
        }
        try channel.send(CopyRecord.warning(Array("scp: \(text)".utf8)).bytes)
        return true
    }

    /// Waits until the source goes on with a record, or is at its end.
    mutating func awaitRecord() throws(LegacyEnd) {
        guard hasRunAhead else { return }
        while !channel.isHeard(within: patienceMilliseconds) {
            isAhead = false
            early = 0
            try channel.send([0])
            patienceMilliseconds = min(2 * patienceMilliseconds, 60_000)
        }
    }
}

/// So many are given at once.
private let portion = 128
