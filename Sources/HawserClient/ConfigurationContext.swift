// SPDX-License-Identifier: Apache-2.0

package import HawserConfig
internal import HawserProtocol
internal import HawserSystem

extension ValueContext {
    /// What this program knows: its algorithms, and the machine's services.
    package static let client = ValueContext(
        algorithms: { family in
            let known: Algorithms.Family =
                switch family {
                case .ciphers: Algorithms.ciphers
                case .macs: Algorithms.macs
                case .keyExchange: Algorithms.keyExchange
                case .publicKey: Algorithms.publicKey
                case .certificateAuthority: Algorithms.certificateSignatures
                }
            return AlgorithmNames(offered: known.offered, all: known.all)
        },
        service: { Services.port(of: $0) },
        variable: { Environment.value($0) }
    )
}
