// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// Lines typed at a terminal, with editing, history and completion. C: `editline(3)`, opened when
/// it is there and not needed otherwise.
@safe
package final class LineEditor {
    package enum Line: Equatable {
        case text([UInt8])
        /// The interrupt key.
        case interrupted
        case ended
    }

    /// What completion puts in at the cursor, and the choices to show when there are several.
    package struct Completion {
        package var inserted: [UInt8]
        package var choices: [String]
        package init(inserted: [UInt8], choices: [String]) {
            self.inserted = inserted
            self.choices = choices
        }
    }

    /// Called for the tab key with the line up to the cursor.
    package var complete: ([UInt8]) -> Completion = { _ in Completion(inserted: [], choices: []) }

    private typealias Initialize =
        @convention(c) (
            UnsafePointer<CChar>, UnsafeMutablePointer<FILE>?, UnsafeMutablePointer<FILE>?,
            UnsafeMutablePointer<FILE>?
        ) -> UnsafeMutableRawPointer?
    private typealias GetLine =
        @convention(c) (UnsafeMutableRawPointer, UnsafeMutablePointer<Int32>) -> UnsafePointer<
            CChar
        >?
    private typealias Insert =
        @convention(c) (UnsafeMutableRawPointer, UnsafePointer<CChar>) -> Int32
    private typealias CurrentLine =
        @convention(c) (UnsafeMutableRawPointer) -> UnsafePointer<hawser_editor_line>?
    private typealias MakeHistory = @convention(c) () -> UnsafeMutableRawPointer?
    private typealias End = @convention(c) (UnsafeMutableRawPointer) -> Void

    private let editor: UnsafeMutableRawPointer
    private let set: UnsafeMutableRawPointer
    private let getLine: GetLine
    private let insert: Insert
    private let currentLine: CurrentLine
    private let finish: End
    private let historyFunction: UnsafeMutableRawPointer
    private let history: UnsafeMutableRawPointer
    private let prompt: UnsafeMutablePointer<CChar>
    private var wasInterrupted = false

    // The library calls back without a context; one editor is in use at a time.
    nonisolated(unsafe) private static var current: LineEditor?

    /// Nil when the library is not there.
    package init?(program: String, prompt: String) {
        // SAFETY: the symbols are those of editline(3), whose C types are the ones above.
        guard
            let library = DynamicLibrary("libedit.so.2", "libedit.so.0"),
            let initialize = unsafe library.function("el_init", Initialize.self),
            let set = unsafe library.function("el_set", UnsafeMutableRawPointer.self),
            let getLine = unsafe library.function("el_gets", GetLine.self),
            let insert = unsafe library.function("el_insertstr", Insert.self),
            let currentLine = unsafe library.function("el_line", CurrentLine.self),
            let finish = unsafe library.function("el_end", End.self),
            let makeHistory = unsafe library.function("history_init", MakeHistory.self),
            let historyFunction = unsafe library.function("history", UnsafeMutableRawPointer.self),
            let history = unsafe makeHistory(),
            let editor = unsafe initialize(
                program,
                hawser_standard_stream(0),
                hawser_standard_stream(1),
                hawser_standard_stream(2)
            )
        else { return nil }
        unsafe self.editor = editor
        unsafe self.set = set
        unsafe self.getLine = unsafe getLine
        unsafe self.insert = unsafe insert
        unsafe self.currentLine = unsafe currentLine
        unsafe self.finish = unsafe finish
        unsafe self.historyFunction = historyFunction
        unsafe self.history = history
        unsafe self.prompt = prompt.withCOctets { unsafe strdup($0) }
        setUp()
    }

    deinit {
        // SAFETY: the end of the library's object, which nobody else has.
        unsafe finish(editor)
        unsafe free(prompt)
    }

    private func setUp() {
        // SAFETY: each call's arguments are what editline(3) wants for the operation.
        unsafe hawser_el_set_prompt(set, editor) { _ in unsafe LineEditor.current?.prompt }
        unsafe hawser_el_set_editor(set, editor, "emacs")
        unsafe hawser_history_set_size(historyFunction, history, 800)
        unsafe hawser_el_set_history(set, editor, historyFunction, history)
        unsafe hawser_el_set_reader(set, editor) { _, character in
            guard let current = unsafe LineEditor.current, let character = unsafe character else {
                return -1
            }
            guard let read = current.readCharacter() else { return 0 }
            unsafe character.pointee = wchar_t(bitPattern: read)
            return 1
        }
        unsafe hawser_el_add_function(set, editor, "hawser-complete", "completion") { _, _ in
            unsafe LineEditor.current?.completeAtCursor() ?? 6
        }
        unsafe hawser_el_bind(set, editor, "^I", "hawser-complete")
        // Keys that terminals send for whole words and ends of lines.
        for (key, name) in [
            ("\\e[1;5D", "ed-prev-word"), ("\\e[1;5C", "em-next-word"),
            ("\\e[1~", "ed-move-to-beg"), ("\\e[4~", "ed-move-to-end"),
            ("\\e[7~", "ed-move-to-beg"), ("\\e[8~", "ed-move-to-end"),
            ("\\e[H", "ed-move-to-beg"), ("\\e[F", "ed-move-to-end"),
        ] {
            unsafe hawser_el_bind(set, editor, key, name)
        }
    }

    /// The next line, without its end.
    package func readLine() -> Line {
        unsafe Self.current = self
        defer { unsafe Self.current = nil }
        wasInterrupted = false
        var count: Int32 = 0
        // SAFETY: the line lives until the next call and is copied at once.
        guard let line = unsafe getLine(editor, &count), count > 0 else {
            return wasInterrupted ? .interrupted : .ended
        }
        if wasInterrupted { return .interrupted }
        var bytes = unsafe FileCalls.bytes(of: line)
        let isEmpty = bytes.allSatisfy { $0 == 10 || $0 == 13 || $0 == 32 }
        if !isEmpty { unsafe hawser_history_enter(historyFunction, history, line) }
        while bytes.last == 10 || bytes.last == 13 { bytes.removeLast() }
        return .text(bytes)
    }

    // MARK: Keys

    /// One character of the terminal; nil at its end or when the user interrupts.
    private func readCharacter() -> UInt32? {
        guard let first = readByte() else { return nil }
        let length =
            first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
        var bytes = [first]
        while bytes.count < length {
            guard let next = readByte() else { return nil }
            bytes.append(next)
        }
        guard let text = String(validating: bytes, as: UTF8.self),
            let scalar = text.unicodeScalars.first
        else { return UInt32(first) }
        return scalar.value
    }

    private func readByte() -> UInt8? {
        var set = PollSet()
        while true {
            set.removeAll()
            let typed = set.add(0, read: true)
            set.add(Signals.descriptor, read: true)
            set.wait(timeout: nil)
            if Signals.take().contains(SIGINT) {
                wasInterrupted = true
                return nil
            }
            guard set.isReadable(typed) else { continue }
            var byte: [UInt8] = [0]
            var span = byte.mutableRawBytes
            guard case .bytes = Descriptor.read(0, into: &span) else { return nil }
            return byte[0]
        }
    }

    // MARK: Completion

    /// Returns what the library shall do: 4 draw again, 6 ring, 7 draw the whole line again.
    private func completeAtCursor() -> UInt8 {
        // SAFETY: the line lives to the end of the call; the cursor is inside it.
        guard let line = unsafe currentLine(editor),
            let start = unsafe line.pointee.buffer, let cursor = unsafe line.pointee.cursor
        else { return 6 }
        let count = unsafe cursor - start
        let before = unsafe Array(UnsafeRawBufferPointer(start: start, count: max(0, count)))
        let completion = complete(before)
        if !completion.choices.isEmpty {
            Descriptor.writeAll(1, ("\n" + Self.columns(completion.choices)).octets)
        }
        if !completion.inserted.isEmpty {
            let text = completion.inserted.map { CChar(bitPattern: $0) } + [0]
            // SAFETY: ends with a zero; the library copies it.
            if unsafe insert(editor, text) == -1 { return 6 }
        }
        if !completion.choices.isEmpty { return 8 }
        return completion.inserted.isEmpty ? 6 : 4
    }

    /// Names side by side.
    private static func columns(_ names: [String]) -> String {
        let width = Int(Terminal.windowSize(of: 1)?.columns ?? 80)
        let room = width == 0 ? 80 : width
        let widest = (names.map(\.count).max() ?? 0) + 2
        let count = max(1, room / widest)
        let column = max(widest, room / count)
        var text = ""
        for (index, name) in names.enumerated() {
            text += name + String(repeating: " ", count: column - name.count)
            if index % count == count - 1 || index == names.count - 1 { text += "\n" }
        }
        return text
    }
}
