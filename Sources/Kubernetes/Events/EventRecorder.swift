import BackupModel
import Synchronization

/// An object as an event names it.
public struct ObjectReference: Sendable, Hashable {
    /// Group and version.
    public var apiVersion: String
    /// The kind.
    public var kind: String
    /// The namespace; empty for what lives in none.
    public var namespace: String
    /// The name.
    public var name: String
    /// The identity.
    public var uid: String

    /// A reference to an object that the API server has given back.
    public init(_ object: KubernetesObject) {
        apiVersion = object.apiVersion
        kind = object.kind
        namespace = object.namespace
        name = object.name
        uid = object.uid
    }

    var tree: JSONTree {
        var tree: JSONTree = ["apiVersion": .string(apiVersion), "kind": .string(kind), "name": .string(name)]
        if !namespace.isEmpty { tree["namespace"] = .string(namespace) }
        if !uid.isEmpty { tree["uid"] = .string(uid) }
        return tree
    }
}

/// Tells people who look at an object what happened to it.
///
/// The same thing told again within six minutes becomes a series: its event is counted up, and written only now and then.
public final class EventRecorder: Sendable {
    /// How bad it is.
    public enum Kind: String, Sendable {
        /// As it should be.
        case normal = "Normal"
        /// A person may have to do something.
        case warning = "Warning"
    }

    private struct Topic: Hashable {
        var regarding: ObjectReference
        var kind: Kind
        var reason: String
        var action: String
    }

    private struct Series {
        var name: String
        var count: Int64
        var told: Duration
        var written: Duration
    }

    private let client: KubernetesClient
    private let controller: String
    private let instance: String
    private let series = Mutex<[Topic: Series]>([:])

    /// What is told again later than this is a new event.
    private static let seriesEnd = Duration.seconds(360)
    /// A long series is written this often at most.
    private static let writeInterval = Duration.seconds(60)

    /// Makes a recorder.
    ///
    /// - Parameters:
    ///   - client: calls the API server.
    ///   - controller: who tells, with a domain, like `remora.dev/coordinator`.
    ///   - instance: which one of them, like the pod's name.
    public init(_ client: KubernetesClient, controller: String, instance: String) {
        self.client = client
        self.controller = controller
        self.instance = String(instance.prefix(128))
    }

    /// Tells something; nothing is lost but this when it fails, so callers may well log that and go on.
    ///
    /// - Parameters:
    ///   - note: for people; more than 1024 bytes are cut.
    ///   - object: what it is about.
    ///   - kind: how bad it is.
    ///   - reason: one word, like `BackupFailed`.
    ///   - action: what was done or tried, one word, like `Backup`.
    /// - Throws: what the API server says.
    public func tell(
        _ note: String,
        about object: KubernetesObject,
        kind: Kind = .normal,
        reason: String,
        action: String
    ) async throws(KubernetesError) {
        let topic = Topic(regarding: ObjectReference(object), kind: kind, reason: reason, action: action)
        let now = client.time.elapsed()
        let wall = client.time.wallClock()
        let namespace = object.namespace.isEmpty ? "default" : object.namespace
        let name = Self.name(for: object.name, wall)
        let step: (name: String, count: Int64)? = series.withLock { all in
            all = all.filter { now - $0.value.told < Self.seriesEnd }
            guard var series = all[topic] else {
                all[topic] = Series(name: name, count: 1, told: now, written: now)
                return (name, 1)
            }
            series.count += 1
            series.told = now
            // The second time at once, since that makes it a series; then seldom.
            let isWritten = series.count == 2 || now - series.written >= Self.writeInterval
            if isWritten { series.written = now }
            all[topic] = series
            return isWritten ? (series.name, series.count) : nil
        }
        guard let step else { return }
        do {
            if step.count > 1 {
                let change: JSONTree = ["series": Self.series(step.count, wall)]
                try await client.patch(.merge(change), of: .events, name: step.name, namespace: namespace)
            } else {
                try await client.create(event(step.name, namespace, topic, note, wall), as: .events)
            }
        } catch {
            // The next time begins anew: the event was deleted, or never written.
            series.withLock { $0[topic] = nil }
            guard error.isNotFound, step.count > 1 else { throw error }
            try await client.create(event(name, namespace, topic, note, wall), as: .events)
        }
    }

    private func event(
        _ name: String,
        _ namespace: String,
        _ topic: Topic,
        _ note: String,
        _ time: Timestamp
    ) -> KubernetesObject {
        var event = KubernetesObject(.events, name: name, namespace: namespace)
        event["eventTime"] = .string(time.microTime)
        event["type"] = .string(topic.kind.rawValue)
        event["reason"] = .string(String(topic.reason.prefix(128)))
        event["action"] = .string(String(topic.action.prefix(128)))
        event["note"] = .string(Self.cut(note, 1024))
        event["regarding"] = topic.regarding.tree
        event["reportingController"] = .string(controller)
        event["reportingInstance"] = .string(instance)
        return event
    }

    private static func series(_ count: Int64, _ time: Timestamp) -> JSONTree {
        ["count": .integer(count), "lastObservedTime": .string(time.microTime)]
    }

    /// The object's name and the time, as the Kubernetes client libraries do it.
    private static func name(for object: String, _ time: Timestamp) -> String {
        "\(object.prefix(230)).\(String(time.unixMs, radix: 16))"
    }

    /// So many bytes at most, without half a character at the end.
    static func cut(_ text: String, _ limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var rest = limit - "…".utf8.count
        let kept = text.prefix { character in
            rest -= character.utf8.count
            return rest >= 0
        }
        return kept + "…"
    }
}
