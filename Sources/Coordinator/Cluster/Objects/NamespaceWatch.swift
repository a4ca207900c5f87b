import BackupModel
import Injector
import Kubernetes
import Logging

/// The namespaces: their labels, and whether they are being deleted.
///
/// Every replica follows them.
final class NamespaceWatch: NamespaceFactsSource {
    private let informer: Informer
    /// What namespaces with agents demand; nil: nobody asks.
    private let limits: NamespaceLimits?

    init(
        client: KubernetesClient,
        timing: WatchTiming = WatchTiming(),
        limits: NamespaceLimits? = nil,
        logger: Logger,
        changed: @escaping @Sendable () -> Void = {}
    ) {
        self.limits = limits
        informer = Informer(
            client,
            .namespaces,
            options: ListOptions(isMetadataOnly: true),
            timing: timing,
            trim: { $0.annotations = [:] },
            onTrouble: { logger.warning("\($0)") },
            onChange: { change in
                if case .deleted(let namespace) = change { limits?.forget(namespace.name) }
                changed()
            }
        )
    }

    /// Follows them until the task is cancelled.
    func run() async {
        await withTaskGroup { group in
            group.addTask { await self.informer.run() }
            if let limits { group.addTask { await limits.run() } }
            await group.waitForAll()
        }
    }

    /// Waits until all were read once.
    func waitUntilSynced() async throws { try await informer.waitUntilSynced() }

    /// Whether all were read once.
    var isSynced: Bool { informer.isSynced }

    /// What the webhook may know of a namespace.
    func facts(of namespace: String) -> NamespaceFacts? {
        guard let labels = labels(of: namespace) else { return nil }
        var facts = NamespaceFacts(name: namespace, labels: labels)
        if let limits = limits?.limits(of: namespace) { facts.take(limits) }
        return facts
    }

    /// Labels of a namespace; nil when there is none of that name.
    func labels(of namespace: String) -> [String: String]? { informer.object(named: namespace)?.labels }

    /// Whether a namespace exists and isn't being deleted.
    func isAlive(_ namespace: String) -> Bool { informer.object(named: namespace).map { !$0.isBeingDeleted } ?? false }

    /// Labels of all namespaces.
    var labels: [String: [String: String]] {
        Dictionary(informer.objects.map { ($0.name, $0.labels) }) { $1 }
    }

    /// Names of those that are being deleted.
    var ending: Set<String> { Set(informer.objects.filter(\.isBeingDeleted).map(\.name)) }
}
