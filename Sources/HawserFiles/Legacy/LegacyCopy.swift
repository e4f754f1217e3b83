// SPDX-License-Identifier: Apache-2.0

package import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// The old copy protocol, both ends. Each end may be the one with the user or the far one.
package final class LegacyCopy {
    package struct Options: Sendable {
        package var isRecursive = false
        package var preserves = false
        /// The target has to be a directory (`-d`).
        package var targetIsDirectory = false
        /// The far end: failures go to the other side, which shows them.
        package var isRemote = false
        package var kilobitsPerSecond: UInt64 = 0
        /// What the names from the other side have to fit; empty: anything goes.
        package var expected: [GlobPattern] = []
        /// Names that are good as they are.
        package var expectedNames: [[UInt8]] = []
        package init() {}
    }

    let options: Options
    let channel: LegacyChannel
    let observer: any CopyObserver
    /// What the modes of new files are cut by, where they are not kept.
    let mask: UInt32
    var answers: LegacyAnswers
    /// The directories that what is being sent is in.
    var ancestors: [DirectoryCopy.Identity] = []
    /// Files that a source has announced.
    var announcedFiles = 0
    /// The sink's answers come before they are due, and failures anywhere between them.
    private var isAnsweredEarly = false
    /// How often something went wrong.
    package internal(set) var failures = 0

    package init(
        reader: Int32,
        writer: Int32,
        _ options: Options,
        observer: any CopyObserver
    ) {
        self.options = options
        self.observer = observer
        channel = LegacyChannel(
            reader: reader,
            writer: writer,
            kilobitsPerSecond: options.kilobitsPerSecond
        )
        answers = LegacyAnswers(channel, isRemote: options.isRemote)
        mask = Daemon.setFileMask(0)
        if !options.preserves { _ = Daemon.setFileMask(mask) }
    }

    func shown(_ path: [UInt8]) -> String { PrintableText.of(path) }

    /// Tells the user, at this end, of a failure.
    func tell(_ text: String) {
        failures += 1
        if !options.isRemote { observer.copyFails(text) }
    }

    /// Tells a failure to the other side, and to the user where this is the user's end.
    func fail(_ text: String) throws(LegacyEnd) {
        tell(text)
        try channel.send(CopyRecord.warning("scp: \(text)".octets).bytes)
    }

    /// Waits for the other side's yes to a record; false when it could not do what was asked.
    func isAccepted() throws(LegacyEnd) -> Bool {
        while let answer = try channel.byte() {
            if answer == 0 { return true }
            if answer == Self.earlyAnswersFollow, announcedFiles > 1 {
                isAnsweredEarly = true
                return true
            }
            try takeFailure(answer)
            if !isAnsweredEarly { return false }
        }
        throw .lostConnection
    }

    /// A sink says with this that its further answers come before they are due.
    static let earlyAnswersFollow: UInt8 = 3

    private func takeFailure(_ answer: UInt8) throws(LegacyEnd) {
        var text = try channel.line(from: answer)
        if answer == 1 || answer == 2 { text.removeFirst() }
        tell(PrintableText.of(text))
        if answer != 1 { throw .over("") }
    }

    /// A source that was answered early, and has told the sink its end, hears of the last failures.
    package func awaitEnd() throws(LegacyEnd) {
        guard isAnsweredEarly else { return }
        while let answer = try channel.byte() {
            if answer != 0 { try takeFailure(answer) }
        }
    }
}
