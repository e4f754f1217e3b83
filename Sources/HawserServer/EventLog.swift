// SPDX-License-Identifier: Apache-2.0

package import HawserSFTP
package import HawserSystem
internal import HawserWire

/// `EventLog`: what happens, one JSON object a line, for programs that watch. It is written by
/// privileged processes only; that it cannot be written never stops a login.
package struct EventLog: Sendable {
    /// Nil when nobody wants it.
    package let descriptor: Int32?
    /// Ties the lines of one connection together, and them to what its client was told.
    package var reference = ""

    /// What a refused client is told, so that an administrator finds the lines about it.
    var mention: String {
        descriptor == nil || reference.isEmpty ? "" : " (reference \(reference))"
    }

    package static let none = EventLog(descriptor: nil)

    package init(descriptor: Int32?, reference: String = "") {
        self.descriptor = descriptor
        self.reference = reference
    }

    /// `PATH`, `unix:PATH` (a stream or datagram socket that someone listens on) or `fd:N`.
    /// Throws when it cannot be opened.
    package static func open(_ target: String) throws(SystemError) -> EventLog {
        if target.hasPrefix("fd:") {
            guard let number = Int32(target.dropFirst(3)), Descriptor.isOpen(number) else {
                throw SystemError("open", target, number: 9)  // EBADF
            }
            return EventLog(descriptor: try Descriptor.duplicate(number))
        }
        if target.hasPrefix("unix:") {
            return EventLog(descriptor: try UnixSocket.connect(String(target.dropFirst(5))))
        }
        // Write only, create, append.
        return EventLog(
            descriptor: try Descriptor.open(target, 0o1 | 0o100 | 0o2000, mode: 0o600)
        )
    }

    /// Something that happened.
    package enum Event: Equatable, Sendable {
        case started(addresses: [String])
        case stopped
        case reload(isGood: Bool)
        case dropped(address: String, port: Int, reason: String)
        case penalty(address: String, source: String, reason: String)
        case connected(address: String, port: Int)
        case authentication(Authentication)
        case loggedIn(user: String)
        case sessionStarted(user: String, id: Int, kind: String, command: String?)
        case sessionEnded(user: String, id: Int)
        case forward(user: String, kind: String, target: String, isAllowed: Bool)
        case file(user: String, id: Int, FileEvent)
        case disconnected(user: String?, seconds: Int, bytesIn: UInt64, bytesOut: UInt64)
    }

    /// One attempt of a method.
    package struct Authentication: Equatable, Sendable {
        package var user: String
        package var method: String
        /// `accepted`, `partial`, `postponed` or `failed`.
        package var result: String
        package var key: String?
        /// Of Kerberos.
        package var principal: String?
        package var reason: String?

        package init(
            user: String,
            method: String,
            result: String,
            key: String? = nil,
            principal: String? = nil,
            reason: String? = nil
        ) {
            self.user = user
            self.method = method
            self.result = result
            self.key = key
            self.principal = principal
            self.reason = reason
        }
    }

    /// Writes a line. A reader that does not keep up misses lines; the server waits for nobody.
    package func write(_ event: Event) {
        guard let descriptor else { return }
        let line = Self.line(event, reference: reference, at: Clock.epochSeconds).octets
        // A reader that is behind misses lines; a file is always ready.
        if Descriptor.waitUntilReady(descriptor, forWriting: true, milliseconds: 0) {
            _ = Descriptor.write(descriptor, line.rawBytes)
        }
    }

    /// The line with its end.
    static func line(_ event: Event, reference: String, at seconds: UInt64) -> String {
        var object = JSONObject()
        object.add("time", Int(clamping: seconds))
        object.add("pid", Int(Daemon.processID))
        if !reference.isEmpty { object.add("reference", reference) }
        event.describe(&object)
        return object.text + "\n"
    }
}

extension EventLog.Event {
    fileprivate func describe(_ object: inout JSONObject) {
        switch self {
        case .started(let addresses):
            object.add("event", "started")
            object.add("listening", addresses.joined(separator: " "))
        case .stopped:
            object.add("event", "stopped")
        case .reload(let isGood):
            object.add("event", "reload")
            object.add("result", isGood ? "done" : "refused")
        case .dropped(let address, let port, let reason):
            object.add("event", "dropped")
            object.add("address", address)
            object.add("port", port)
            object.add("reason", reason)
        case .penalty(let address, let source, let reason):
            object.add("event", "penalty")
            object.add("address", address)
            object.add("source", source)
            object.add("reason", reason)
        case .connected(let address, let port):
            object.add("event", "connect")
            object.add("address", address)
            object.add("port", port)
        case .authentication(let attempt):
            object.add("event", "authentication")
            object.add("user", attempt.user)
            object.add("method", attempt.method)
            object.add("result", attempt.result)
            if let key = attempt.key { object.add("key", key) }
            if let principal = attempt.principal { object.add("principal", principal) }
            if let reason = attempt.reason { object.add("reason", reason) }
        case .loggedIn(let user):
            object.add("event", "login")
            object.add("user", user)
        case .sessionEnded(let user, let id):
            object.add("event", "session-end")
            object.add("user", user)
            object.add("id", id)
        case .sessionStarted(let user, let id, let kind, let command):
            object.add("event", "session")
            object.add("user", user)
            object.add("id", id)
            object.add("kind", kind)
            if let command { object.add("command", command) }
        case .forward(let user, let kind, let target, let isAllowed):
            object.add("event", "forward")
            object.add("user", user)
            object.add("kind", kind)
            object.add("target", target)
            object.add("result", isAllowed ? "allowed" : "refused")
        case .file(let user, let id, let event):
            object.add("event", "sftp")
            object.add("user", user)
            object.add("id", id)
            object.add("operation", event.operation)
            object.add("path", String(octets: event.path))
            if !event.target.isEmpty {
                object.add("target", String(octets: event.target))
            }
            if !event.detail.isEmpty { object.add("detail", event.detail) }
            if event.operation == "close" {
                object.add("bytes_read", Int(clamping: event.bytesRead))
                object.add("bytes_written", Int(clamping: event.bytesWritten))
            }
            object.add("result", event.failure.isEmpty ? "done" : event.failure)
        case .disconnected(let user, let seconds, let bytesIn, let bytesOut):
            object.add("event", "disconnect")
            if let user { object.add("user", user) }
            object.add("seconds", seconds)
            object.add("bytes_in", Int(clamping: bytesIn))
            object.add("bytes_out", Int(clamping: bytesOut))
        }
    }
}
