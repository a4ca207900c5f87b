import ObjectStorage

extension Repository {
    /// A blob's plaintext, verified: its MAC, its length, and that its SHA-256 is its id.
    ///
    /// The index must be loaded.
    ///
    /// - Throws: `RepositoryError` with code `.missing` when the index or the pack is not there, `.damaged` when the
    ///   bytes are not those that were stored; both name the pack.
    @concurrent
    public func blob(_ id: BlobID, _ type: BlobType) async throws -> [UInt8] {
        try await blob(at: try locate(id, type))
    }

    /// The plaintext of the blob at a place.
    func blob(at location: BlobLocation) async throws -> [UInt8] {
        if let pack = try await packCache.packIfPresent(location.pack) {
            return try decode(location, in: pack)
        }
        let stored = try await read(location.pack, location.range)
        return try stored.withUnsafeBytes { try decode(location, $0) }
    }

    /// Part of a pack; exactly as long as asked for.
    func read(_ pack: PackID, _ range: Range<Int>) async throws -> [UInt8] {
        let bytes: [UInt8]
        do {
            bytes = try await store.read(.pack, pack, range: range)
        } catch let error as RepositoryError where (error.cause as? ObjectStorageError)?.isRangeProblem == true {
            throw truncated(pack, range.upperBound, cause: error)
        }
        guard bytes.count == range.count else { throw truncated(pack, range.upperBound) }
        return bytes
    }

    private func truncated(_ pack: PackID, _ end: Int, cause: (any Error)? = nil) -> RepositoryError {
        RepositoryError(
            .damaged,
            "pack \(FileKind.pack.path(pack)) in \(store.location) is truncated: it ends before byte \(end) that the index names",
            cause: cause
        )
    }

    /// The plaintext of a blob in a part of its pack that begins at `begin`.
    func decode(_ location: BlobLocation, in part: [UInt8], begin: Int = 0) throws -> [UInt8] {
        let range = location.offset - begin..<location.offset - begin + location.length
        guard range.lowerBound >= 0, range.upperBound <= part.count else {
            throw truncated(location.pack, location.offset + location.length)
        }
        return try part.withUnsafeBytes { try decode(location, UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// The plaintext of a blob's stored bytes.
    func decode(_ location: BlobLocation, _ stored: UnsafeRawBufferPointer) throws -> [UInt8] {
        func damaged(_ reason: String) -> RepositoryError {
            RepositoryError(
                .damaged,
                "\(location.type) blob \(location.id.short) in pack \(FileKind.pack.path(location.pack)) of \(store.location) \(reason)"
            )
        }
        return try contexts.withContext { context in
            let plain: [UInt8]
            if let plainLength = location.plainLength {
                let room = context.sealed.reserve(stored.count)
                guard let base = room.baseAddress, try context.open(stored, into: base) else {
                    throw damaged("is damaged: its MAC is wrong")
                }
                let frame = UnsafeRawBufferPointer(start: base, count: stored.count - CryptoContext.overhead)
                guard let bytes = context.compressor.decompress(frame, count: plainLength) else {
                    throw damaged("does not decompress to the \(plainLength) bytes that the index names")
                }
                plain = bytes
            } else {
                guard let bytes = try context.open(stored) else { throw damaged("is damaged: its MAC is wrong") }
                plain = bytes
            }
            guard try plain.withUnsafeBytes({ try context.sha256($0) }) == location.id else {
                throw damaged("is damaged: its content does not have the hash that names it")
            }
            return plain
        }
    }
}

extension ObjectStorageError {
    /// Whether the store says that the object ends before the range that was asked for.
    var isRangeProblem: Bool { code == .corrupt }
}
