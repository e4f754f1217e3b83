// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserWire

/// Why a message of the agent protocol could not be read, in words for a log.
package struct AgentError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }

    /// What a reader threw, as this error; `context` goes before what is not one already.
    init(_ error: any Error, context: String = "") {
        self = error as? AgentError ?? AgentError("\(context)\(error)")
    }
}
