/// Which namespaces may use a repository.
public struct UsagePolicy: Codable, Sendable, Hashable {
    /// Whose.
    public struct AllowedNamespaces: Codable, Sendable, Hashable {
        /// Everybody's, those with certain labels, or only its own.
        public enum From: String, Codable, Sendable, CaseIterable {
            case all = "All"
            case selector = "Selector"
            case same = "Same"
        }
        /// Absent: `Same`.
        public var from: From?
        /// With `from: Selector`: the labels of the namespaces that are meant.
        public var selector: LabelSelector?

        /// Makes one.
        public init(from: From? = nil, selector: LabelSelector? = nil) {
            self.from = from
            self.selector = selector
        }
    }
    /// Absent: only the repository's own.
    public var allowedNamespaces: AllowedNamespaces?

    /// Makes a policy.
    public init(allowedNamespaces: AllowedNamespaces? = nil) { self.allowedNamespaces = allowedNamespaces }

    func problems() -> [FieldProblem] {
        guard let allowed = allowedNamespaces else { return [] }
        if allowed.from == .selector, allowed.selector == nil {
            return [FieldProblem("allowedNamespaces.selector", "is needed with from: Selector")]
        }
        if allowed.from != .selector, allowed.selector != nil {
            return [FieldProblem("allowedNamespaces.selector", "is only for from: Selector")]
        }
        return (allowed.selector?.problems() ?? []).map {
            FieldProblem("allowedNamespaces.selector." + $0.path, $0.message)
        }
    }
}

/// Chooses objects by their labels (Kubernetes' `metav1.LabelSelector`); an empty one chooses all.
public struct LabelSelector: Codable, Sendable, Hashable {
    /// One demand.
    public struct Requirement: Codable, Sendable, Hashable {
        /// What is demanded.
        public enum Operator: String, Codable, Sendable, CaseIterable {
            case isIn = "In"
            case isNotIn = "NotIn"
            case exists = "Exists"
            case doesNotExist = "DoesNotExist"
        }
        /// The label's key.
        public var key: String
        /// What is demanded of it.
        public var `operator`: Operator
        /// For `In` and `NotIn`: the values.
        public var values: [String]?

        /// Makes one.
        public init(key: String, operator: Operator, values: [String]? = nil) {
            self.key = key
            self.operator = `operator`
            self.values = values
        }

        func isMet(by labels: [String: String]) -> Bool {
            let value = labels[key]
            return switch `operator` {
            case .isIn: value.map { (values ?? []).contains($0) } ?? false
            case .isNotIn: value.map { !(values ?? []).contains($0) } ?? true
            case .exists: value != nil
            case .doesNotExist: value == nil
            }
        }
    }
    /// Labels with their values.
    public var matchLabels: [String: String]?
    /// Further demands; all must be met.
    public var matchExpressions: [Requirement]?

    /// Makes a selector.
    public init(matchLabels: [String: String]? = nil, matchExpressions: [Requirement]? = nil) {
        self.matchLabels = matchLabels
        self.matchExpressions = matchExpressions
    }

    /// Whether an object with these labels is meant.
    public func matches(_ labels: [String: String]) -> Bool {
        (matchLabels ?? [:]).allSatisfy { labels[$0.key] == $0.value }
            && (matchExpressions ?? []).allSatisfy { $0.isMet(by: labels) }
    }

    func problems() -> [FieldProblem] {
        (matchExpressions ?? []).enumerated().compactMap { index, requirement in
            let needsValues = requirement.operator == .isIn || requirement.operator == .isNotIn
            if needsValues == !(requirement.values ?? []).isEmpty { return nil }
            return FieldProblem(
                "matchExpressions[\(index)].values",
                needsValues
                    ? "is needed with operator \(requirement.operator.rawValue)"
                    : "must be absent with operator \(requirement.operator.rawValue)"
            )
        }
    }
}
