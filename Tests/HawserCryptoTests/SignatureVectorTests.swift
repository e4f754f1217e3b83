// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserCrypto

@Suite("Signatures of others")
struct SignatureVectorTests {
    private let message = Array("a message".utf8)

    // RFC 6979, appendix A.2.5 to A.2.7: "sample" with the hash of each curve.
    @Test(
        "ECDSA signatures of RFC 6979 verify",
        arguments: [
            (
                NISTCurve.p256,
                "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                    + "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
                "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                    + "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
            ),
            (
                .p384,
                "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64"
                    + "def8f0ea9055866064a254515480bc138015d9b72d7d57244ea8ef9ac0c62189"
                    + "6708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720",
                "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
                    + "81a648152e44acf96e36dd1e80fabe4699ef4aeb15f178cea1fe40db2603138f"
                    + "130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8"
            ),
            (
                .p521,
                "01894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd"
                    + "371123d46e45db6b5d5370a7f20fb633155d38ffa16d2bd761dcac474b9a2f50"
                    + "23a400493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f"
                    + "746a28a0db25741b5b34a828008b22acc23f924faafbd4d33f81ea66956dfeaa"
                    + "2bfdfcf5",
                "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f"
                    + "174e25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e3"
                    + "77fa00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b"
                    + "68af282623eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e4"
                    + "4da4a67a"
            ),
        ]
    )
    func ecdsa(curve: NISTCurve, point: String, signature: String) {
        let numbers = hex(signature)
        let r = Array(numbers.prefix(curve.fieldBytes))
        let s = Array(numbers.suffix(curve.fieldBytes))
        let key = [4] + hex(point)
        let sample = Array("sample".utf8)
        #expect(curve.verify(r: r, s: s, over: sample.rawBytes, point: key) == true)
        #expect(curve.verify(r: r, s: s, over: message.rawBytes, point: key) == false)
    }

    // Made with OpenSSL 4.0.
    @Test("RSA signatures of OpenSSL verify, and ours are the same")
    func rsa() throws {
        let numbers = RSA.PublicNumbers(modulus: hex(Self.modulus), exponent: [1, 0, 1])
        let key = RSA.PrivateNumbers(
            publicNumbers: numbers,
            privateExponent: SecretBytes(hex(Self.privateExponent)),
            prime1: SecretBytes(hex(Self.prime1)),
            prime2: SecretBytes(hex(Self.prime2)),
            coefficient: SecretBytes(hex(Self.coefficient))
        )
        for (hash, signature) in Self.rsaSignatures {
            let made = try RSA.sign(message.rawBytes, hash: hash, key: key)
            #expect(made == hex(signature))
            #expect(RSA.verify(made, over: message.rawBytes, hash: hash, key: numbers) == true)
        }
        var inconsistent = key
        inconsistent.coefficient = SecretBytes([5])
        #expect(!RSA.isConsistent(inconsistent))
    }

    @Test("RSA keys that are none are refused and do not trap")
    func badRSAKeys() {
        for (modulus, exponent) in [
            ([], []), ([0], [0]), ([1], [1]), (hex(Self.modulus), []), (hex(Self.modulus), [2]),
            ([UInt8](repeating: 0xff, count: 4096), [3]), ([5, 4], [3]),
        ] as [([UInt8], [UInt8])] {
            let key = RSA.PublicNumbers(modulus: modulus, exponent: exponent)
            let signature = [UInt8](repeating: 1, count: modulus.count)
            let verifies = RSA.verify(signature, over: message.rawBytes, hash: .sha256, key: key)
            #expect(verifies == false)
        }
    }

    // Made with OpenSSL 4.0.
    @Test("A DSA signature of OpenSSL verifies, and ours do")
    func dsa() throws {
        let key = DSA.PublicNumbers(
            prime: hex(Self.dsaPrime),
            subprime: hex("894a4b8cd2e2494dcf02c54a0ab6bd53e9c1df81"),
            generator: hex(Self.dsaGenerator),
            publicValue: hex(Self.dsaPublicValue)
        )
        let r = hex("7dd80ba2a9f37be78a35411156c7445dc5379ff1")
        let s = hex("865201c9cf23c37b48fc87d06022950013cd7be4")
        #expect(DSA.verify(r: r, s: s, over: message.rawBytes, key: key) == true)
        #expect(DSA.verify(r: s, s: r, over: message.rawBytes, key: key) == false)
        #expect(DSA.verify(r: [], s: [], over: message.rawBytes, key: key) == false)
        let made = try DSA.sign(
            message.rawBytes,
            key: key,
            privateValue: SecretBytes(hex("24ec6284d57f621362f0f2f778020ef16d26b599"))
        )
        #expect(DSA.verify(r: made.r, s: made.s, over: message.rawBytes, key: key) == true)
        for bad in [[], [0], [1], [2, 2]] as [[UInt8]] {
            var other = key
            other.prime = bad
            #expect(DSA.verify(r: r, s: s, over: message.rawBytes, key: other) == false)
            other = key
            other.subprime = bad
            #expect(DSA.verify(r: r, s: s, over: message.rawBytes, key: other) == false)
        }
    }

    // NIST ACVP, ML-DSA-44 key generation, first test.
    @Test("ML-DSA-44 makes NIST's public key of NIST's seed")
    func mldsa44() throws {
        let seed = hex("d71361c000f9a7bc99dfb425bcb6bb27c32c36ab444ff3708b2d93b4e66d5b5b")
        let key = try MLDSA44.publicKey(seed: SecretBytes(seed))
        #expect(key.prefix(16) == hex("b845fa2881407a59183071629b082231")[...])
        #expect(
            HashAlgorithm.sha256.hash(key)
                == hex("451a808c522218fadbdab146fc12004b0741c7d069f238f43ad77216159f6a34")
        )
    }

    // MARK: Numbers

    private static let modulus =
        "a49d703f5004e0cbfdcf08e093b2a50df30f73967d112d25c4e6fb857ff472ce"
        + "1911f083450f4426a0eb9c21fcf532572f91aad49c4dab9d051a5c79124c697c"
        + "d3aaad60b15f38f7baf387ecc10d659632915d399149049c8e39a1a365538dc6"
        + "40ec3842a500598936279cfd5b30a7bb44b5f84cc7cc51bddddc42dcbd7088ff"
    private static let privateExponent =
        "936ab294e0521e06509b51b5dc4f056502a079c0f0ebaae4c1faa090a3500467"
        + "f127919ddd0098e58702b865efa49d9a5a6d36f103b0c2d8f132f4513043e1ca"
        + "8a021ba2f9997f27f711b07cc5c09791468411b59b57fa80e18bd82ee810c63d"
        + "d3ee17b60238ff6cd7c401c42f6cc00f7b2b72e976249fedb43504ff97f80dc1"
    private static let prime1 =
        "d08e5185c5e4eb9e803a1efe3892943470598728ddb8e773cd2e0e983c74053d"
        + "8b0f3b3e25fc57f1412ded4ce045a610fa435188b0bb8de622aad11a81079b0f"
    private static let prime2 =
        "ca10212c93f55fcf7ac467607db9e0632beb2729c2a3b54eaae232d58f3d5b43"
        + "7a40fb6dec715127c5b9382c24c1f45c427f151e3cbe438161e6e073d040f311"
    private static let coefficient =
        "b3b145b1e12ab76718efec85bd39ef3f753c3d78c2afa27aed84cd5b079ea581"
        + "12efe28acf7e6898f9e502154a8098b143ed806012e3bd09c3b72ea3068a337b"
    private static let rsaSignatures: [(HashAlgorithm, String)] = [
        (
            .sha1,
            "982f89f6bf0341b664fd734b3e01cb41a1f6bdc4f341fbeb6a0bb038c16eb285"
                + "d8710a690cd77ae024544c60c1ff19dc3d42e3877746aad06e2e4437a46209cf"
                + "3c1d96cab1448b4e36ebdfe49b3a90c86d13b5abceb286427fbfef36e336c8a2"
                + "fb3346c4e852051fe214d505eb594ac29a0bd4b7f1e67d542ddd3c3699849d91"
        ),
        (
            .sha256,
            "7430cff16515264272f0da220fe2ceedde6f92394c2ed45ca41f02d47cd6fbb3"
                + "67e1e7d75bf96322ffff311115a8bd2b13e15d48be30214f8def9fe9346e3e4b"
                + "82b346cc94e3eb55ab1af0a3b84c03c9f25db9ae00c6d8e456ffc24ea8daf595"
                + "45468a589a73c431809cdfce163d57987cc8c3614532afc3875cbc727ac0fd00"
        ),
        (
            .sha512,
            "188024cb5bf64624857a4015dab89e35188dce54f616d538f7e0f83b4adb7305"
                + "c610d5a70f0e2a843c6efe4381d91b19dc11d7e27643c6cb9b9c784e476369ad"
                + "c41de80593e5cf0f54e482d7d7902d7e7eca1210d3864ba59d8b665305680ee7"
                + "040751ccc793a3b23c5cd2d8befa2201f8e86e8b3a45d74a0a279caeee1c00d2"
        ),
    ]
    private static let dsaPrime =
        "d763382cc7974fc2894b17e1fe5fa3fd5c9b69ddd56e573c7d30e78674ec8a15"
        + "702a4c5ba37b65153f61fd6cdc9ab4f5e0cf818678404bb1c7a4dd2bd1a1481b"
        + "be379ef701e8b801acce5d04581ae6fa0194538ef4e0fa47a5bd463c209b0f95"
        + "7ceccdfdcbf793c709ef8157f3c7b1f8f7954425a1507512ace0eb39a8d2a2bb"
    private static let dsaGenerator =
        "45840e137ee85b9e10307487f5dccfc516496d2345bba890b4d67225be7da01c"
        + "5ef8343bc0d2ef543e979c8fef1bfa76ab1122cc92afbde73bc9cc9f0c8acff7"
        + "470c7501d63e8b6b8b26bb69459ccb42640c892f1a15b57c711a1d71c9374aa4"
        + "064354c7f5f3c24491950dfdec6b54f63cddbd8366c31ff8bc9f75bf33f43885"
    private static let dsaPublicValue =
        "c171347a76169d59578ac1dad576d000c2e8708f62557e4f1a2253726215e72f"
        + "8e334553091aadad5ad9745b71bb9a34108a4a3b41649031f6501e6696d2cef2"
        + "3b9c3e6b59cdc06a04e3eb1dbbd85f96c531c36390ad0ecef80f509dbdfa8943"
        + "d26a7205e452e54609406d587b0fa8bc54562dd8eccdcad4026401cf1bdcf4ba"
}
