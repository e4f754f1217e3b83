// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Requests that are about the whole connection (RFC 4254 §4).
extension ConnectionCore {
    /// Sends a global request. With `wantReply`, `globalRequestAnswered` names what this returns.
    mutating func requestGlobal(_ request: GlobalRequest, wantReply: Bool) -> GlobalRequestID {
        let id = GlobalRequestID(number: nextGlobalRequest)
        nextGlobalRequest &+= 1
        if wantReply { sentGlobalRequests.append(id) }
        send(payload: GlobalRequestMessage(wantReply: wantReply, request: request).payload)
        return id
    }

    /// Answers the oldest unanswered global request of the peer.
    mutating func answerGlobalRequest(success: Bool, payload: [UInt8]) {
        guard let refusals = globalReplies.answer() else { return }
        sendGlobalAnswer(success: success, payload: payload)
        for _ in 0..<refusals { sendGlobalAnswer(success: false) }
    }

    /// `SSH_MSG_REQUEST_SUCCESS` or `SSH_MSG_REQUEST_FAILURE`; only success carries a payload.
    mutating func sendGlobalAnswer(success: Bool, payload: [UInt8] = []) {
        let number: MessageNumber = success ? .requestSuccess : .requestFailure
        send(payload: [number.rawValue] + (success ? payload : []))
    }
}
