import ObjectStorage

/// Index files, snapshots and locks: JSON, compressed, sealed, named by the hash of the stored bytes.
struct SealedFiles: Sendable {
    let store: any ObjectStore
    let contexts: ContextPool
    /// False in a repository of version 1, whose readers know only plain JSON.
    let isCompressing: Bool

    /// Longest JSON we take: more than any index or snapshot that a tool writes.
    private static let longest = 1 << 30

    /// The JSON in a stored file.
    @concurrent
    func read(_ kind: FileKind, _ id: ObjectID) async throws -> [UInt8] {
        let stored = try await store.read(kind, id)
        return try decode(stored, kind, id)
    }

    /// The JSON in stored bytes whose name is `id`.
    func decode(_ stored: [UInt8], _ kind: FileKind, _ id: ObjectID) throws -> [UInt8] {
        try contexts.withContext { context in
            func damaged(_ reason: String) -> RepositoryError {
                RepositoryError(.damaged, "\(kind.name) \(kind.path(id)) in \(store.location) \(reason)")
            }
            guard try stored.withUnsafeBytes({ try context.sha256($0) }) == id else {
                throw damaged("is damaged: its bytes do not have the hash in its name")
            }
            guard let plain = try stored.withUnsafeBytes({ try context.open($0) }) else {
                throw damaged("is damaged or was written with another key")
            }
            switch plain.first {
            case 0x7B, 0x5B: return plain
            case 2:
                let json = plain.withUnsafeBytes { bytes in
                    context.compressor.decompress(
                        UnsafeRawBufferPointer(rebasing: bytes.dropFirst()),
                        limit: Self.longest
                    )
                }
                guard let json else { throw damaged("does not decompress") }
                return json
            default: throw damaged("has an encoding that this version doesn't know")
            }
        }
    }

    /// Stores JSON and says under which id.
    @concurrent
    func write(_ kind: FileKind, _ json: [UInt8]) async throws -> ObjectID {
        let (id, sealed) = try encode(json)
        try await store.write(kind, id, sealed)
        return id
    }

    /// The stored form of JSON and its id.
    func encode(_ json: [UInt8]) throws -> (id: ObjectID, sealed: [UInt8]) {
        try contexts.withContext { context in
            let plain = isCompressing ? [2] + (try context.compressor.compress(json)) : json
            let sealed = try plain.withUnsafeBytes { try context.seal($0) }
            return (try sealed.withUnsafeBytes { try context.sha256($0) }, sealed)
        }
    }
}
