// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// What a sink answers: one byte to each record of the source and one to the end of each file.
///
/// A source waits for each of them, and a long path would cost its delay twice for every file. So a
/// sink gives its answers before they are due where it may, and the source never waits:
///
/// - The user's own sink takes whatever comes and tells the user itself what it could not write. It
///   does so from the second record on. (One file alone is copied step by step.) A source that throws
///   such early bytes away would wait for ever; when nothing more comes, it gets one more, and from
///   then on each in its turn. One too many does no harm: it says only "go on".
/// - The far sink has to tell of failures. It does so where the source has asked for it and knows
///   that failures stand anywhere between the answers (docs/protocol/scp.md).
struct LegacyAnswers {
    private let channel: LegacyChannel
    private let isRemote: Bool
    private var isAhead = false
    private var entries = 0
    /// Answers that were given and are not due yet.
    private var early = 0
    private var patienceMilliseconds: Int32 = 2000
    /// The source has asked for early answers; the next answer says that they come.
    private var isAsked = false
    /// A refusal would no longer stand where it belongs.
    private(set) var hasRunAhead = false

    init(_ channel: LegacyChannel, isRemote: Bool) {
        self.channel = channel
        self.isRemote = isRemote
    }

    /// To be called once for each record of a file or directory; `isAsking`: as the record does.
    mutating func noteEntry(isAsking: Bool) {
        entries += 1
        guard !hasRunAhead, isRemote ? isAsking : entries == 2 else { return }
        isAhead = true
        hasRunAhead = true
        isAsked = isRemote
    }

    /// Says yes to what is due.
    mutating func accept() throws(LegacyEnd) {
        if early > 0 {
            early -= 1
        } else {
            try channel.send([isAsked ? LegacyCopy.earlyAnswersFollow : 0])
            isAsked = false
        }
        guard isAhead, early < portion / 2 else { return }
        early += portion
        try channel.send([UInt8](repeating: 0, count: portion))
        // A source that is at its end takes none of them; what it has sent is still to be read.
        try? channel.flush()
    }

    /// Says no to what is due; false when yes has been said already, and what was announced comes.
    mutating func refuse(_ text: String) throws(LegacyEnd) -> Bool {
        if hasRunAhead { try accept() }
        if isRemote || !hasRunAhead {
            try channel.send(CopyRecord.warning("scp: \(text)".octets).bytes)
        }
        return !hasRunAhead
    }

    /// Waits until the source goes on with a record, or is at its end.
    mutating func awaitRecord() {
        guard hasRunAhead, !isRemote else { return }
        while !channel.isHeard(within: patienceMilliseconds) {
            isAhead = false
            early = 0
            try? channel.send([0])
            patienceMilliseconds = min(2 * patienceMilliseconds, 60_000)
        }
    }
}

/// So many are given at once.
private let portion = 128
