# SPDX-License-Identifier: Apache-2.0
"""Configurations made from a seed, for reading them with two implementations."""
import random

FLAGS = ["yes", "no", "Yes", "NO", "true", "false"]
NAMES = ["a", "b.example", "c-d", "e_f", "x1"]
PATHS = ["/a/b", "~/c", "rel/d", '"/with blank/e"', "/p/%h", "~/q-%r-%p", "/v/${HOME}"]
TIMES = ["0", "5", "90", "2m", "1h30m", "1d", "1w", "bad", "-1", "5x", '""']
NUMBERS = ["0", "1", "3", "17", "99999999999", "x", "-2", '""']
CIPHERS = ["aes128-ctr", "aes256-ctr,aes128-ctr", "chacha20-poly1305@openssh.com", "none", "zz"]
MACS = ["hmac-sha2-256", "hmac-sha1,umac-64@openssh.com", "hmac-sha2-512-etm@openssh.com", "x"]
KEX = ["curve25519-sha256", "ecdh-sha2-nistp256,curve25519-sha256@libssh.org", "curve"]
KEYS = ["ssh-ed25519", "rsa-sha2-512,ssh-ed25519", "ecdsa-sha2-nistp521", "no-such-key"]
FORWARDS = [
    "8080 host:80", "127.0.0.1:81 [::1]:82", "/run/s host:1", "83 /run/t", "*:84 h:1",
    "[::1]:85 a:2", "86", "x y", "87 h:0", "localhost:88 h:65536", "99999 h:1",
]

CLIENT = {
    "AddKeysToAgent": ["yes", "no", "ask", "confirm", "confirm 5m", "1h", "ask 5m", "zz"],
    "AddressFamily": ["any", "inet", "inet6", "INET", "ipv4"],
    "BatchMode": FLAGS + ["maybe"],
    "BindAddress": ["127.0.0.1", "::1", "host", '""'],
    "BindInterface": ["lo", "eth0"],
    "CanonicalDomains": ["a.b", "A.B c.d", "none", "none a", "-x", "a..b", "a.b.", "a/b"],
    "CanonicalizeFallbackLocal": FLAGS,
    "CanonicalizeMaxDots": NUMBERS,
    # With rules, OpenSSH asks the resolver even for -G.
    "CanonicalizePermittedCNAMEs": ["none", "a", "a:"],
    "CertificateFile": PATHS,
    "CheckHostIP": FLAGS,
    "Ciphers": CIPHERS,
    "ClearAllForwardings": FLAGS,
    "Compression": FLAGS + ["6"],
    "ConnectionAttempts": ["1", "3", "x", "-1"],
    "ConnectTimeout": TIMES + ["none"],
    "ControlMaster": ["yes", "no", "ask", "auto", "autoask", "Auto", "bad"],
    "ControlPath": PATHS + ["none", "/tmp/%C"],
    "ControlPersist": ["yes", "no", "0", "10", "5m", "none", "bad"],
    "DynamicForward": ["1080", "127.0.0.1:1081", "[::1]:1082", "x", "*:1083", "0", "a:b:c"],
    "EnableEscapeCommandline": FLAGS,
    "EnableSSHKeysign": FLAGS,
    "EscapeChar": ["~", "none", "^a", "^]", "x", "xy", "^^"],
    "ExitOnForwardFailure": FLAGS,
    "FingerprintHash": ["md5", "sha256", "SHA512", "sha1", "crc"],
    "ForkAfterAuthentication": FLAGS,
    "ForwardX11": FLAGS,
    "ForwardX11Timeout": TIMES,
    "ForwardX11Trusted": FLAGS,
    "GatewayPorts": FLAGS,
    "GlobalKnownHostsFile": ["/g", "/g /h", "none", "none /g", '"/g h" /i', '""'],
    "HashKnownHosts": FLAGS,
    "HostbasedAcceptedAlgorithms": KEYS,
    "HostbasedAuthentication": FLAGS,
    "HostKeyAlgorithms": KEYS,
    "HostKeyAlias": ["Alias", "x.y"],
    "Hostname": ["h.example", "%h.example", "1.2.3.4", "%%x", "UPPER"],
    "IdentitiesOnly": FLAGS,
    "IdentityAgent": ["none", "SSH_AUTH_SOCK", "/agent", "~/agent-%h", "$AGENT", "${HOME}/s"],
    "IdentityFile": PATHS + ["none"],
    "IgnoreUnknown": ["foo*", "foo*,bar", "*"],
    "IPQoS": ["ef", "af21 cs1", "le", "none", "0x20", "18", "lowdelay", "zz", "300"],
    "KbdInteractiveAuthentication": FLAGS,
    "KbdInteractiveDevices": ["pam", "a,b"],
    "KexAlgorithms": KEX,
    "KnownHostsCommand": ["/bin/echo %H", "none", "'/bin/e' %t \"%K\" # x"],
    "LocalCommand": ["echo  two blanks", "echo \"%h\" # kept", "none", "a 'b' c"],
    "LocalForward": FORWARDS,
    "LogLevel": ["QUIET", "error", "INFO", "Verbose", "zz"],
    "MACs": MACS,
    "NoHostAuthenticationForLocalhost": FLAGS,
    "NumberOfPasswordPrompts": NUMBERS,
    "PasswordAuthentication": FLAGS,
    "PermitLocalCommand": FLAGS,
    "PermitRemoteOpen": ["any", "none", "a:1 b:*", "*:2", "a", "any a:1"],
    "PKCS11Provider": ["/p.so", "none"],
    "Port": ["22", "65535", "0", "65536", "http", "no-such-service", "2200 x"],
    "PreferredAuthentications": ["publickey", "password,publickey"],
    "ProxyCommand": ["nc %h %p", "none", "a \"b c\"  d"],
    "ProxyJump": ["j", "u@j:23", "a,b@c:22", "none", "ssh://u@h:5", "[::1]:22"],
    "ProxyUseFdpass": FLAGS,
    "PubkeyAcceptedAlgorithms": KEYS,
    "PubkeyAuthentication": FLAGS + ["unbound", "host-bound"],
    "RekeyLimit": ["1G", "default", "default none", "1M 1h", "16", "15", "1x", "none", "1K x"],
    "RemoteCommand": ["ls  -l", "echo %h", "none"],
    "RemoteForward": [f for f in FORWARDS if f not in ("86",)],
    "RequestTTY": ["yes", "no", "force", "auto", "maybe"],
    "RequiredRSASize": ["1024", "2048", "x"],
    "SendEnv": ["LANG LC_*", "A", "-A", "-*", "B=c", '""'],
    "ServerAliveCountMax": NUMBERS,
    "ServerAliveInterval": TIMES + ["none"],
    "SessionType": ["none", "subsystem", "default", "zz"],
    "SetEnv": ["A=b", 'A=b "C=d e"', "A=b A=c", "A", "=x", "A="],
    "StdinNull": FLAGS,
    "StreamLocalBindMask": ["0177", "0", "777", "1000", "8", "022"],
    "StreamLocalBindUnlink": FLAGS,
    "StrictHostKeyChecking": ["yes", "no", "ask", "off", "accept-new", "ASK", "zz"],
    "SyslogFacility": ["USER", "auth", "local7", "zz"],
    "TCPKeepAlive": FLAGS,
    "Tunnel": ["no", "ethernet", "point-to-point", "yes", "zz"],
    "TunnelDevice": ["any", "1", "1:2", "any:any", "x", "1:x"],
    "UpdateHostKeys": FLAGS + ["ask"],
    "User": ["joe", '"jo e"', "x-y"],
    "UserKnownHostsFile": ["~/k", "~/k /l", "none", "%d/k", "none ~/k"],
    "VerifyHostKeyDNS": FLAGS + ["ask"],
    "VisualHostKey": FLAGS,
    "XAuthLocation": ["/x", "/y"],
    "Protocol": ["2"],
    "UseRoaming": ["no"],
    "KeepAlive": FLAGS,
    "DSAAuthentication": ["yes", "no"],
    "ChallengeResponseAuthentication": FLAGS,
    "IdentityFile2": PATHS,
    "SmartcardDevice": ["/p.so"],
    "FooBar": ["x", "y z"],
}

CRITERIA = [
    "all", "host a", "host !a,*", "host *.example", "originalhost a", "user root", "user !root,*",
    "localuser root", "localuser nobody", "host a user root", "exec true", "exec false", "final",
    "!final", "canonical", "!host a", 'exec "test %h = a"', "final all", "host a !user joe",
]
HOSTS = ["a", "a b", "*", "!a *", "?", "a.*", '"a"', "b* !b.example", "A", "a # c", "x1"]

SERVER = {
    "AcceptEnv": ["LANG LC_*", "A", "B=c"],
    "AddressFamily": ["any", "inet", "inet6", "zz"],
    "AllowAgentForwarding": FLAGS,
    "AllowGroups": ["a b", "wheel", '""'],
    "AllowStreamLocalForwarding": FLAGS + ["all", "local", "remote", "zz"],
    "AllowTcpForwarding": FLAGS + ["all", "local", "remote"],
    "AllowUsers": ["a b@c", "u@10.0.0.0/8", "u@10.0.0.1/8", "u@", "*@*.example"],
    "AuthenticationMethods": ["any", "publickey,password publickey", "publickey:x", "zz"],
    "AuthorizedKeysCommandUser": ["nobody", "none", "NONE"],
    "AuthorizedKeysFile": [".ssh/a", "/k/%u .ssh/b", "none"],
    "AuthorizedPrincipalsFile": ["/p/%u", "none", "rel"],
    "Banner": ["/b", "none", "NONE", "rel", '"/b c"', "a b"],
    "ChannelTimeout": ["session=5m", "x11*=10 agent=0", "none", "a=x", "a"],
    "ChrootDirectory": ["/c", "%h", "none"],
    "Ciphers": CIPHERS,
    "ClientAliveCountMax": NUMBERS,
    "ClientAliveInterval": TIMES,
    "Compression": FLAGS + ["delayed", "zz"],
    "DenyGroups": ["c"],
    "DenyUsers": ["d e", "f@*"],
    "DisableForwarding": FLAGS,
    "ExposeAuthInfo": FLAGS,
    "FingerprintHash": ["md5", "SHA256", "zz"],
    "ForceCommand": ["echo  a # b", "none", "internal-sftp -d %u", "'a' \"b c\""],
    "GatewayPorts": FLAGS + ["clientspecified", "zz"],
    "HostbasedAcceptedAlgorithms": KEYS,
    "HostbasedAuthentication": FLAGS,
    "HostbasedUsesNameFromPacketOnly": FLAGS,
    "HostKeyAlgorithms": KEYS,
    "IgnoreRhosts": FLAGS + ["shosts-only", "zz"],
    "IgnoreUserKnownHosts": FLAGS,
    "IPQoS": ["ef", "af21 cs1", "none", "zz", "0x20"],
    "KbdInteractiveAuthentication": FLAGS,
    "KexAlgorithms": KEX,
    "ListenAddress": ["1.2.3.4", "1.2.3.4:99", "::1", "[::1]:98", "localhost:97", "1.2.3.4:0"],
    "LoginGraceTime": TIMES,
    "LogLevel": ["QUIET", "debug", "DEBUG1", "debug3", "zz"],
    "MACs": MACS,
    "MaxAuthTries": NUMBERS,
    "MaxSessions": NUMBERS,
    "MaxStartups": ["10:30:100", "5", "1:2:3", "10:30:5", "x", "10:101:20", "0"],
    "ModuliFile": ["/m"],
    "PasswordAuthentication": FLAGS,
    "PermitEmptyPasswords": FLAGS,
    "PermitListen": ["any", "none", "5 a:6", "*:*", "zz:x"],
    "PermitOpen": ["any", "none", "a:1 [::1]:2", "*:*", "5"],
    "PermitRootLogin": FLAGS + ["without-password", "prohibit-password", "zz"],
    "PermitTTY": FLAGS,
    "PermitTunnel": ["yes", "no", "ethernet", "point-to-point", "zz"],
    "PermitUserEnvironment": ["yes", "no", "A*,B"],
    "PermitUserRC": FLAGS,
    "PerSourceMaxStartups": ["none", "3", "x"],
    "PerSourceNetBlockSize": ["24:56", "33", "1:129"],
    "PidFile": ["/p", "none", "rel"],
    "Port": ["22", "2200", "0", "65536", "http", "x"],
    "PrintLastLog": FLAGS,
    "PrintMotd": FLAGS,
    "PubkeyAcceptedAlgorithms": KEYS,
    "PubkeyAuthentication": FLAGS,
    "RekeyLimit": ["1G", "default", "default none", "1M 1h", "15", "1K x"],
    "RequiredRSASize": ["1024", "x"],
    "RevokedKeys": ["/r", "none"],
    "SetEnv": ["A=b", 'A=b "C=d e"', "A=b A=c", "A"],
    "StreamLocalBindMask": ["0177", "0", "777", "1000", "8"],
    "StreamLocalBindUnlink": FLAGS,
    "StrictModes": FLAGS,
    "SyslogFacility": ["AUTH", "local1", "zz"],
    "TCPKeepAlive": FLAGS,
    "TrustedUserCAKeys": ["/t", "none", "rel"],
    "UnusedConnectionTimeout": ["0", "5m", "none", "zz"],
    "UseDNS": FLAGS,
    "UsePAM": FLAGS,
    "VersionAddendum": ["x y", "none", "a # b"],
    "X11DisplayOffset": NUMBERS,
    "X11Forwarding": FLAGS,
    "X11UseLocalhost": FLAGS,
    "XAuthLocation": ["/x", "none"],
    "UsePrivilegeSeparation": ["yes"],
    "Protocol": ["2"],
    "KeepAlive": FLAGS,
    "FooBar": ["x"],
}
IN_MATCH = [
    "AcceptEnv", "AllowAgentForwarding", "AllowGroups", "AllowTcpForwarding", "AllowUsers",
    "AuthenticationMethods", "AuthorizedKeysFile", "Banner", "ChrootDirectory", "DenyUsers",
    "ForceCommand", "GatewayPorts", "LogLevel", "MaxAuthTries", "MaxSessions", "PermitListen",
    "PermitOpen", "PermitRootLogin", "PermitTTY", "SetEnv", "StreamLocalBindMask",
    "X11Forwarding", "PasswordAuthentication", "ClientAliveInterval",
]
SERVER_CRITERIA = [
    "all", "user root", "user !root,*", "user a,ro*", "group root", "group !root,*", "host *.example",
    "host H.example", "address 10.0.0.0/8", "address !10.0.0.5,10.*", "address 10.0.0.5",
    "address 2001:db8::/32", "localaddress 127.0.0.1", "localport 22", "localport 23",
    "user root address 10.0.0.0/8", "user root host x", "rdomain r", "address *",
]


class Maker:
    """Makes configurations, the same ones for the same seed."""

    def __init__(self, seed, accepted):
        """`accepted` holds the keywords and values that are no mistake; most seeds use only those."""
        self.random = random.Random(seed)
        self.accepted = accepted if seed % 4 else None

    def line(self, table, names=None):
        keyword = self.random.choice(names or list(table))
        value = self.random.choice(table[keyword])
        while self.accepted is not None and (keyword, value) not in self.accepted:
            keyword = self.random.choice(names or list(table))
            value = self.random.choice(table[keyword])
        shape = self.random.random()
        spelling = keyword
        if shape < 0.15:
            spelling = keyword.lower()
        elif shape < 0.25:
            spelling = keyword.upper()
        separator = self.random.choice([" ", " ", " ", "\t", "  ", "=", " = ", "= "])
        end = self.random.choice(["", "", "", " ", "\t", "\r"])
        return self.random.choice(["", "", "  ", "\t"]) + spelling + separator + value + end

    def comment(self):
        return self.random.choice(["", "# Host x", "   # \"", "\t", "#"])

    def client(self):
        lines = []
        for _ in range(self.random.randint(1, 14)):
            kind = self.random.random()
            if kind < 0.12:
                lines.append("Host " + self.random.choice(HOSTS))
            elif kind < 0.24:
                lines.append("Match " + self.random.choice(CRITERIA))
            elif kind < 0.32:
                lines.append(self.comment())
            else:
                lines.append(self.line(CLIENT))
        return "\n".join(lines) + "\n"

    def server(self):
        lines = [self.line(SERVER) for _ in range(self.random.randint(0, 8))]
        for _ in range(self.random.randint(0, 3)):
            lines.append("Match " + self.random.choice(SERVER_CRITERIA))
            for _ in range(self.random.randint(1, 4)):
                lines.append(self.line(SERVER, IN_MATCH))
        return "\n".join(lines) + "\n"
