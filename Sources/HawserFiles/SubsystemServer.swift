// SPDX-License-Identifier: Apache-2.0

package import HawserLog
package import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// Serves one client over two descriptors until it goes away: sftp-server and internal-sftp.
package struct SubsystemServer {
    package var rules = RequestRules()
    package var log: Log
    /// Who is served, for the log.
    package var user: String
    package var peer: String
    /// Who is told what the client does with files.
    package var witness: (any FileWitness)?

    package init(log: Log, user: String, peer: String) {
        self.log = log
        self.user = user
        self.peer = peer
    }

    /// Returns the status to leave with.
    package func run(input: Int32 = 0, output: Int32 = 1) -> Int32 {
        log.info("session opened for local user \(user) from [\(peer)]")
        for descriptor in [input, output] {
            FileCalls.setPipeBytes(descriptor, pipeBytes)
            if !Descriptor.isTerminal(descriptor) { Descriptor.setNonblocking(descriptor) }
        }
        var server = Server(files: LocalFileSystem(), rules: rules, log: log, witness: witness)
        var set = PollSet()
        var hasEnded = false
        while true {
            let isFull: Bool
            do throws(ServerFault) {
                isFull = try server.answer(limit: outputLimit)
            } catch {
                log.error("bad message from \(peer) local user \(user)")
                server.end()
                return 11
            }
            if server.outputBytes > 0 {
                switch Descriptor.write(output, server.output) {
                case .bytes(let count): server.sent(count)
                case .wouldBlock: break
                case .ended, .failed:
                    log.debug("write failed")
                    server.end()
                    return 1
                }
            }
            if hasEnded, server.outputBytes == 0, !isFull { break }
            // What could not be sent waits; with much of it nothing more is taken.
            if isFull, server.outputBytes <= outputLimit { continue }
            let takesMore = !hasEnded && !isFull
            set.removeAll()
            let reading = takesMore ? set.add(input, read: true) : -1
            if server.outputBytes > 0 { set.add(output, write: true) }
            set.wait(timeout: nil)
            guard takesMore, set.isReadable(reading) else { continue }
            let result = server.receive(input)
            switch result {
            case .ended:
                log.debug("read eof")
                hasEnded = true
            case .failed(let number):
                log.error("read: \(SystemError.reason(number))")
                hasEnded = true
            case .bytes, .wouldBlock: break
            }
        }
        server.end()
        log.info("session closed for local user \(user) from [\(peer)]")
        return 0
    }
}

extension Server {
    fileprivate mutating func receive(_ descriptor: Int32) -> Transfer {
        var result = Transfer.wouldBlock
        _ = receive(upTo: inputBytes) { room in
            result = Descriptor.read(descriptor, into: &room)
            if case .bytes(let count) = result { return count }
            return 0
        }
        return result
    }
}

/// How much is asked of the input at once, in bytes: one packet of the largest size and more.
private let inputBytes = 320 * 1024
/// Beyond this many bytes of answers they are sent first.
private let outputLimit = 256 * 1024
/// What the pipes to sshd should hold, so that each side wakes seldom.
private let pipeBytes: Int32 = 1 << 20
