/// Where the bytes of a repository go: a flat space of keys and immutable objects.
///
/// Back ends (directory, S3, …) implement only this; retry, rate limits and tracing wrap it as decorators.
/// Keys are relative, `/`-separated, without a leading slash. All calls are safe from many tasks at once.
///
/// Contract, proven for every back end by one conformance suite:
/// - `put` is atomic: a reader sees the whole object or none, also after a crash of the writer.
/// - after `put` returns, the object is durable as far as the back end can promise it, and `list` shows it;
/// - `delete` of a missing object succeeds; `get` and `stat` of one throw `ObjectStorageError.notFound`.
public protocol ObjectStore: Sendable {
    /// Where this is, for people: never holds a secret.
    var location: String { get }

    /// Stores `bytes` under `key`, replacing what was there unless `options.ifAbsent`.
    ///
    /// - Throws: `ObjectStorageError` with code `.alreadyExists` when `ifAbsent` finds an object.
    func put(_ key: String, _ bytes: [UInt8], options: PutOptions) async throws

    /// The object's bytes, or those of `range` (half-open, in bytes; must lie inside the object).
    func get(_ key: String, range: Range<Int>?) async throws -> [UInt8]

    /// Size of one object.
    func stat(_ key: String) async throws -> ObjectInfo

    /// All objects whose key begins with `prefix`, in no promised order.
    func list(prefix: String) async throws -> [ObjectInfo]

    /// Removes an object; succeeds when there is none.
    func delete(_ key: String) async throws
}

/// One object as a listing shows it.
public struct ObjectInfo: Sendable, Hashable {
    /// The key, relative to the store's root.
    public var key: String
    /// Length in bytes.
    public var size: Int

    /// Makes one from its parts.
    public init(key: String, size: Int) {
        self.key = key
        self.size = size
    }
}

/// How an object is to be stored.
public struct PutOptions: Sendable {
    /// Fail with `.alreadyExists` instead of replacing (`If-None-Match: *` where the store has it).
    public var ifAbsent: Bool
    /// SHA-256 of the bytes when the caller knows it: lets the store verify the upload at no cost to us.
    public var sha256: [UInt8]?

    /// Makes options; the default replaces and lets the back end compute what it needs.
    public init(ifAbsent: Bool = false, sha256: [UInt8]? = nil) {
        self.ifAbsent = ifAbsent
        self.sha256 = sha256
    }
}

extension ObjectStore {
    /// Stores `bytes` under `key`, replacing what was there.
    public func put(_ key: String, _ bytes: [UInt8]) async throws {
        try await put(key, bytes, options: PutOptions())
    }

    /// The whole object.
    public func get(_ key: String) async throws -> [UInt8] {
        try await get(key, range: nil)
    }
}
