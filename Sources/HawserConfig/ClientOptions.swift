// SPDX-License-Identifier: Apache-2.0

/// What ssh(1) was told, by the command line and then by the files: the first value of a keyword
/// counts. Nil means that nobody said.
package struct ClientOptions: Sendable {
    package enum AddressFamily: String, Sendable { case any, inet, inet6 }
    package enum StrictHostKeyChecking: String, Sendable {
        case yes, no, ask
        case acceptNew = "accept-new"
    }
    package enum ControlMaster: String, Sendable {
        case no = "false"
        case yes = "true"
        case ask, auto, autoask
    }
    package enum RequestTTY: String, Sendable {
        case auto, no = "false", yes = "true", force
    }
    package enum SessionType: String, Sendable { case `default`, none, subsystem }
    /// `no`, `yes`, or a question first.
    package enum Ask: String, Sendable {
        case no = "false"
        case yes = "true"
        case ask
    }
    package enum PubkeyAuthentication: String, Sendable {
        case no = "false"
        case yes = "true"
        case unbound
        case hostBound = "host-bound"
    }
    /// What becomes of a key that was loaded from a file.
    package struct AddKeysToAgent: Equatable, Sendable {
        package enum Mode: String, Sendable {
            case no = "false"
            case yes = "true"
            case ask, confirm
        }

        package var mode: Mode
        /// How long the agent keeps it; nil for as long as it lives.
        package var seconds: Int?

        package init(_ mode: Mode, seconds: Int? = nil) {
            self.mode = mode
            self.seconds = seconds
        }
    }
    /// Keystrokes on a clock, in milliseconds; 0 for none of it.
    package struct KeystrokeInterval: Equatable, Sendable {
        package var milliseconds: Int

        package init(milliseconds: Int) {
            self.milliseconds = milliseconds
        }
    }
    /// How long a master without sessions stays.
    package enum ControlPersist: Equatable, Sendable {
        case no
        case forever
        case seconds(Int)
    }

    package init() {}

    // Where to.
    package var hostName: String?
    package var port: UInt16?
    package var user: String?
    package var addressFamily: AddressFamily?
    package var bindAddress: String?
    package var bindInterface: String?
    package var proxyCommand: String?
    package var proxyJump: String?
    package var proxyUseFdpass: Bool?
    package var hostKeyAlias: String?
    /// Seconds.
    package var connectTimeout: Int?
    package var connectionAttempts: Int?
    package var tcpKeepAlive: Bool?
    package var serverAliveInterval: Int?
    package var serverAliveCountMax: Int?

    // Algorithms, as written; `Syntax.algorithms` resolves them.
    package var ciphers: String?
    package var macs: String?
    package var kexAlgorithms: String?
    package var hostKeyAlgorithms: String?
    package var pubkeyAcceptedAlgorithms: String?
    package var hostbasedAcceptedAlgorithms: String?
    package var caSignatureAlgorithms: String?
    package var compression: Bool?
    /// Bytes and seconds, zero for the default.
    package var rekeyLimit: (bytes: UInt64, seconds: Int)?
    package var requiredRSASize: Int?

    // Host keys.
    package var strictHostKeyChecking: StrictHostKeyChecking?
    package var userKnownHostsFile: [String]?
    package var globalKnownHostsFile: [String]?
    package var hashKnownHosts: Bool?
    package var visualHostKey: Bool?
    package var fingerprintHash: String?
    package var checkHostIP: Bool?
    package var noHostAuthenticationForLocalhost: Bool?
    package var knownHostsCommand: String?
    package var revokedHostKeys: [String]?
    package var updateHostKeys: Ask?
    package var verifyHostKeyDNS: Ask?

    // Authentication.
    package var identityFiles: [String] = []
    package var certificateFiles: [String] = []
    package var identitiesOnly: Bool?
    package var identityAgent: String?
    package var batchMode: Bool?
    package var pubkeyAuthentication: PubkeyAuthentication?
    package var hostbasedAuthentication: Bool?
    package var enableSSHKeysign: Bool?
    package var kbdInteractiveDevices: String?
    package var addKeysToAgent: AddKeysToAgent?
    package var pkcs11Provider: String?
    package var securityKeyProvider: String?
    package var passwordAuthentication: Bool?
    package var kbdInteractiveAuthentication: Bool?
    package var preferredAuthentications: String?
    package var numberOfPasswordPrompts: Int?

    // The session.
    package var requestTTY: RequestTTY?
    package var sessionType: SessionType?
    package var stdinNull: Bool?
    package var forkAfterAuthentication: Bool?
    package var escapeChar: String?
    package var remoteCommand: String?
    package var sendEnv: [String] = []
    package var setEnv: [String]?
    package var logLevel: String?
    package var localCommand: String?
    package var permitLocalCommand: Bool?
    package var obscureKeystrokeTiming: KeystrokeInterval?

    // Multiplexing.
    package var controlMaster: ControlMaster?
    package var controlPath: String?
    package var controlPersist: ControlPersist?

    /// Keywords that are read and have no effect yet, with their arguments.
    package var withoutEffect: [(keyword: String, arguments: [String])] = []
}
