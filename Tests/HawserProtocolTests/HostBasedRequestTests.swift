// SPDX-License-Identifier: Apache-2.0

import HawserKeys
import HawserWire
import Testing

@testable import HawserProtocol

/// RFC 4252 §9.
@Suite("What a host's key signs for a user")
struct HostBasedRequestTests {
    private let key = try? PublicKey(.ed25519([UInt8](repeating: 7, count: 32)))

    private func signed(
        algorithm: String = "ssh-ed25519",
        identifierBytes: Int = 32,
        blob: [UInt8]? = nil
    ) throws -> [UInt8] {
        SignedRequest.hostBased(
            sessionIdentifier: [UInt8](repeating: 1, count: identifierBytes),
            user: Array("ahab".utf8),
            service: ServiceMessage.connection,
            algorithm: algorithm,
            keyBlob: try blob ?? #require(key).blob,
            clientHostName: "pequod.example.",
            clientUser: "ishmael"
        )
    }

    @Test("What ssh wants signed is read again")
    func reading() throws {
        let request = try HostBasedRequest(signed())
        #expect(request.user == Array("ahab".utf8))
        #expect(request.clientHostName == "pequod.example.")
        #expect(request.clientUser == "ishmael")
        #expect(request.key == key)
        #expect(request.algorithm.name == "ssh-ed25519")
    }

    @Test("Nothing that is cut, longer, or of another method or key is read")
    func refusals() throws {
        let whole = try signed()
        for count in whole.indices {
            #expect(throws: KeyError.self) { try HostBasedRequest(Array(whole[..<count])) }
        }
        #expect(throws: KeyError.self) { try HostBasedRequest(whole + [0]) }
        #expect(throws: KeyError.self) { try HostBasedRequest(signed(identifierBytes: 16)) }
        #expect(throws: KeyError.self) { try HostBasedRequest(signed(algorithm: "rsa-sha2-512")) }
        #expect(throws: KeyError.self) { try HostBasedRequest(signed(algorithm: "none")) }
        #expect(throws: KeyError.self) { try HostBasedRequest(signed(blob: [1, 2, 3])) }
        let login = SignedRequest.publicKey(
            sessionIdentifier: [UInt8](repeating: 1, count: 32),
            user: Array("ahab".utf8),
            service: ServiceMessage.connection,
            algorithm: "ssh-ed25519",
            keyBlob: try #require(key).blob,
            boundHostKey: nil
        )
        #expect(throws: KeyError.self) { try HostBasedRequest(login) }
    }

    @Test("Requests to ssh-keysign and its replies are framed with their version")
    func messages() throws {
        let request = KeysignMessage.request(descriptor: 3, data: [9, 9])
        #expect(request == [0, 0, 0, 11, 2, 0, 0, 0, 3, 0, 0, 0, 2, 9, 9])
        let read = try #require(KeysignMessage.readRequest(Array(request[4...])))
        #expect(read.descriptor == 3)
        #expect(read.data == [9, 9])
        #expect(KeysignMessage.readRequest([1] + request[5...]) == nil)
        let reply = KeysignMessage.reply(signature: [5])
        #expect(reply == [0, 0, 0, 6, 2, 0, 0, 0, 1, 5])
        #expect(KeysignMessage.readReply(Array(reply[4...])) == [5])
        #expect(KeysignMessage.readReply(Array(reply[4...]) + [0]) == nil)
    }
}
