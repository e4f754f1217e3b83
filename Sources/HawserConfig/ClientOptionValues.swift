// SPDX-License-Identifier: Apache-2.0

/// The values of the keywords by type. Nil means that nobody said.
extension ClientOptions {
    // MARK: yes or no

    package var batchMode: Bool? {
        get { flag(.batchMode) }
        set { set(.batchMode, newValue) }
    }

    package var canonicalizeFallbackLocal: Bool? {
        get { flag(.canonicalizeFallbackLocal) }
        set { set(.canonicalizeFallbackLocal, newValue) }
    }

    package var checkHostIP: Bool? {
        get { flag(.checkHostIP) }
        set { set(.checkHostIP, newValue) }
    }

    package var compression: Bool? {
        get { flag(.compression) }
        set { set(.compression, newValue) }
    }

    package var enableSSHKeysign: Bool? {
        get { flag(.enableSSHKeysign) }
        set { set(.enableSSHKeysign, newValue) }
    }

    package var clearAllForwardings: Bool? {
        get { flag(.clearAllForwardings) }
        set { set(.clearAllForwardings, newValue) }
    }

    package var exitOnForwardFailure: Bool? {
        get { flag(.exitOnForwardFailure) }
        set { set(.exitOnForwardFailure, newValue) }
    }

    package var forwardX11: Bool? {
        get { flag(.forwardX11) }
        set { set(.forwardX11, newValue) }
    }

    package var forwardX11Trusted: Bool? {
        get { flag(.forwardX11Trusted) }
        set { set(.forwardX11Trusted, newValue) }
    }

    package var gatewayPorts: Bool? {
        get { flag(.gatewayPorts) }
        set { set(.gatewayPorts, newValue) }
    }

    package var gssapiAuthentication: Bool? {
        get { flag(.gssapiAuthentication) }
        set { set(.gssapiAuthentication, newValue) }
    }

    package var gssapiDelegateCredentials: Bool? {
        get { flag(.gssapiDelegateCredentials) }
        set { set(.gssapiDelegateCredentials, newValue) }
    }

    package var hashKnownHosts: Bool? {
        get { flag(.hashKnownHosts) }
        set { set(.hashKnownHosts, newValue) }
    }

    package var hostbasedAuthentication: Bool? {
        get { flag(.hostbasedAuthentication) }
        set { set(.hostbasedAuthentication, newValue) }
    }

    package var identitiesOnly: Bool? {
        get { flag(.identitiesOnly) }
        set { set(.identitiesOnly, newValue) }
    }

    package var kbdInteractiveAuthentication: Bool? {
        get { flag(.kbdInteractiveAuthentication) }
        set { set(.kbdInteractiveAuthentication, newValue) }
    }

    package var noHostAuthenticationForLocalhost: Bool? {
        get { flag(.noHostAuthenticationForLocalhost) }
        set { set(.noHostAuthenticationForLocalhost, newValue) }
    }

    package var passwordAuthentication: Bool? {
        get { flag(.passwordAuthentication) }
        set { set(.passwordAuthentication, newValue) }
    }

    package var permitLocalCommand: Bool? {
        get { flag(.permitLocalCommand) }
        set { set(.permitLocalCommand, newValue) }
    }

    package var proxyUseFdpass: Bool? {
        get { flag(.proxyUseFdpass) }
        set { set(.proxyUseFdpass, newValue) }
    }

    package var stdinNull: Bool? {
        get { flag(.stdinNull) }
        set { set(.stdinNull, newValue) }
    }

    package var forkAfterAuthentication: Bool? {
        get { flag(.forkAfterAuthentication) }
        set { set(.forkAfterAuthentication, newValue) }
    }

    package var streamLocalBindUnlink: Bool? {
        get { flag(.streamLocalBindUnlink) }
        set { set(.streamLocalBindUnlink, newValue) }
    }

    package var tcpKeepAlive: Bool? {
        get { flag(.tcpKeepAlive) }
        set { set(.tcpKeepAlive, newValue) }
    }

    package var visualHostKey: Bool? {
        get { flag(.visualHostKey) }
        set { set(.visualHostKey, newValue) }
    }

    package var enableEscapeCommandline: Bool? {
        get { flag(.enableEscapeCommandline) }
        set { set(.enableEscapeCommandline, newValue) }
    }

    // MARK: Numbers

    package var canonicalizeMaxDots: Int? {
        get { number(.canonicalizeMaxDots) }
        set { set(.canonicalizeMaxDots, newValue) }
    }

    package var connectionAttempts: Int? {
        get { number(.connectionAttempts) }
        set { set(.connectionAttempts, newValue) }
    }

    /// Seconds.
    package var forwardX11Timeout: Int? {
        get { number(.forwardX11Timeout) }
        set { set(.forwardX11Timeout, newValue) }
    }

    package var numberOfPasswordPrompts: Int? {
        get { number(.numberOfPasswordPrompts) }
        set { set(.numberOfPasswordPrompts, newValue) }
    }

    package var serverAliveCountMax: Int? {
        get { number(.serverAliveCountMax) }
        set { set(.serverAliveCountMax, newValue) }
    }

    /// Seconds.
    package var serverAliveInterval: Int? {
        get { number(.serverAliveInterval) }
        set { set(.serverAliveInterval, newValue) }
    }

    package var requiredRSASize: Int? {
        get { number(.requiredRSASize) }
        set { set(.requiredRSASize, newValue) }
    }

    // MARK: Texts

    package var user: String? {
        get { text(.user) }
        set { set(.user, newValue) }
    }

    package var hostName: String? {
        get { text(.hostName) }
        set { set(.hostName, newValue) }
    }

    package var bindAddress: String? {
        get { text(.bindAddress) }
        set { set(.bindAddress, newValue) }
    }

    package var bindInterface: String? {
        get { text(.bindInterface) }
        set { set(.bindInterface, newValue) }
    }

    package var ciphers: String? {
        get { text(.ciphers) }
        set { set(.ciphers, newValue) }
    }

    package var controlPath: String? {
        get { text(.controlPath) }
        set { set(.controlPath, newValue) }
    }

    package var hostKeyAlgorithms: String? {
        get { text(.hostKeyAlgorithms) }
        set { set(.hostKeyAlgorithms, newValue) }
    }

    package var hostKeyAlias: String? {
        get { text(.hostKeyAlias) }
        set { set(.hostKeyAlias, newValue) }
    }

    package var hostbasedAcceptedAlgorithms: String? {
        get { text(.hostbasedAcceptedAlgorithms) }
        set { set(.hostbasedAcceptedAlgorithms, newValue) }
    }

    package var identityAgent: String? {
        get { text(.identityAgent) }
        set { set(.identityAgent, newValue) }
    }

    package var ignoreUnknown: String? {
        get { text(.ignoreUnknown) }
        set { set(.ignoreUnknown, newValue) }
    }

    package var kbdInteractiveDevices: String? {
        get { text(.kbdInteractiveDevices) }
        set { set(.kbdInteractiveDevices, newValue) }
    }

    package var kexAlgorithms: String? {
        get { text(.kexAlgorithms) }
        set { set(.kexAlgorithms, newValue) }
    }

    package var caSignatureAlgorithms: String? {
        get { text(.caSignatureAlgorithms) }
        set { set(.caSignatureAlgorithms, newValue) }
    }

    package var localCommand: String? {
        get { text(.localCommand) }
        set { set(.localCommand, newValue) }
    }

    package var remoteCommand: String? {
        get { text(.remoteCommand) }
        set { set(.remoteCommand, newValue) }
    }

    package var logLevel: String? {
        get { text(.logLevel) }
        set { set(.logLevel, newValue) }
    }

    package var macs: String? {
        get { text(.macs) }
        set { set(.macs, newValue) }
    }

    package var pkcs11Provider: String? {
        get { text(.pkcs11Provider) }
        set { set(.pkcs11Provider, newValue) }
    }

    package var securityKeyProvider: String? {
        get { text(.securityKeyProvider) }
        set { set(.securityKeyProvider, newValue) }
    }

    package var preferredAuthentications: String? {
        get { text(.preferredAuthentications) }
        set { set(.preferredAuthentications, newValue) }
    }

    package var pubkeyAcceptedAlgorithms: String? {
        get { text(.pubkeyAcceptedAlgorithms) }
        set { set(.pubkeyAcceptedAlgorithms, newValue) }
    }

    package var xauthLocation: String? {
        get { text(.xauthLocation) }
        set { set(.xauthLocation, newValue) }
    }

    package var knownHostsCommand: String? {
        get { text(.knownHostsCommand) }
        set { set(.knownHostsCommand, newValue) }
    }

    package var tag: String? {
        get { text(.tag) }
        set { set(.tag, newValue) }
    }

    package var versionAddendum: String? {
        get { text(.versionAddendum) }
        set { set(.versionAddendum, newValue) }
    }

    package var forwardAgent: String? {
        get { text(.forwardAgent) }
        set { set(.forwardAgent, newValue) }
    }

    package var fingerprintHash: String? {
        get { text(.fingerprintHash) }
        set { set(.fingerprintHash, newValue) }
    }

    package var syslogFacility: String? {
        get { text(.syslogFacility) }
        set { set(.syslogFacility, newValue) }
    }

    package var proxyCommand: String? {
        get { text(.proxyCommand) }
        set { set(.proxyCommand, newValue) }
    }

    package var proxyJump: String? {
        get { text(.proxyJump) }
        set { set(.proxyJump, newValue) }
    }

    package var tunnelDevice: String? {
        get { text(.tunnelDevice) }
        set { set(.tunnelDevice, newValue) }
    }

    package var ipQoS: String? {
        get { text(.ipQoS) }
        set { set(.ipQoS, newValue) }
    }

    package var refuseConnection: String? {
        get { text(.refuseConnection) }
        set { set(.refuseConnection, newValue) }
    }

    // MARK: Lists

    package var canonicalDomains: [String]? {
        get { list(.canonicalDomains) }
        set { set(.canonicalDomains, newValue) }
    }

    package var canonicalizePermittedCNAMEs: [String]? {
        get { list(.canonicalizePermittedCNAMEs) }
        set { set(.canonicalizePermittedCNAMEs, newValue) }
    }

    package var globalKnownHostsFile: [String]? {
        get { list(.globalKnownHostsFile) }
        set { set(.globalKnownHostsFile, newValue) }
    }

    package var userKnownHostsFile: [String]? {
        get { list(.userKnownHostsFile) }
        set { set(.userKnownHostsFile, newValue) }
    }

    package var revokedHostKeys: [String]? {
        get { list(.revokedHostKeys) }
        set { set(.revokedHostKeys, newValue) }
    }

    package var setEnv: [String]? {
        get { list(.setEnv) }
        set { set(.setEnv, newValue) }
    }

    package var logVerbose: [String]? {
        get { list(.logVerbose) }
        set { set(.logVerbose, newValue) }
    }

    package var channelTimeout: [String]? {
        get { list(.channelTimeout) }
        set { set(.channelTimeout, newValue) }
    }

    package var permitRemoteOpen: [String]? {
        get { list(.permitRemoteOpen) }
        set { set(.permitRemoteOpen, newValue) }
    }

    package var identityFiles: [String] {
        get { lines(.identityFile) }
        set { set(.identityFile, newValue) }
    }

    package var certificateFiles: [String] {
        get { lines(.certificateFile) }
        set { set(.certificateFile, newValue) }
    }

    package var sendEnv: [String] {
        get { lines(.sendEnv) }
        set { set(.sendEnv, newValue) }
    }

    // MARK: One of several words

    package var addressFamily: AddressFamily? {
        get { word(.addressFamily) }
        set { set(.addressFamily, newValue) }
    }

    package var strictHostKeyChecking: StrictHostKeyChecking? {
        get { word(.strictHostKeyChecking) }
        set { set(.strictHostKeyChecking, newValue) }
    }

    package var controlMaster: ControlMaster? {
        get { word(.controlMaster) }
        set { set(.controlMaster, newValue) }
    }

    package var controlOverflow: ControlOverflow? {
        get { word(.controlOverflow) }
        set { set(.controlOverflow, newValue) }
    }

    package var controlReuse: ControlReuse? {
        get { word(.controlReuse) }
        set { set(.controlReuse, newValue) }
    }

    package var guessKeyExchange: Bool? {
        get { flag(.guessKeyExchange) }
        set { set(.guessKeyExchange, newValue) }
    }

    package var requestTTY: RequestTTY? {
        get { word(.requestTTY) }
        set { set(.requestTTY, newValue) }
    }

    package var sessionType: SessionType? {
        get { word(.sessionType) }
        set { set(.sessionType, newValue) }
    }

    package var pubkeyAuthentication: PubkeyAuthentication? {
        get { word(.pubkeyAuthentication) }
        set { set(.pubkeyAuthentication, newValue) }
    }

    package var verifyHostKeyDNS: Ask? {
        get { word(.verifyHostKeyDNS) }
        set { set(.verifyHostKeyDNS, newValue) }
    }

    package var updateHostKeys: Ask? {
        get { word(.updateHostKeys) }
        set { set(.updateHostKeys, newValue) }
    }

    package var canonicalizeHostname: CanonicalizeHostname? {
        get { word(.canonicalizeHostname) }
        set { set(.canonicalizeHostname, newValue) }
    }

    package var tunnel: Tunnel? {
        get { word(.tunnel) }
        set { set(.tunnel, newValue) }
    }

    package var warnWeakCrypto: WarnWeakCrypto? {
        get { word(.warnWeakCrypto) }
        set { set(.warnWeakCrypto, newValue) }
    }
}
