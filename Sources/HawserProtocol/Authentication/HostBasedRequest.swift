// SPDX-License-Identifier: Apache-2.0

package import HawserKeys
internal import HawserWire

/// What a host's key signs for `hostbased` (RFC 4252 §9), read again by the program that holds the
/// key: it signs nothing else.
package struct HostBasedRequest: Equatable, Sendable {
    package let sessionIdentifier: [UInt8]
    /// The name to log in with, as sent.
    package let user: [UInt8]
    package let algorithm: PublicKeyAlgorithm
    package let key: PublicKey
    /// The client's host as sent, with a dot at its end.
    package let clientHostName: String
    package let clientUser: String

    /// From exactly the bytes that `SignedRequest.hostBased` writes. Throws for anything else: bytes
    /// behind them, another method or service, a key that does not fit its algorithm.
    package init(_ data: [UInt8]) throws(KeyError) {
        do throws(WireError) {
            var reader = WireReader(data.rawBytes)
            sessionIdentifier = try reader.readBytes()
            let number = try reader.readByte()
            user = try reader.readBytes()
            let service = try reader.readText()
            let method = try reader.readText()
            let name = try reader.readText()
            let blob = try reader.readBytes()
            clientHostName = try reader.readText()
            clientUser = try reader.readText()
            try reader.expectEnd()
            // An exchange hash: SHA-1 to SHA-512.
            guard [20, 32, 48, 64].contains(sessionIdentifier.count),
                number == MessageNumber.userauthRequest.rawValue,
                service == ServiceMessage.connection, method == MethodName.hostBased,
                let algorithm = PublicKeyAlgorithm(name: name),
                let key = try? PublicKey(blob: blob), key.type == algorithm.keyType
            else { throw .badText }
            self.algorithm = algorithm
            self.key = key
        } catch {
            throw .invalidFormat("not a hostbased request")
        }
    }
}

/// The messages between ssh and ssh-keysign: a length, a version, and what follows.
package enum KeysignMessage {
    package static let version: UInt8 = 2
    /// Longer than any request or signature.
    package static let maximumBytes = 256 << 10

    /// The request: the number of the connection's descriptor, and what is to be signed.
    package static func request(descriptor: Int32, data: [UInt8]) -> [UInt8] {
        var writer = WireWriter(reserving: data.count + 16)
        writer.writeString { content in
            content.write(byte: version)
            content.write(uint32: UInt32(bitPattern: descriptor))
            content.write(string: data)
        }
        return writer.take()
    }

    package static func reply(signature: [UInt8]) -> [UInt8] {
        var writer = WireWriter(reserving: signature.count + 16)
        writer.writeString { content in
            content.write(byte: version)
            content.write(string: signature)
        }
        return writer.take()
    }

    /// From a request without its length; nil for what is none.
    package static func readRequest(_ bytes: [UInt8]) -> (descriptor: Int32, data: [UInt8])? {
        var reader = WireReader(bytes.rawBytes)
        guard (try? reader.readByte()) == version, let descriptor = try? reader.readUInt32(),
            let data = try? reader.readBytes(), reader.isAtEnd
        else { return nil }
        return (Int32(bitPattern: descriptor), data)
    }

    /// From a reply without its length; nil for what is none.
    package static func readReply(_ bytes: [UInt8]) -> [UInt8]? {
        var reader = WireReader(bytes.rawBytes)
        guard (try? reader.readByte()) == version, let signature = try? reader.readBytes(),
            reader.isAtEnd
        else { return nil }
        return signature
    }
}
