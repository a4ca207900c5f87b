import Synchronization

/// What happened to the objects that an informer keeps.
public enum ObjectChange: Sendable {
    /// An object is there that wasn't.
    case added(KubernetesObject)
    /// An object is another than before.
    case modified(old: KubernetesObject, new: KubernetesObject)
    /// An object is gone; this is its last state that we know of.
    case deleted(KubernetesObject)

    /// The object as it is now, or was last.
    public var object: KubernetesObject {
        switch self {
        case .added(let object), .deleted(let object): object
        case .modified(_, let new): new
        }
    }

    /// Namespace and name.
    public var key: ObjectKey { object.key }
}

/// A copy of the API server's objects of one kind that follows them: one list, then one watch for ever.
///
/// What broke is mended by itself: connections, and histories that the server has forgotten, after which a new list is
/// compared with the copy and what is gone is reported as deleted. ``run()`` has to be running for that.
public final class Informer: Sendable {
    /// The kind that it follows.
    public let resource: APIResource
    let client: KubernetesClient
    let namespace: String?
    let options: ListOptions
    let timing: WatchTiming
    private let trim: @Sendable (inout KubernetesObject) -> Void
    private let onTrouble: @Sendable (KubernetesError) -> Void
    private let onChange: @Sendable (ObjectChange) -> Void
    private let store = ObjectStore()

    /// Makes an informer that knows nothing yet.
    ///
    /// - Parameters:
    ///   - client: calls the API server.
    ///   - resource: the kind to follow.
    ///   - namespace: nil for all namespaces.
    ///   - options: which objects of the kind.
    ///   - timing: of its watches.
    ///   - trim: takes out of each object what nobody needs to keep; `metadata.managedFields` is out already.
    ///   - onTrouble: told of each failure before it is tried again, for the log.
    ///   - onChange: told of each change in their order, after the copy has it. It must be quick: add a key to a queue.
    public init(
        _ client: KubernetesClient,
        _ resource: APIResource,
        namespace: String? = nil,
        options: ListOptions = ListOptions(),
        timing: WatchTiming = WatchTiming(),
        trim: @escaping @Sendable (inout KubernetesObject) -> Void = { _ in },
        onTrouble: @escaping @Sendable (KubernetesError) -> Void = { _ in },
        onChange: @escaping @Sendable (ObjectChange) -> Void = { _ in }
    ) {
        self.client = client
        self.resource = resource
        self.namespace = namespace
        self.options = options
        self.timing = timing
        self.trim = trim
        self.onTrouble = onTrouble
        self.onChange = onChange
    }

    // MARK: The copy

    /// Whether the copy was complete once; before that, what isn't in it may well exist.
    public var isSynced: Bool { store.isSynced }

    /// All objects, sorted by key.
    ///
    /// - Complexity: O(n log n); for single objects use the subscript.
    public var objects: [KubernetesObject] { store.all }

    /// How many objects there are.
    public var count: Int { store.count }

    /// The object of that key, or nil.
    public subscript(key: ObjectKey) -> KubernetesObject? { store[key] }

    /// The object of that name, or nil.
    public func object(named name: String, in namespace: String = "") -> KubernetesObject? {
        store[ObjectKey(namespace: namespace, name: name)]
    }

    /// The objects of one namespace, sorted by name.
    public func objects(in namespace: String) -> [KubernetesObject] {
        store.all.filter { $0.namespace == namespace }
    }

    /// Waits until the copy was complete once.
    ///
    /// - Throws: `.cancelled` when the task was.
    public func waitUntilSynced() async throws(KubernetesError) {
        guard await store.waitUntilSynced() else { throw .cancelled("waiting for \(resource.qualifiedName)") }
    }

    // MARK: Following

    /// Follows the API server until the task is cancelled.
    public func run() async {
        var loop = InformerLoop(timing: timing, time: client.time)
        while !Task.isCancelled {
            do {
                let version = try await current(&loop)
                try await follow(from: version, &loop)
            } catch {
                guard !error.isCancelled else { return }
                loop.failed(error)
                onTrouble(error)
            }
            let pause = loop.pause()
            guard pause > .zero else { continue }
            // Cancelled: the loop's condition ends it.
            try? await client.time.sleep(pause)
        }
    }

    /// Where the next watch begins; a new list, if need be.
    private func current(_ loop: inout InformerLoop) async throws(KubernetesError) -> String {
        if let version = loop.resourceVersion { return version }
        // Page by page: a list of everything as it comes takes several times what is kept of it.
        let list = try await client.list(resource, namespace: namespace, options: options, retry: .never, kept: kept)
        for change in store.replace(by: list.items) { onChange(change) }
        store.markSynced()
        loop.resourceVersion = list.resourceVersion
        return list.resourceVersion
    }

    private func follow(from version: String, _ loop: inout InformerLoop) async throws(KubernetesError) {
        loop.begin()
        var stream = try await client.watch(
            resource,
            namespace: namespace,
            options: options,
            from: version,
            timing: timing
        )
        while let event = try await stream.next() {
            loop.heard()
            let change: ObjectChange?
            let seen: String
            switch event {
            case .bookmark(let version):
                seen = version
                change = nil
            case .added(let object), .modified(let object):
                seen = object.resourceVersion
                change = store.put(kept(object))
            case .deleted(let object):
                seen = object.resourceVersion
                change = store.remove(kept(object))
            }
            if !seen.isEmpty { loop.resourceVersion = seen }
            if let change { onChange(change) }
        }
        loop.ended()
    }

    private func kept(_ object: KubernetesObject) -> KubernetesObject {
        var object = object
        if object.metadata["managedFields"] != nil { object.metadata["managedFields"] = nil }
        trim(&object)
        return object
    }
}
