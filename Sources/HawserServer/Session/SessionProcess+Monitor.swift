// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserProtocol
internal import HawserWire

/// What the monitor answers, in the order of the requests.
extension SessionProcess {
    func takeAnswers() {
        while let message = monitor.next() {
            guard let answer = try? MonitorAnswer(decoding: message.rawBytes), !waiting.isEmpty
            else {
                return finish(255)
            }
            take(answer, for: waiting.removeFirst())
        }
        if monitor.hasEnded { finish(255) }
    }

    private func take(_ answer: MonitorAnswer, for request: Waiting) {
        switch (request, answer) {
        case (.exchangeSignature, .signature(let blob)):
            connection.provideExchangeSignature(blob)
        case (.group, .group(let prime, let generator)):
            do throws(ProtocolError) {
                try connection.provideGroup(
                    prime.isEmpty ? nil : FiniteFieldGroup(prime: prime, generator: generator)
                )
            } catch { explain(error) }
        case (.terminal(let id, let request, let wantReply), .terminal(let path)):
            takeTerminal(path, id, request, wantReply: wantReply)
        case (.terminal(let id, _, let wantReply), _):
            missTerminal(id, wantReply: wantReply)
        case (.hostKeyProof(let proofs), .signature(let blob)):
            proofs.signatures.append(blob)
            proofs.missing -= 1
            guard proofs.missing == 0 else { return }
            self.proofs = nil
            let isGood = proofs.signatures.allSatisfy { !$0.isEmpty }
            connection.answerGlobalRequest(
                success: isGood,
                payload: isGood ? GlobalRequest.answer(signatures: proofs.signatures) : []
            )
        default:
            finish(255)
        }
    }
}
