// swift-tools-version: 6.3
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

/// A library module of Hawser.
func module(_ name: String, uses: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: uses, swiftSettings: settings)
}

/// A program; its folder holds `main.swift` and its option rows.
func program(_ name: String, uses: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: uses, swiftSettings: settings)
}

/// The unit tests of one module, in `Tests/<module>Tests`.
func tests(of module: String, uses: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: module + "Tests",
        dependencies: [.byName(name: module)] + uses,
        swiftSettings: settings
    )
}

let package = Package(
    name: "hawser",
    products: [
        .library(
            name: "Hawser",
            targets: ["HawserProtocol", "HawserKeys", "HawserMultiplex", "HawserConfig"]
        )
    ],
    dependencies: [
        // Pinned: HawserCrypto imports its C module, which no product promises
        // (docs/decisions/0002-crypto-provider.md).
        .package(url: "https://github.com/apple/swift-crypto.git", exact: "4.5.2")
    ],
    targets: [
        // The core: values and state machines. No descriptors, no clock, no Foundation.
        module("HawserWire"),
        module("HawserLog"),
        module(
            "HawserCrypto",
            uses: ["HawserWire", .product(name: "Crypto", package: "swift-crypto")]
        ),
        module("HawserKeys", uses: ["HawserWire", "HawserCrypto"]),
        module("HawserProtocol", uses: ["HawserWire", "HawserLog", "HawserCrypto", "HawserKeys"]),
        module("HawserAgent", uses: ["HawserWire", "HawserLog", "HawserCrypto", "HawserKeys"]),
        module("HawserMultiplex", uses: ["HawserWire"]),
        module("HawserConfig", uses: ["HawserWire"]),
        module("HawserSFTP", uses: ["HawserWire", "HawserLog"]),

        // The world: descriptors, processes, terminals, accounts.
        .systemLibrary(name: "CHawserSystem"),
        .target(name: "CHawserStart"),
        module("HawserSystem", uses: ["CHawserStart", "CHawserSystem", "HawserWire", "HawserLog"]),
        module("HawserTool", uses: ["HawserWire", "HawserLog", "HawserSystem"]),

        // The agent's socket, for everyone who asks an agent.
        module(
            "HawserAgentClient",
            uses: ["HawserWire", "HawserLog", "HawserKeys", "HawserAgent", "HawserSystem"]
        ),
        // What sftp, scp and their server do with files. Knows no cryptography.
        module(
            "HawserFiles",
            uses: ["HawserWire", "HawserLog", "HawserSFTP", "HawserSystem", "HawserTool"]
        ),

        // What a client and a server do with a connection. Neither knows the other.
        module(
            "HawserClient",
            uses: [
                "HawserWire", "HawserLog", "HawserCrypto", "HawserKeys", "HawserProtocol",
                "HawserAgent", "HawserAgentClient", "HawserMultiplex", "HawserConfig",
                "HawserSystem", "HawserTool",
            ]
        ),
        module(
            "HawserServer",
            uses: [
                "HawserWire", "HawserLog", "HawserCrypto", "HawserKeys", "HawserProtocol",
                "HawserAgentClient", "HawserConfig", "HawserSFTP", "HawserSystem", "HawserTool",
                "HawserFiles",
            ]
        ),

        // The programs.
        program(
            "ssh",
            uses: [
                "HawserWire", "HawserLog", "HawserKeys", "HawserProtocol", "HawserMultiplex",
                "HawserConfig", "HawserSystem", "HawserTool", "HawserClient",
            ]
        ),
        program(
            "sshd",
            uses: [
                "HawserWire", "HawserLog", "HawserKeys", "HawserProtocol", "HawserConfig",
                "HawserSystem", "HawserTool", "HawserServer",
            ]
        ),
        program(
            "ssh-keygen",
            uses: [
                "HawserWire", "HawserLog", "HawserCrypto", "HawserKeys", "HawserAgent",
                "HawserAgentClient", "HawserSystem", "HawserTool",
            ]
        ),
        program(
            "ssh-keyscan",
            uses: [
                "HawserWire", "HawserLog", "HawserCrypto", "HawserKeys", "HawserProtocol",
                "HawserSystem", "HawserTool",
            ]
        ),
        program(
            "ssh-keysign",
            uses: [
                "HawserWire", "HawserLog", "HawserKeys", "HawserProtocol", "HawserConfig",
                "HawserSystem", "HawserTool",
            ]
        ),
        program(
            "ssh-agent",
            uses: [
                "HawserWire", "HawserLog", "HawserCrypto", "HawserKeys", "HawserAgent",
                "HawserAgentClient", "HawserSystem", "HawserTool",
            ]
        ),
        program(
            "ssh-add",
            uses: [
                "HawserWire", "HawserLog", "HawserCrypto", "HawserKeys", "HawserAgent",
                "HawserAgentClient", "HawserSystem", "HawserTool",
            ]
        ),
        program(
            "sftp-server",
            uses: ["HawserFiles", "HawserLog", "HawserSystem", "HawserTool"]
        ),
        program(
            "ssh-sk-helper",
            uses: [
                "HawserWire", "HawserLog", "HawserCrypto", "HawserKeys", "HawserAgent",
                "HawserSystem",
                "HawserTool",
            ]
        ),
        program(
            "ssh-pkcs11-helper",
            uses: [
                "HawserWire", "HawserLog", "HawserKeys", "HawserAgent", "HawserSystem",
                "HawserTool",
            ]
        ),

        // A path with delay, rate and faults, for the program tests.
        .executableTarget(
            name: "relay",
            dependencies: ["HawserWire", "HawserSystem"],
            path: "Tests/Relay",
            swiftSettings: settings
        ),
        program(
            "scp",
            uses: ["HawserWire", "HawserSFTP", "HawserFiles", "HawserSystem", "HawserTool"]
        ),
        program(
            "sftp",
            uses: ["HawserWire", "HawserSFTP", "HawserFiles", "HawserSystem", "HawserTool"]
        ),

        tests(of: "HawserWire"),
        tests(of: "HawserSFTP", uses: ["HawserWire", "HawserLog"]),
        tests(of: "HawserCrypto", uses: ["HawserWire"]),
        tests(of: "HawserKeys", uses: ["HawserWire", "HawserCrypto"]),
        tests(
            of: "HawserProtocol",
            uses: ["HawserWire", "HawserLog", "HawserCrypto", "HawserKeys"]
        ),
        tests(of: "HawserAgent", uses: ["HawserWire", "HawserLog", "HawserCrypto", "HawserKeys"]),
        tests(of: "HawserMultiplex", uses: ["HawserWire"]),
        tests(of: "HawserConfig", uses: ["HawserWire", "HawserSystem"]),
        tests(of: "HawserSystem", uses: ["HawserWire", "HawserLog"]),
        tests(of: "HawserTool", uses: ["HawserWire", "HawserLog", "HawserSystem"]),
        tests(
            of: "HawserClient",
            uses: [
                "HawserWire", "HawserLog", "HawserCrypto", "HawserKeys", "HawserProtocol",
                "HawserMultiplex", "HawserConfig", "HawserSystem", "HawserTool",
            ]
        ),
        tests(
            of: "HawserServer",
            uses: [
                "HawserWire", "HawserLog", "HawserCrypto", "HawserKeys", "HawserProtocol",
                "HawserConfig", "HawserSystem", "HawserTool",
            ]
        ),
    ]
)

// Fuzz targets (`make fuzz`), each a libFuzzer program of one file in `Fuzz/<name>`.
if Context.environment["HAWSER_FUZZ"] != nil {
    // Whole connections are fuzzed without their encryption.
    package.targets.first { $0.name == "HawserProtocol" }?.swiftSettings?.append(
        .define("HAWSER_FUZZ")
    )
    func fuzz(_ name: String, uses: [Target.Dependency]) -> Target {
        .executableTarget(
            name: name,
            dependencies: uses,
            path: "Fuzz/" + name,
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]
        )
    }
    package.targets += [
        fuzz("FuzzKeyFiles", uses: ["HawserKeys", "HawserWire"]),
        fuzz("FuzzKnownHosts", uses: ["HawserKeys", "HawserWire"]),
        fuzz("FuzzCertificates", uses: ["HawserKeys", "HawserWire"]),
        fuzz("FuzzKRL", uses: ["HawserKeys"]),
        fuzz("FuzzSSHSIG", uses: ["HawserKeys"]),
        fuzz("FuzzPacketReader", uses: ["HawserProtocol", "HawserCrypto", "HawserWire"]),
        fuzz("FuzzConnection", uses: ["HawserProtocol", "HawserCrypto", "HawserWire"]),
        fuzz("FuzzMultiplex", uses: ["HawserMultiplex", "HawserWire"]),
        fuzz("FuzzSOCKS", uses: ["HawserClient", "HawserWire"]),
        fuzz("FuzzX11Setup", uses: ["HawserClient", "HawserWire"]),
        fuzz(
            "FuzzAgent",
            uses: ["HawserAgent", "HawserCrypto", "HawserKeys", "HawserLog", "HawserWire"]
        ),
        fuzz("FuzzSFTPServer", uses: ["HawserSFTP", "HawserWire"]),
        fuzz("FuzzSFTPClient", uses: ["HawserSFTP", "HawserWire"]),
        fuzz("FuzzCopyRecord", uses: ["HawserSFTP"]),
        fuzz("FuzzLegacyCopy", uses: ["HawserFiles", "HawserSFTP", "HawserSystem"]),
        fuzz("FuzzClientConfig", uses: ["HawserConfig"]),
        fuzz("FuzzServerConfig", uses: ["HawserConfig"]),
    ]
}
