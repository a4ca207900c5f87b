import Synchronization

/// Objects in memory, for tests and the simulation.
///
/// Nothing is durable; everything else is as the contract of `ObjectStore` says.
public final class MemoryStore: ObjectStore {
    /// A name for people.
    public let location: String
    /// By the bytes of their keys: strings that look alike (é in one or two scalars) are equal to Swift, not to stores.
    private let objects = Mutex<[[UInt8]: [UInt8]]>([:])

    /// Makes an empty store.
    ///
    /// - Parameter location: how messages call it.
    public init(location: String = "memory") {
        self.location = location
    }

    /// Stores `bytes` under `key`.
    public func put(_ key: String, _ bytes: [UInt8], options: PutOptions) async throws {
        try ObjectKey.validate(key)
        try Task.checkCancellation()
        let isRefused = objects.withLock { objects in
            if options.ifAbsent, objects[Array(key.utf8)] != nil { return true }
            objects[Array(key.utf8)] = bytes
            return false
        }
        if isRefused { throw ObjectStorageError.alreadyExists(key, in: location) }
    }

    /// The object's bytes, or those of `range`.
    public func get(_ key: String, range: Range<Int>?) async throws -> [UInt8] {
        try ObjectKey.validate(key)
        try Task.checkCancellation()
        guard let bytes = objects.withLock({ $0[Array(key.utf8)] }) else {
            throw ObjectStorageError.notFound(key, in: location)
        }
        guard let range else { return bytes }
        guard range.lowerBound >= 0, range.upperBound <= bytes.count else {
            throw ObjectStorageError.outside(range, of: key, size: bytes.count, in: location)
        }
        return Array(bytes[range])
    }

    /// Size of one object.
    public func stat(_ key: String) async throws -> ObjectInfo {
        try ObjectKey.validate(key)
        try Task.checkCancellation()
        guard let size = objects.withLock({ $0[Array(key.utf8)]?.count }) else {
            throw ObjectStorageError.notFound(key, in: location)
        }
        return ObjectInfo(key: key, size: size)
    }

    /// All objects whose key begins with `prefix`.
    public func list(prefix: String) async throws -> [ObjectInfo] {
        try ObjectKey.validate(prefix: prefix)
        try Task.checkCancellation()
        return objects.withLock { objects in
            objects.compactMap { key, bytes in
                key.starts(with: prefix.utf8)
                    ? ObjectInfo(key: String(decoding: key, as: UTF8.self), size: bytes.count) : nil
            }
        }
    }

    /// Removes an object; succeeds when there is none.
    public func delete(_ key: String) async throws {
        try ObjectKey.validate(key)
        try Task.checkCancellation()
        objects.withLock { _ = $0.removeValue(forKey: Array(key.utf8)) }
    }
}
