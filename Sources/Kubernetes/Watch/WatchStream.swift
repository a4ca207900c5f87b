import HTTPClient

/// What a watch reports.
public enum WatchEvent: Sendable, Hashable {
    /// An object is there that wasn't.
    case added(KubernetesObject)
    /// An object changed.
    case modified(KubernetesObject)
    /// An object is gone; this was its last state.
    case deleted(KubernetesObject)
    /// Nothing happened up to this version: where to go on later.
    case bookmark(resourceVersion: String)
}

/// The events of one watch, as they come; for one reader.
public struct WatchStream: ~Copyable {
    private let body: HTTPBody
    private var iterator: HTTPBody.Iterator
    private var framer = LineFramer()
    private let summary: String

    init(body: HTTPBody, summary: String) {
        self.body = body
        self.summary = summary
        iterator = body.makeAsyncIterator()
    }

    /// The next event; nil when the server ended the watch, as it does after some minutes.
    ///
    /// - Throws: `.expired` when a new list is needed; whatever else the server said; `.timedOut` for a dead connection.
    public mutating func next() async throws(KubernetesError) -> WatchEvent? {
        while true {
            if let line = framer.next() {
                if let event = try event(line) { return event }
                continue
            }
            let chunk: [UInt8]?
            do {
                chunk = try await iterator.next()
            } catch {
                throw .transport(error, summary: summary)
            }
            // A line without its end is the rest of an event that will come again: the version before it counts.
            guard let chunk else { return nil }
            guard framer.append(chunk) else {
                throw KubernetesError(
                    .malformedAnswer,
                    "cannot \(summary): an event is longer than \(LineFramer.longest) bytes"
                )
            }
        }
    }

    /// One line; nil for a type of event that we don't know.
    private func event(_ line: [UInt8]) throws(KubernetesError) -> WatchEvent? {
        let tree: JSONTree
        do {
            tree = try JSONTree(parsing: line)
        } catch {
            throw KubernetesError(
                .malformedAnswer,
                "cannot \(summary): an event can't be read: \(error)",
                isTransient: true
            )
        }
        guard let type = tree["type"]?.string, let object = tree["object"] else {
            throw KubernetesError(
                .malformedAnswer,
                "cannot \(summary): an event has no type or no object",
                isTransient: true
            )
        }
        switch type {
        case "ADDED": return .added(KubernetesObject(object))
        case "MODIFIED": return .modified(KubernetesObject(object))
        case "DELETED": return .deleted(KubernetesObject(object))
        case "BOOKMARK": return .bookmark(resourceVersion: KubernetesObject(object).resourceVersion)
        case "ERROR":
            guard let told = APIStatus(object) else {
                throw KubernetesError(
                    .unavailable,
                    "cannot \(summary): the server reports an error and doesn't say which",
                    isTransient: true
                )
            }
            throw Answer.error(told, status: told.code, headers: nil, summary: summary)
        default: return nil
        }
    }
}

/// How long a watch lasts and when it counts as dead.
public struct WatchTiming: Sendable {
    /// The server ends a watch after so many seconds, chosen by chance from this range.
    public var seconds: ClosedRange<Int>
    /// Without a byte for so long the connection is dead: the server sends a bookmark each minute.
    public var silence: Duration
    /// A watch that ended sooner and without any event failed.
    public var veryShort: Duration
    /// The longest pause before the second try; each further one may be twice as long.
    public var firstDelay: Duration
    /// The longest pause.
    public var longestDelay: Duration
    /// A watch that worked for so long makes earlier failures count no more.
    public var healthy: Duration

    /// Makes one; the defaults are those of the Kubernetes client libraries.
    public init(
        seconds: ClosedRange<Int> = 300...600,
        silence: Duration = .seconds(150),
        veryShort: Duration = .seconds(1),
        firstDelay: Duration = .milliseconds(800),
        longestDelay: Duration = .seconds(30),
        healthy: Duration = .seconds(120)
    ) {
        self.seconds = seconds
        self.silence = silence
        self.veryShort = veryShort
        self.firstDelay = firstDelay
        self.longestDelay = longestDelay
        self.healthy = healthy
    }
}

extension KubernetesClient {
    /// Watches the objects of a kind from a moment on; an ``Informer`` does so for ever.
    ///
    /// It is tried once: whoever reads it has to know where to go on.
    ///
    /// - Parameters:
    ///   - resource: the kind.
    ///   - namespace: nil for all namespaces.
    ///   - options: which of them.
    ///   - resourceVersion: a list's, or that of the last event or bookmark.
    ///   - timing: how long it lasts.
    /// - Returns: the events as they come.
    /// - Throws: `.expired` when a new list is needed, among others.
    public func watch(
        _ resource: APIResource,
        namespace: String? = nil,
        options: ListOptions = ListOptions(),
        from resourceVersion: String,
        timing: WatchTiming = WatchTiming()
    ) async throws(KubernetesError) -> WatchStream {
        let place = try ResourcePath(resource, namespace: namespace)
        let span = Double(timing.seconds.upperBound - timing.seconds.lowerBound)
        let seconds = timing.seconds.lowerBound + Int(span * time.chance())
        let query = ResourcePath.query([
            ("watch", "1"), ("allowWatchBookmarks", "true"), ("resourceVersion", resourceVersion),
            ("timeoutSeconds", "\(seconds)"), ("labelSelector", options.labelSelector),
            ("fieldSelector", options.fieldSelector),
        ])
        var call = Call("GET", place.path + query, "watch \(place.summary)", .harmless)
        if options.isMetadataOnly { call.accept = MediaType.metadataList }
        // Over a kept connection that has gone dead, its silence would be noticed minutes later.
        call.avoidsKeptConnections = true
        var isRenewed = false
        while true {
            do {
                return try await begin(call, timing)
            } catch {
                guard error.isUnauthorized, !isRenewed else { throw error }
                isRenewed = true
                await configuration.access.forget()
            }
        }
    }

    private func begin(_ call: Call, _ timing: WatchTiming) async throws(KubernetesError) -> WatchStream {
        var (client, request) = try await prepare(call)
        request.timeout = nil
        request.idleTimeout = timing.silence
        let response: HTTPStreamedResponse
        do {
            response = try await client.stream(request)
        } catch {
            throw .transport(error, summary: call.summary)
        }
        guard response.status != 200 else { return WatchStream(body: response.body, summary: call.summary) }
        let body: [UInt8]
        do {
            body = try await response.body.collect(upTo: 1 << 20)
        } catch {
            throw .transport(error, summary: call.summary)
        }
        _ = try Answer.judge(
            status: response.status,
            headers: response.headers,
            body: body,
            summary: call.summary,
            host: configuration.server
        )
        throw KubernetesError(
            .malformedAnswer,
            "cannot \(call.summary): the server answered \(response.status) instead of events",
            isTransient: true
        )
    }
}
