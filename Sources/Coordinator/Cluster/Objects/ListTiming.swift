import Kubernetes

/// How often the kinds are listed that are not watched: hardly anybody changes them.
public struct ListTiming: Sendable {
    /// While something names an object of the kind: an edit is noticed within this time.
    public var used = Duration.seconds(20)
    /// While nothing does.
    public var unused = Duration.seconds(120)
    /// Where the API server doesn't know the kind, or doesn't show it to us.
    public var absent = Duration.seconds(600)
    /// Least time between two lists, even when something names an object that wasn't there.
    public var shortest = Duration.seconds(2)

    /// Makes times; the defaults are for production.
    public init() {}

    /// Whether a kind is to be listed now.
    ///
    /// - Parameters:
    ///   - last: how the last list went, and how long ago; nil: there was none.
    ///   - wanted: what is named by something now.
    /// - Returns: true when it is due.
    func isDue(_ last: (outcome: Listing.Outcome, age: Duration)?, wanted: Set<String>) -> Bool {
        guard let (outcome, age) = last else { return true }
        switch outcome {
        case .absent: return age >= absent
        case .failed: return age >= used
        case .listed(let names, let asked):
            // What is named and missing is asked for at once, and then no oftener than the rest.
            let isNews = !wanted.subtracting(names).isSubset(of: asked)
            return age >= (isNews ? shortest : wanted.isEmpty ? unused : used)
        }
    }
}

/// A kind that is listed now and then.
struct Listing: Sendable {
    /// How a list went.
    enum Outcome: Sendable, Hashable {
        /// Names of what is there, and what was named by something at the time.
        case listed(Set<String>, asked: Set<String>)
        case absent
        case failed
    }

    /// What was there.
    var objects: [KubernetesObject] = []
    var outcome: Outcome?
    var time: ContinuousClock.Instant?
    /// What was said of it last, so that it is said once.
    var trouble: String?
}
