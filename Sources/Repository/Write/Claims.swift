import Synchronization

/// Blobs that a writer took on and that no durable index file names yet: what keeps two tasks from storing one twice.
final class Claims: Sendable {
    struct Key: Hashable {
        var id: BlobID
        var type: BlobType
    }

    private let repository: Repository
    private let claimed = Mutex<Set<Key>>([])

    init(_ repository: Repository) { self.repository = repository }

    /// Whether the blob is indexed, or on its way by this writer.
    func isKnown(_ key: Key) -> Bool {
        repository.contains(key.id, key.type) || claimed.withLock { $0.contains(key) }
            || repository.contains(key.id, key.type)
    }

    /// Takes a blob on; false if it is known.
    ///
    /// The index is asked under the lock: blobs enter it before they leave `claimed`.
    func claim(_ key: Key) -> Bool {
        claimed.withLock { claimed in
            guard !claimed.contains(key), !repository.contains(key.id, key.type) else { return false }
            return claimed.insert(key).inserted
        }
    }

    /// An index file with these packs is durable: everybody may rely on their blobs now.
    func indexed(_ file: ObjectID, _ packs: [IndexedPack]) {
        repository.index.withLock { $0.add(file: file, packs) }
        claimed.withLock { claimed in
            for pack in packs {
                for blob in pack.blobs { claimed.remove(Key(id: blob.id, type: blob.type)) }
            }
        }
    }

    /// Whether no blob is on its way.
    var isEmpty: Bool { claimed.withLock { $0.isEmpty } }
}
