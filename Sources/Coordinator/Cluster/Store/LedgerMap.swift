import BackupModel
import Kubernetes

/// Locks whose sessions' objects are gone, as a ConfigMap holds them: deleting anything never loses a lock.
struct LedgerMap: Sendable, Hashable {
    /// By id; only open ones.
    private(set) var locks: [String: LockRecord] = [:]
    /// The ConfigMap's version as we know it; empty: it isn't there.
    var resourceVersion = ""

    init() {}

    /// Takes a lock in; one that has ended goes.
    mutating func keep(_ lock: LockRecord) { locks[lock.id] = lock.isOpen ? lock : nil }

    /// The ConfigMap, as a leader of `epoch` writes it.
    func object(namespace: String, epoch: Int64) throws(StoreError) -> KubernetesObject {
        var object = KubernetesObject(.configMaps, name: ClusterNames.ledger, namespace: namespace)
        object.resourceVersion = resourceVersion
        object.labels = [ClusterNames.managedBy: ClusterNames.fieldManager]
        object.annotations = [ClusterNames.epoch: "\(epoch)"]
        var data: [String: JSONTree] = [:]
        do {
            for (id, lock) in locks {
                data[Self.entry(id)] = .string(String(decoding: try WireJSON.encode(lock), as: UTF8.self))
            }
        } catch {
            throw StoreError(description: "the ledger can't be written as JSON: \(error)")
        }
        object["data"] = .object(data)
        return object
    }

    /// Ids hold a slash, which names of entries must not.
    private static func entry(_ id: String) -> String { id.split(separator: "/").joined(separator: ".") }

    /// Reads the ConfigMap; what can't be read is told, and stays out.
    init(_ object: KubernetesObject, problems: inout [String]) {
        resourceVersion = object.resourceVersion
        for (name, value) in object["data"]?.object ?? [:] {
            do {
                keep(try WireJSON.decode(LockRecord.self, from: Array((value.string ?? "").utf8)))
            } catch {
                problems.append("ConfigMap \(object.key): entry \(name) is no lock that can be read: \(error)")
            }
        }
    }

    /// The epoch of who wrote a ConfigMap.
    static func epoch(of object: KubernetesObject) -> Int64 {
        object.annotations[ClusterNames.epoch].flatMap { Int64($0) } ?? 0
    }
}
