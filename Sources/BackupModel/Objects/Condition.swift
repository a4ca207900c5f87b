/// One observation about an object: the contract of its status (`metav1.Condition`).
public struct Condition: Codable, Sendable, Hashable {
    /// Whether the observation holds.
    public enum Status: String, Codable, Sendable, CaseIterable {
        case yes = "True"
        case no = "False"
        case unknown = "Unknown"
    }

    /// What is observed, like `Succeeded`; one condition a type.
    public var type: String
    /// Whether it holds.
    public var status: Status
    /// Why, one CamelCase word for programs.
    public var reason: String
    /// Why, one sentence for people.
    public var message: String
    /// When `status` last changed.
    public var lastTransitionTime: Timestamp
    /// The generation of the spec that it is about.
    public var observedGeneration: Int64?

    /// Makes a condition.
    public init(
        type: String,
        status: Status,
        reason: String,
        message: String,
        lastTransitionTime: Timestamp,
        observedGeneration: Int64? = nil
    ) {
        self.type = type
        self.status = status
        self.reason = reason
        self.message = message
        self.lastTransitionTime = lastTransitionTime
        self.observedGeneration = observedGeneration
    }
}

extension [Condition] {
    /// The condition of a type.
    public subscript(type type: String) -> Condition? { first { $0.type == type } }

    /// Sets a condition; the time of the last transition changes only when the status does.
    public mutating func set(
        _ type: String,
        _ status: Condition.Status,
        reason: String,
        message: String,
        now: Timestamp,
        observedGeneration: Int64? = nil
    ) {
        guard let index = firstIndex(where: { $0.type == type }) else {
            append(
                Condition(
                    type: type,
                    status: status,
                    reason: reason,
                    message: message,
                    lastTransitionTime: now,
                    observedGeneration: observedGeneration
                )
            )
            return
        }
        if self[index].status != status { self[index].lastTransitionTime = now }
        self[index].status = status
        self[index].reason = reason
        self[index].message = message
        if let observedGeneration { self[index].observedGeneration = observedGeneration }
    }
}
