// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// `SSH_MSG_CHANNEL_OPEN`, RFC 4254 §5.1.
struct ChannelOpen: Equatable {
    var opening: ChannelOpening
    var senderChannel: UInt32
    var initialWindowBytes: UInt32
    var maximumPacketBytes: UInt32

    init(
        opening: ChannelOpening,
        senderChannel: UInt32,
        initialWindowBytes: UInt32,
        maximumPacketBytes: UInt32
    ) {
        self.opening = opening
        self.senderChannel = senderChannel
        self.initialWindowBytes = initialWindowBytes
        self.maximumPacketBytes = maximumPacketBytes
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        let type = try reader.readText()
        senderChannel = try reader.readUInt32()
        initialWindowBytes = try reader.readUInt32()
        maximumPacketBytes = try reader.readUInt32()
        opening = try ChannelOpening(type: type, from: &reader)
    }

    var payload: [UInt8] {
        var writer = WireWriter()
        writer.write(byte: MessageNumber.channelOpen.rawValue)
        writer.write(text: opening.typeName)
        writer.write(uint32: senderChannel)
        writer.write(uint32: initialWindowBytes)
        writer.write(uint32: maximumPacketBytes)
        opening.write(into: &writer)
        return writer.take()
    }
}

/// `SSH_MSG_CHANNEL_OPEN_CONFIRMATION`, RFC 4254 §5.1.
struct ChannelOpenConfirmation: Equatable {
    var recipientChannel: UInt32
    var senderChannel: UInt32
    var initialWindowBytes: UInt32
    var maximumPacketBytes: UInt32

    init(
        recipientChannel: UInt32,
        senderChannel: UInt32,
        initialWindowBytes: UInt32,
        maximumPacketBytes: UInt32
    ) {
        self.recipientChannel = recipientChannel
        self.senderChannel = senderChannel
        self.initialWindowBytes = initialWindowBytes
        self.maximumPacketBytes = maximumPacketBytes
    }

    /// What follows belongs to the channel type; no type that we know has any.
    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        recipientChannel = try reader.readUInt32()
        senderChannel = try reader.readUInt32()
        initialWindowBytes = try reader.readUInt32()
        maximumPacketBytes = try reader.readUInt32()
    }

    var payload: [UInt8] {
        var writer = WireWriter(reserving: 17)
        writer.write(byte: MessageNumber.channelOpenConfirmation.rawValue)
        writer.write(uint32: recipientChannel)
        writer.write(uint32: senderChannel)
        writer.write(uint32: initialWindowBytes)
        writer.write(uint32: maximumPacketBytes)
        return writer.take()
    }
}

/// `SSH_MSG_CHANNEL_OPEN_FAILURE`, RFC 4254 §5.1.
struct ChannelOpenFailure: Equatable {
    var recipientChannel: UInt32
    var reason: ChannelOpenFailureReason
    var message: String

    init(recipientChannel: UInt32, reason: ChannelOpenFailureReason, message: String) {
        self.recipientChannel = recipientChannel
        self.reason = reason
        self.message = message
    }

    /// Description and language tag may be missing: some old servers leave them out.
    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        recipientChannel = try reader.readUInt32()
        reason = ChannelOpenFailureReason(rawValue: try reader.readUInt32())
        message = reader.isAtEnd ? "" : try reader.readText()
        if !reader.isAtEnd { _ = try reader.readString() }
        try reader.expectEnd()
    }

    var payload: [UInt8] {
        var writer = WireWriter(reserving: 17 + message.utf8.count)
        writer.write(byte: MessageNumber.channelOpenFailure.rawValue)
        writer.write(uint32: recipientChannel)
        writer.write(uint32: reason.rawValue)
        writer.write(text: message)
        writer.write(text: "")
        return writer.take()
    }
}

/// `SSH_MSG_CHANNEL_WINDOW_ADJUST`, RFC 4254 §5.2.
struct ChannelWindowAdjust: Equatable {
    var recipientChannel: UInt32
    var bytesToAdd: UInt32

    init(recipientChannel: UInt32, bytesToAdd: UInt32) {
        self.recipientChannel = recipientChannel
        self.bytesToAdd = bytesToAdd
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        recipientChannel = try reader.readUInt32()
        bytesToAdd = try reader.readUInt32()
        try reader.expectEnd()
    }
}

/// `SSH_MSG_CHANNEL_REQUEST`, RFC 4254 §5.4.
struct ChannelRequestMessage: Equatable {
    var recipientChannel: UInt32
    var wantReply: Bool
    var request: ChannelRequest

    init(recipientChannel: UInt32, wantReply: Bool, request: ChannelRequest) {
        self.recipientChannel = recipientChannel
        self.wantReply = wantReply
        self.request = request
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        recipientChannel = try reader.readUInt32()
        let type = try reader.readText()
        wantReply = try reader.readBoolean()
        request = try ChannelRequest(type: type, from: &reader)
    }

    var payload: [UInt8] {
        var writer = WireWriter()
        writer.write(byte: MessageNumber.channelRequest.rawValue)
        writer.write(uint32: recipientChannel)
        writer.write(text: request.typeName)
        writer.write(boolean: wantReply)
        request.write(into: &writer)
        return writer.take()
    }
}

/// `SSH_MSG_GLOBAL_REQUEST`, RFC 4254 §4.
struct GlobalRequestMessage: Equatable {
    var wantReply: Bool
    var request: GlobalRequest

    init(wantReply: Bool, request: GlobalRequest) {
        self.wantReply = wantReply
        self.request = request
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        let name = try reader.readText()
        wantReply = try reader.readBoolean()
        request = try GlobalRequest(name: name, from: &reader)
    }

    var payload: [UInt8] {
        var writer = WireWriter()
        writer.write(byte: MessageNumber.globalRequest.rawValue)
        writer.write(text: request.name)
        writer.write(boolean: wantReply)
        request.write(into: &writer)
        return writer.take()
    }
}
