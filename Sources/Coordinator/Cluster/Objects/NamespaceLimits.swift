import CPlatform
import Injector
import Kubernetes
import Logging
import Synchronization

/// LimitRanges and quotas of the namespaces that have or want agents, as the webhook has to know them: from memory.
///
/// They are listed each minute, and at first sight of a namespace; nobody watches them, since hardly any namespace has
/// some. What isn't known yet counts as none: a pod that is refused for it is tried again by its controller.
final class NamespaceLimits: Sendable {
    private struct State {
        var known: [String: NamespaceFacts.Limits] = [:]
        var wanted: Set<String> = []
        var trouble: String?
    }

    private let client: KubernetesClient
    private let logger: Logger
    private let interval: Duration
    private let state = Mutex(State())
    private let calls: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// More namespaces than these are asked about all at once.
    private static let mostAlone = 10

    init(client: KubernetesClient, interval: Duration = .seconds(60), logger: Logger) {
        self.client = client
        self.logger = logger
        self.interval = interval
        (calls, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// What is known of a namespace; it is looked at soon if that is nothing.
    func limits(of namespace: String) -> NamespaceFacts.Limits? {
        let (limits, isNew) = state.withLock { ($0.known[namespace], $0.wanted.insert(namespace).inserted) }
        if isNew { wake.yield() }
        return limits
    }

    /// A namespace is gone.
    func forget(_ namespace: String) {
        state.withLock { state in
            state.wanted.remove(namespace)
            state.known[namespace] = nil
        }
    }

    /// Looks at them until the task is cancelled.
    func run() async {
        await findNamespaces()
        await withTaskGroup { group in
            group.addTask { [interval, wake] in
                while await pause(interval) { wake.yield() }
            }
            group.addTask { for await _ in self.calls { await self.look() } }
            wake.yield()
            await group.waitForAll()
        }
    }

    /// A replica that has just started has been asked about no pod yet.
    private func findNamespaces() async {
        // Page by page, which an answer from the API server's memory isn't: there may be ten thousands.
        let options = ListOptions(labelSelector: "\(ClusterNames.injected)=true", isMetadataOnly: true)
        do {
            var namespaces: Set<String> = []
            let nothing = KubernetesObject(.pods, name: "")
            _ = try await client.list(.pods, options: options) { pod in
                namespaces.insert(pod.namespace)
                return nothing
            }
            state.withLock { $0.wanted.formUnion(namespaces) }
            remora_release_memory()
        } catch {
            logger.warning(
                "namespaces with agents can't be looked for, so their limits are known only when asked for: \(error)"
            )
        }
    }

    private func look() async {
        let wanted = state.withLock(\.wanted)
        guard !wanted.isEmpty else { return }
        do {
            let places: [String?] = wanted.count > Self.mostAlone ? [nil] : wanted.sorted().map { $0 }
            var ranges: [String: [JSONTree]] = [:]
            var quotas: [String: [JSONTree]] = [:]
            let options = ListOptions(isFromCache: true)
            for place in places {
                for object in try await client.list(.limitRanges, namespace: place, options: options).items {
                    ranges[object.namespace, default: []].append(object.tree)
                }
                for object in try await client.list(.resourceQuotas, namespace: place, options: options).items {
                    quotas[object.namespace, default: []].append(object.tree)
                }
            }
            let found = Dictionary(
                uniqueKeysWithValues: wanted.map { name in
                    (name, NamespaceFacts.Limits(limitRanges: ranges[name] ?? [], quotas: quotas[name] ?? []))
                }
            )
            state.withLock { state in
                state.known = found.filter { state.wanted.contains($0.key) }
                state.trouble = nil
            }
        } catch {
            let text = "\(error)"
            let isNews = state.withLock { state in
                defer { state.trouble = text }
                return state.trouble != text
            }
            // Said once: what was known stays, and it is tried again each minute.
            if isNews, !error.isCancelled { logger.warning("limits of namespaces with agents can't be read: \(text)") }
        }
    }
}
