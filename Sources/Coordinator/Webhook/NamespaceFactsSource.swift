public import Injector
import Synchronization

/// What is known of namespaces, from memory: the webhook asks nobody while a pod waits.
public protocol NamespaceFactsSource: Sendable {
    /// What is known of a namespace; nil when nothing is.
    func facts(of namespace: String) -> NamespaceFacts?
}

/// Facts about namespaces that somebody keeps current.
public final class NamespaceCache: NamespaceFactsSource {
    private let known = Mutex<[String: NamespaceFacts]>([:])

    /// Makes an empty cache.
    public init() {}

    /// What is known of a namespace.
    public func facts(of namespace: String) -> NamespaceFacts? { known.withLock { $0[namespace] } }

    /// Sets what is known of one namespace.
    public func set(_ facts: NamespaceFacts) { known.withLock { $0[facts.name] = facts } }

    /// Forgets a namespace.
    public func remove(_ namespace: String) { known.withLock { _ = $0.removeValue(forKey: namespace) } }

    /// Sets what is known of all namespaces; others are forgotten.
    public func replaceAll(_ facts: [NamespaceFacts]) {
        let all = Dictionary(facts.map { ($0.name, $0) }) { $1 }
        known.withLock { $0 = all }
    }
}
