/// Which objects of a kind, and how much of them.
public struct ListOptions: Sendable, Hashable {
    /// Like `remora.dev/injected=true`; nil for all.
    public var labelSelector: String?
    /// Like `metadata.name=orders`; nil for all.
    public var fieldSelector: String?
    /// Only `metadata` of each object, which costs a fraction.
    public var isMetadataOnly: Bool
    /// Objects to an answer; more are fetched by further calls.
    public var pageSize: Int
    /// Whether the API server may answer from its memory, which costs the storage behind it nothing and may be some
    /// moments old; lists only.
    public var isFromCache: Bool

    /// Makes options; the defaults take everything.
    public init(
        labelSelector: String? = nil,
        fieldSelector: String? = nil,
        isMetadataOnly: Bool = false,
        pageSize: Int = 500,
        isFromCache: Bool = false
    ) {
        self.labelSelector = labelSelector
        self.fieldSelector = fieldSelector
        self.isMetadataOnly = isMetadataOnly
        self.pageSize = pageSize
        self.isFromCache = isFromCache
    }
}

/// The objects of a list, and from where a watch goes on.
public struct ObjectList: Sendable {
    /// The objects in the server's order.
    public var items: [KubernetesObject]
    /// The moment that the list shows; opaque.
    public var resourceVersion: String
}

extension KubernetesClient {
    /// Reads one object.
    ///
    /// - Parameters:
    ///   - resource: its kind.
    ///   - name: its name.
    ///   - namespace: its namespace; nil for what lives in none.
    ///   - isMetadataOnly: only its `metadata`.
    /// - Returns: the object.
    /// - Throws: `.notFound` among others.
    public func get(
        _ resource: APIResource,
        name: String,
        namespace: String? = nil,
        isMetadataOnly: Bool = false
    ) async throws(KubernetesError) -> KubernetesObject {
        try await get(resource, name: name, namespace: namespace) { call in
            if isMetadataOnly { call.accept = MediaType.metadata }
        }
    }

    func get(
        _ resource: APIResource,
        name: String,
        namespace: String?,
        adjust: (inout Call) -> Void
    ) async throws(KubernetesError) -> KubernetesObject {
        let place = try ResourcePath(resource, namespace: namespace, name: name)
        var call = Call("GET", place.path, "get \(place.summary)", .harmless)
        adjust(&call)
        return KubernetesObject(try await perform(call))
    }

    /// Reads all objects of a kind, page by page.
    ///
    /// - Parameters:
    ///   - resource: the kind.
    ///   - namespace: nil for all namespaces.
    ///   - options: which of them.
    ///   - kept: what to keep of each, asked as the pages come: many objects as a whole take much memory.
    /// - Returns: the objects and the moment that they show.
    /// - Throws: `.unknownResource` when the kind's definition isn't installed, among others.
    public func list(
        _ resource: APIResource,
        namespace: String? = nil,
        options: ListOptions = ListOptions(),
        kept: (KubernetesObject) -> KubernetesObject = { $0 }
    ) async throws(KubernetesError) -> ObjectList {
        try await list(resource, namespace: namespace, options: options, retry: nil, kept: kept)
    }

    func list(
        _ resource: APIResource,
        namespace: String?,
        options: ListOptions,
        retry: RetryRules?,
        kept: (KubernetesObject) -> KubernetesObject
    ) async throws(KubernetesError) -> ObjectList {
        let place = try ResourcePath(resource, namespace: namespace)
        var list = ObjectList(items: [], resourceVersion: "")
        var next: String?
        var limit: Int? = options.pageSize
        repeat {
            let query = ResourcePath.query([
                ("labelSelector", options.labelSelector), ("fieldSelector", options.fieldSelector),
                ("limit", limit.map { "\($0)" }), ("continue", next),
                // Any version that it has: not to be said again with a continuation, which names its own.
                ("resourceVersion", options.isFromCache && next == nil ? "0" : nil),
            ])
            var call = Call("GET", place.path + query, "list \(place.summary)", .harmless)
            if options.isMetadataOnly { call.accept = MediaType.metadataList }
            call.retry = retry
            call.largestAnswer = 512 << 20
            let page: JSONTree
            do {
                page = try await perform(call)
            } catch {
                guard error.isExpired, next != nil else { throw error }
                // The pages were fetched too slowly for the server's memory: once more, all at once.
                list.items = []
                next = nil
                limit = nil
                continue
            }
            guard let items = page["items"]?.array ?? (page["items"]?.isNull == true ? [] : nil) else {
                throw KubernetesError(.malformedAnswer, "cannot list \(place.summary): the answer has no items")
            }
            list.items += items.map { kept(KubernetesObject(Self.named($0, resource, options))) }
            // Every page carries the version of the first one.
            list.resourceVersion = page[path: "metadata", "resourceVersion"]?.string ?? ""
            next = page[path: "metadata", "continue"]?.string.flatMap { $0.isEmpty ? nil : $0 }
            if next == nil { return list }
        } while true
    }

    /// Lists leave out what all their items have in common.
    private static func named(_ item: JSONTree, _ resource: APIResource, _ options: ListOptions) -> JSONTree {
        guard item["kind"] == nil || item["apiVersion"] == nil else { return item }
        var item = item
        item["kind"] = .string(options.isMetadataOnly ? "PartialObjectMetadata" : resource.kind)
        item["apiVersion"] = .string(options.isMetadataOnly ? "meta.k8s.io/v1" : resource.apiVersion)
        return item
    }
}

/// What is asked for in `Accept`, and what bodies are.
enum MediaType {
    static let metadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    static let metadataList = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    static let mergePatch = "application/merge-patch+json"
    static let jsonPatch = "application/json-patch+json"
    static let applyPatch = "application/apply-patch+yaml"
}
