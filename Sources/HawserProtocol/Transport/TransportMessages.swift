// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
internal import HawserWire

/// What the peer's extensions say (RFC 8308; PROTOCOL of OpenSSH).
package struct PeerExtensions: Equatable, Sendable {
    /// `server-sig-algs`: what the server takes for public key authentication; nil when not said.
    package var signatureAlgorithms: [String]?
    /// `publickey-hostbound@openssh.com`.
    package var supportsHostBound = false
    /// `ping@openssh.com`.
    package var supportsPing = false
    /// `early-session@hawser`: how many bytes of data the server takes before it has let the user
    /// in; nil when it takes no early messages.
    package var earlySessionBytes: Int?
    /// `ext-info-in-auth@openssh.com`.
    package var wantsExtensionsInAuthentication = false
}

/// The messages 1 to 7, 192 and 193.
extension Transport {
    /// `SSH_MSG_DISCONNECT`, RFC 4253 §11.1.
    func readDisconnect() -> ProtocolError {
        var reader = WireReader(payload.extracting(droppingFirst: 1))
        let reason = (try? reader.readUInt32()) ?? 0
        let text = (try? String(octets: reader.readString())) ?? ""
        return ProtocolError(.disconnected(reason: reason), text)
    }

    /// `SSH_MSG_UNIMPLEMENTED`, RFC 4253 §11.4.
    func readUnimplemented() -> TransportEvent? {
        var reader = WireReader(payload.extracting(droppingFirst: 1))
        guard let number = try? reader.readUInt32() else { return nil }
        return .unimplemented(sequenceNumber: number)
    }

    mutating func sendUnimplemented() {
        var message = WireWriter()
        message.write(uint32: reader.currentSequenceNumber)
        sendOwn(.unimplemented, message.bytes)
    }

    /// `SSH_MSG_DEBUG`, RFC 4253 §11.3, which is shown only where someone asked for it.
    mutating func sendDebug(_ text: String) {
        var message = WireWriter()
        message.write(boolean: false)
        message.write(text: text)
        message.write(text: "")
        sendOwn(.debug, message.bytes)
    }

    /// `SSH_MSG_DEBUG`, RFC 4253 §11.3.
    func readDebug() -> TransportEvent? {
        var reader = WireReader(payload.extracting(droppingFirst: 1))
        guard let display = try? reader.readBoolean(),
            let text = try? String(octets: reader.readString())
        else { return nil }
        return .debugMessage(text, alwaysDisplay: display)
    }

    /// `PING`: answered with the same data, within bounds (PROTOCOL of OpenSSH, §1.9).
    mutating func receivePing() {
        var reader = WireReader(payload.extracting(droppingFirst: 1))
        guard let data = try? reader.readBytes(limit: Limits.pingBytes) else { return }
        guard isFirstExchangeDone, output.count < Limits.heldBytes else { return }
        // No message of the transport: it waits while keys are exchanged.
        beginMessage(.pong, byteCount: 5 + data.count)
        write(uint32: UInt32(data.count))
        write(data.rawBytes)
        endMessage()
    }

    // MARK: SSH_MSG_EXT_INFO, RFC 8308 §2.3

    mutating func receiveExtensions() throws(ProtocolError) -> TransportEvent? {
        var extensions: [(name: String, value: [UInt8])] = []
        do throws(WireError) {
            var reader = WireReader(payload.extracting(droppingFirst: 1))
            let count = try reader.readUInt32()
            guard count <= Limits.extensions else { throw .tooLong }
            for _ in 0..<count {
                extensions.append(
                    (try reader.readText(limit: 1024), try reader.readBytes())
                )
            }
        } catch {
            throw .malformed(.extensionInfo, error)
        }
        for (name, value) in extensions { note(extension: name, value) }
        return .extensionsReceived
    }

    private mutating func note(extension name: String, _ value: [UInt8]) {
        let text = String(octets: value)
        switch name {
        case "server-sig-algs" where options.isClient:
            log.debug("kex_ext_info_client_parse: server-sig-algs=<\(text)>")
            peerExtensions.signatureAlgorithms = text.split(separator: ",").map(String.init)
        case "publickey-hostbound@openssh.com" where text == "0":
            log.debug("kex_ext_info_check_ver: publickey-hostbound@openssh.com=<0>")
            peerExtensions.supportsHostBound = true
        case "ping@openssh.com" where text == "0":
            log.debug("kex_ext_info_check_ver: ping@openssh.com=<0>")
            peerExtensions.supportsPing = true
        case "early-session@hawser" where options.isClient:
            guard let bytes = UInt32(text) else { return }
            log.debug2("kex_ext_info_check_ver: early-session@hawser=<\(bytes)>")
            peerExtensions.earlySessionBytes = Int(bytes)
        case "ext-info-in-auth@openssh.com" where text == "0":
            peerExtensions.wantsExtensionsInAuthentication = true
        default:
            log.debug2("extension \(name) ignored")
        }
    }

    /// Ours, after the first NEWKEYS, when the peer asked for it.
    mutating func sendExtensions() {
        guard peerWantsExtensions else { return }
        guard !options.isClient else { return send([("ext-info-in-auth@openssh.com", "0")]) }
        var extensions = [
            ("server-sig-algs", options.signatureAlgorithms.joined(separator: ",")),
            ("publickey-hostbound@openssh.com", "0"),
            ("ping@openssh.com", "0"),
        ]
        if options.earlySessionBytes > 0 {
            extensions.append(("early-session@hawser", String(options.earlySessionBytes)))
        }
        send(extensions)
    }

    /// A server's list for the user who has asked to be let in, when it differs from the one said at
    /// first. False when the client has not said that it takes it then
    /// (`ext-info-in-auth@openssh.com`) or the user is in already.
    @discardableResult
    package mutating func sendSignatureAlgorithms(_ names: [String]) -> Bool {
        guard !options.isClient, isFirstExchangeDone, !isAuthenticated,
            peerExtensions.wantsExtensionsInAuthentication
        else { return false }
        send([("server-sig-algs", names.joined(separator: ","))])
        return true
    }

    private mutating func send(_ extensions: [(name: String, value: String)]) {
        var message = WireWriter(reserving: 512)
        message.write(uint32: UInt32(extensions.count))
        for (name, value) in extensions {
            message.write(text: name)
            message.write(text: value)
        }
        log.debug("Sending SSH2_MSG_EXT_INFO")
        sendOwn(.extensionInfo, message.bytes)
    }
}
