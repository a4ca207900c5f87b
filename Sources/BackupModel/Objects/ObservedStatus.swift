/// What was observed of an object that has nothing but conditions.
public struct ObservedStatus: Codable, Sendable, Hashable {
    /// The generation of the spec that this is about.
    public var observedGeneration: Int64?
    /// `Ready` and what stands behind it.
    public var conditions: [Condition]

    /// Makes a status.
    public init(conditions: [Condition] = [], observedGeneration: Int64? = nil) {
        self.conditions = conditions
        self.observedGeneration = observedGeneration
    }
}
