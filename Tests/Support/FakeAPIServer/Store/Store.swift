import Kubernetes
import Synchronization

/// Where an object is kept.
struct ObjectKey: Sendable, Hashable, Comparable {
    var namespace: String
    var name: String

    static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}

/// One change that was made.
struct LogEntry: Sendable {
    enum Change: Sendable { case added, modified, deleted }

    var revision: Int64
    var resource: GroupResource
    var key: ObjectKey
    var change: Change
    /// As it is now; of a deleted one, as it was last.
    var object: JSONTree
    var previous: JSONTree?
}

/// All objects, their changes of late, and who waits for more of them.
final class Store: Sendable {
    /// What is changed under one lock.
    struct State: Sendable {
        var revision: Int64
        var registry = Registry()
        private(set) var objects: [GroupResource: [ObjectKey: JSONTree]] = [:]
        /// Where the object with a uid is.
        private var places: [String: (resource: GroupResource, key: ObjectKey)] = [:]
        private(set) var log: [LogEntry] = []
        /// Changes up to this one are forgotten.
        private(set) var compacted: Int64
        var isClosed = false
        let historyWindow: Int

        init(revision: Int64, historyWindow: Int) {
            self.revision = revision
            compacted = revision
            self.historyWindow = historyWindow
        }

        func object(_ resource: GroupResource, _ key: ObjectKey) -> JSONTree? { objects[resource]?[key] }

        func all(_ resource: GroupResource) -> [ObjectKey: JSONTree] { objects[resource] ?? [:] }

        /// Whether all owners that an object names are there, and stay.
        func hasOwners(_ object: JSONTree) -> Bool {
            object.ownerReferences.allSatisfy { reference in
                guard let (resource, key) = places[reference["uid"]?.string ?? ""],
                    let owner = self.object(resource, key)
                else { return false }
                return (key.namespace.isEmpty || key.namespace == object.namespace)
                    && key.name == reference["name"]?.string && !owner.isTerminating
            }
        }

        /// Stores an object; gives it back with its new version.
        @discardableResult
        mutating func put(_ object: JSONTree, _ resource: GroupResource) -> JSONTree {
            revision += 1
            var object = object
            object.set("metadata", "resourceVersion", to: .string(String(revision)))
            let key = ObjectKey(namespace: object.namespace, name: object.name)
            let previous = objects[resource, default: [:]].updateValue(object, forKey: key)
            if previous == nil { places[object.uid] = (resource, key) }
            append(resource, key, previous == nil ? .added : .modified, object, previous)
            return object
        }

        /// Takes an object away; gives it back as watchers see it last.
        @discardableResult
        mutating func remove(_ resource: GroupResource, _ key: ObjectKey) -> JSONTree? {
            guard let previous = objects[resource]?.removeValue(forKey: key) else { return nil }
            places[previous.uid] = nil
            revision += 1
            var last = previous
            last.set("metadata", "resourceVersion", to: .string(String(revision)))
            append(resource, key, .deleted, last, previous)
            return last
        }

        private mutating func append(
            _ resource: GroupResource,
            _ key: ObjectKey,
            _ change: LogEntry.Change,
            _ object: JSONTree,
            _ previous: JSONTree?
        ) {
            log.append(
                LogEntry(
                    revision: revision,
                    resource: resource,
                    key: key,
                    change: change,
                    object: object,
                    previous: previous
                )
            )
            // By halves, so that forgetting costs little on average.
            if log.count > historyWindow * 2 { compact(keeping: historyWindow) }
        }

        /// Forgets all but the newest changes.
        mutating func compact(keeping count: Int) {
            guard log.count > count else { return }
            let dropped = log.count - count
            compacted = log[dropped - 1].revision
            log.removeFirst(dropped)
        }

        /// Forgets all changes so far, as a compaction in the store below a real server does.
        mutating func compactAll() {
            log.removeAll()
            compacted = revision
        }

        /// The changes after a revision, of one resource; nil when they are forgotten.
        func changes(after start: Int64, of resource: GroupResource) -> [LogEntry]? {
            guard start >= compacted else { return nil }
            let index = log.partitioningIndex { $0.revision > start }
            return log[index...].filter { $0.resource == resource }
        }

        /// The changes after a revision, of all resources; nil when they are forgotten.
        func changes(after start: Int64) -> ArraySlice<LogEntry>? {
            guard start >= compacted else { return nil }
            return log[log.partitioningIndex { $0.revision > start }...]
        }

        /// The objects of one resource as they were; nil when that is forgotten.
        func snapshot(of resource: GroupResource, at wanted: Int64) -> [ObjectKey: JSONTree]? {
            guard wanted >= compacted else { return nil }
            var result = all(resource)
            for entry in log.reversed() {
                if entry.revision <= wanted { break }
                if entry.resource == resource { result[entry.key] = entry.previous }
            }
            return result
        }
    }

    private let state: Mutex<State>
    /// Rings with the revision of every change.
    let bell = Bell()

    init(historyWindow: Int) {
        // Far from 1, so that nobody takes it for a count of anything.
        state = Mutex(State(revision: Int64.random(in: 1_000..<90_000), historyWindow: historyWindow))
    }

    func read<Result>(_ body: (borrowing State) throws -> sending Result) rethrows -> sending Result {
        try state.withLock { try body($0) }
    }

    /// Changes the state; whoever waits is woken when anything was stored.
    func write<Result>(_ body: (inout State) throws -> sending Result) rethrows -> sending Result {
        defer { bell.ring(state.withLock { $0.revision }) }
        return try state.withLock { try body(&$0) }
    }

    /// Ends every watch.
    func close() {
        state.withLock { $0.isClosed = true }
        bell.close()
    }
}

extension Array {
    /// The first index whose element is in the second part; the array must be parted.
    fileprivate func partitioningIndex(_ isInSecond: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isInSecond(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
