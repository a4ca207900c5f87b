/// A sub-tree of another store: every key gets `prefix/` before it.
public struct PrefixedStore: ObjectStore {
    private let base: any ObjectStore
    private let prefix: String

    /// Makes the view.
    ///
    /// - Parameters:
    ///   - base: the store that holds the objects.
    ///   - prefix: the path below it, such as `shop/orders-db/rs0`; slashes at its ends don't matter, empty means all of `base`.
    ///     One that no key can have (`..`, two slashes in a row) is refused by each call.
    public init(_ base: any ObjectStore, prefix: String) {
        self.base = base
        var path = prefix[...]
        while path.first == "/" { path.removeFirst() }
        while path.last == "/" { path.removeLast() }
        self.prefix = path.isEmpty ? "" : path + "/"
    }

    /// Where this is, for people.
    public var location: String {
        guard !prefix.isEmpty else { return base.location }
        let separator = base.location.hasSuffix("/") ? "" : "/"
        return "\(base.location)\(separator)\(prefix.dropLast())"
    }

    /// Stores `bytes` under `key`.
    public func put(_ key: String, _ bytes: [UInt8], options: PutOptions) async throws {
        try await base.put(inBase(key), bytes, options: options)
    }

    /// The object's bytes, or those of `range`.
    public func get(_ key: String, range: Range<Int>?) async throws -> [UInt8] {
        try await base.get(inBase(key), range: range)
    }

    /// Size of one object.
    public func stat(_ key: String) async throws -> ObjectInfo {
        let info = try await base.stat(inBase(key))
        return ObjectInfo(key: key, size: info.size)
    }

    /// All objects of this sub-tree whose key begins with `prefix`.
    public func list(prefix: String) async throws -> [ObjectInfo] {
        try ObjectKey.validate(prefix: prefix)
        let length = self.prefix.utf8.count
        return try await base.list(prefix: self.prefix + prefix).map { info in
            ObjectInfo(key: String(Substring(info.key.utf8.dropFirst(length))), size: info.size)
        }
    }

    /// Removes an object; succeeds when there is none.
    public func delete(_ key: String) async throws {
        try await base.delete(inBase(key))
    }

    private func inBase(_ key: String) throws -> String {
        try ObjectKey.validate(key)
        return prefix + key
    }
}
