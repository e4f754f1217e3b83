// SPDX-License-Identifier: Apache-2.0

package import HawserWire

/// One request of a client to be let in, as a server sees it (RFC 4252 §5).
///
/// The connection has checked its form, and that user and service are those of the first request.
/// Whether it is true, only the program (the privileged monitor) can say.
package struct AuthenticationRequest: Equatable, Sendable {
    /// Who the client wants to be; bytes that are not UTF-8 replaced.
    package var user: String
    /// What is to follow: always `ssh-connection`, others are refused by the connection.
    package var service: String
    package var method: Method
    /// The number of this request, from 1.
    package var attempt: Int
    /// How many requests have failed before this one. A first `none`, accepted probes and partial
    /// successes are not failures.
    package var failures: Int

    package enum Method: Equatable, Sendable {
        /// `none` (§5.2): asks which methods there are.
        case none
        /// `publickey` or `publickey-hostbound-v00@openssh.com` (§7).
        case publicKey(PublicKeyAttempt)
        /// `password` (§8). With `new`, the user changes it.
        case password(SecretBytes, new: SecretBytes?)
        /// `keyboard-interactive` begins (RFC 4256 §3.1).
        case keyboardInteractive(language: String, submethods: [String])
        /// What the user answered to `requestInformation` (RFC 4256 §3.4).
        case keyboardInteractiveResponses([SecretBytes])
        /// `hostbased` (§9).
        case hostBased(HostBasedAttempt)
        /// A step of `gssapi-with-mic` (RFC 4462 §3).
        case gssapi(GSSAPIRequest)
        /// A method that we do not know; to be refused.
        case other(name: String)
    }
}

extension AuthenticationRequest.Method {
    /// The method name, as in lists and logs.
    package var name: String {
        switch self {
        case .none: "none"
        case .publicKey: "publickey"
        case .password: "password"
        case .keyboardInteractive, .keyboardInteractiveResponses: "keyboard-interactive"
        case .hostBased: "hostbased"
        case .gssapi: "gssapi-with-mic"
        case .other(let name): name
        }
    }
}

extension AuthenticationRequest.Method {
    /// Whether it is an `SSH_MSG_USERAUTH_REQUEST`, and not what follows one.
    package var isBeginning: Bool {
        switch self {
        case .keyboardInteractiveResponses, .gssapi(.token), .gssapi(.exchangeComplete),
            .gssapi(.messageIntegrityCode):
            false
        default: true
        }
    }
}

/// A key that a client offers or has signed with (RFC 4252 §7).
package struct PublicKeyAttempt: Equatable, Sendable {
    /// The signature algorithm that the client names, for example `rsa-sha2-512`.
    package var algorithm: String
    /// The public key or certificate.
    package var keyBlob: [UInt8]
    /// Absent in a probe, which asks whether a signature with this key would be of use.
    package var signature: [UInt8]?
    /// Exactly what `signature` must sign (`SignedRequest`); empty in a probe.
    package var signedData: [UInt8]
    /// The host key that the client has bound its signature to; it must be the one of the first key
    /// exchange, which the connection has checked.
    package var boundHostKey: [UInt8]?

    package init(
        algorithm: String,
        keyBlob: [UInt8],
        signature: [UInt8]?,
        signedData: [UInt8],
        boundHostKey: [UInt8]?
    ) {
        self.algorithm = algorithm
        self.keyBlob = keyBlob
        self.signature = signature
        self.signedData = signedData
        self.boundHostKey = boundHostKey
    }
}

/// A host that vouches for its user (RFC 4252 §9).
package struct HostBasedAttempt: Equatable, Sendable {
    package var algorithm: String
    /// The client host's key.
    package var keyBlob: [UInt8]
    /// The client host's name, with a trailing dot as sent.
    package var clientHostName: String
    /// The user's name on the client host.
    package var clientUser: String
    package var signature: [UInt8]
    /// Exactly what `signature` must sign.
    package var signedData: [UInt8]

    package init(
        algorithm: String,
        keyBlob: [UInt8],
        clientHostName: String,
        clientUser: String,
        signature: [UInt8],
        signedData: [UInt8]
    ) {
        self.algorithm = algorithm
        self.keyBlob = keyBlob
        self.clientHostName = clientHostName
        self.clientUser = clientUser
        self.signature = signature
        self.signedData = signedData
    }
}

/// What a server asks its user in `keyboard-interactive` (RFC 4256 §3.2).
package struct InformationRequest: Equatable, Sendable {
    package var name: String
    package var instruction: String
    package var language: String
    package var prompts: [Prompt]

    package struct Prompt: Equatable, Sendable {
        package var text: String
        /// Whether the answer is shown as it is typed.
        package var echo: Bool

        package init(text: String, echo: Bool) {
            self.text = text
            self.echo = echo
        }
    }

    package init(
        name: String = "",
        instruction: String = "",
        language: String = "",
        prompts: [Prompt]
    ) {
        self.name = name
        self.instruction = instruction
        self.language = language
        self.prompts = prompts
    }
}

/// What a key is to sign, for a program that holds the key or knows the agent.
package struct SigningRequest: Equatable, Sendable {
    /// The public key or certificate.
    package var keyBlob: [UInt8]
    /// The signature algorithm, for example `rsa-sha2-512`.
    package var algorithm: String
    /// Exactly what is signed (`SignedRequest`).
    package var data: [UInt8]

    package init(keyBlob: [UInt8], algorithm: String, data: [UInt8]) {
        self.keyBlob = keyBlob
        self.algorithm = algorithm
        self.data = data
    }

    /// What a server's host key is to sign in a key exchange.
    package init(_ exchange: ExchangeSigningRequest) {
        self.init(
            keyBlob: exchange.hostKeyBlob,
            algorithm: exchange.algorithm,
            data: exchange.exchangeHash
        )
    }
}
