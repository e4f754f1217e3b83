// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserWire

/// Why a message of the agent protocol could not be read, in words for a log.
package struct AgentError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }

    /// Runs `body` and turns what its readers throw into this error.
    static func wrapping<Result>(
        _ what: String,
        _ body: () throws -> Result
    ) throws(AgentError) -> Result {
        do {
            return try body()
        } catch let error as AgentError {
            throw error
        } catch {
            throw AgentError("\(what): \(error)")
        }
    }
}
