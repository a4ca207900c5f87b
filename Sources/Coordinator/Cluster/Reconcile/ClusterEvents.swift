import BackupModel
import Kubernetes
import Logging

/// Tells people who look at objects what happened, beside everything else: an event that can't be written is not worth
/// waiting for.
final class ClusterEvents: Sendable {
    private struct Item: Sendable {
        var note: String
        var object: KubernetesObject
        var kind: EventRecorder.Kind
        var reason: String
        var action: String
    }

    private let items: AsyncStream<Item>
    private let continuation: AsyncStream<Item>.Continuation
    private let recorder: EventRecorder
    private let logger: Logger

    /// More than these wait for nobody.
    private static let mostWaiting = 1000

    init(recorder: EventRecorder, logger: Logger) {
        (items, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.mostWaiting))
        self.recorder = recorder
        self.logger = logger
    }

    /// Tells something about an object, soon.
    func tell(
        _ note: String,
        about object: KubernetesObject,
        kind: EventRecorder.Kind,
        reason: String,
        action: String
    ) {
        continuation.yield(Item(note: note, object: object, kind: kind, reason: reason, action: action))
    }

    /// Writes events until the task is cancelled.
    func run() async {
        for await item in items {
            do {
                try await recorder.tell(
                    item.note,
                    about: item.object,
                    kind: item.kind,
                    reason: item.reason,
                    action: item.action
                )
            } catch {
                logger.debug("an event about \(item.object.kind) \(item.object.key) could not be written: \(error)")
            }
        }
    }

    /// What happened in a session, as far as people want to see it on objects.
    static func of(_ session: SessionState, _ event: SessionEventView) -> (reason: String, kind: EventRecorder.Kind)? {
        let what = session.kind == .backup ? "Backup" : "Restore"
        return switch event.type {
        case "Started", "Succeeded", "Cancelled": ("\(what)\(event.type)", .normal)
        case "Failed", "Skipped": ("\(what)\(event.type)", .warning)
        case "RepositoryNotReady": ("RepositoryUnreachable", .warning)
        case "Retrying", "JobLost", "CleanupIncomplete": ("\(what)\(event.type)", .warning)
        default: nil
        }
    }
}

extension PodFact {
    /// The object that events about the pod belong to: what manages it, or else the pod itself.
    var owner: KubernetesObject {
        if let controller { return controller.object(in: key.namespace) }
        var object = KubernetesObject(["apiVersion": "v1", "kind": "Pod", "metadata": ["uid": .string(uid)]])
        object.name = key.name
        object.namespace = key.namespace
        return object
    }
}
