// SPDX-License-Identifier: Apache-2.0

package import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// What an sftp-server tells the sshd that has started it and keeps an `EventLog`: uint32 length, then
/// a `FileEvent`, into the descriptor that the environment names.
package final class FileEventPipe: FileWitness {
    /// Names the descriptor.
    package static let variable = "HAWSER_FILE_EVENTS"

    private let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// Nil when nobody asked for it.
    static var inherited: FileEventPipe? {
        guard let text = Environment.value(variable), let number = Int32(text), number > 2,
            Descriptor.isOpen(number)
        else { return nil }
        Descriptor.setCloseOnExec(number)
        return FileEventPipe(number)
    }

    package func note(_ event: FileEvent) {
        var writer = WireWriter(reserving: 512)
        writer.writeString { event.write(into: &$0) }
        Descriptor.writeAll(descriptor, writer.take())
    }
}
