// SPDX-License-Identifier: Apache-2.0

/// Which methods a user may still try, and which lists of `AuthenticationMethods` are left.
package struct MethodProgress: Equatable, Sendable {
    /// What the configuration switches on.
    private let enabled: [String]
    /// What is left of each list; no list at all: any one method is enough.
    private var lists: [[String]]
    private let needsLists: Bool

    /// `lists` has one entry for each list of the keyword, elements `method` or `method:device`.
    package init(enabled: [String], lists: [[String]]) {
        self.enabled = enabled
        needsLists = !lists.isEmpty
        self.lists = lists.filter { list in
            Self.disabled(in: list, enabled: enabled) == nil
        }
    }

    /// The first method of a list that is switched off. `none` never is: with it gets in who has an
    /// empty password.
    package static func disabled(in list: [String], enabled: [String]) -> String? {
        list.map(method).first { $0 != "none" && !enabled.contains($0) }
    }

    /// No list can be completed with what is switched on.
    package var isHopeless: Bool { needsLists && lists.isEmpty }

    /// What can be tried now, in the order of the configuration.
    package var methods: [String] {
        guard needsLists else { return enabled }
        return enabled.filter { method in
            lists.contains { $0.first.map(Self.method) == method }
        }
    }

    package func allows(_ method: String) -> Bool {
        guard needsLists else { return enabled.contains(method) || method == "none" }
        return lists.contains { $0.first.map(Self.method) == method }
    }

    /// The device that must be used with a method, if only one may be.
    package func allows(_ method: String, device: String) -> Bool {
        guard needsLists else { return allows(method) }
        return lists.contains { list in
            guard let first = list.first, Self.method(of: first) == method else { return false }
            return first == method || first == "\(method):\(device)"
        }
    }

    /// A method has succeeded; true when nothing more is required.
    package mutating func complete(_ method: String, device: String? = nil) -> Bool {
        guard needsLists else { return true }
        var isDone = false
        lists = lists.map { list in
            guard let first = list.first, Self.method(of: first) == method,
                first == method || device.map({ first == "\(method):\($0)" }) == true
            else { return list }
            let rest = Array(list.dropFirst())
            if rest.isEmpty { isDone = true }
            return rest
        }
        return isDone
    }

    private static func method(of element: String) -> String {
        element.split(separator: ":").first.map(String.init) ?? element
    }
}
