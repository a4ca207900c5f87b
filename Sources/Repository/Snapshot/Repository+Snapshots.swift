import ObjectStorage

extension Repository {
    /// All snapshots, oldest first.
    ///
    /// List snapshots before loading the index: a snapshot that is listed has its blobs in an index file already.
    public func snapshots() async throws -> [(id: SnapshotID, snapshot: Snapshot)] {
        var found: [(id: SnapshotID, snapshot: Snapshot)] = []
        try await concurrently(
            try await snapshotIDs(),
            limit: 8,
            work: { try await self.snapshot($0) },
            consume: { found.append((id: $0, snapshot: $1)) }
        )
        return found.sorted { ($0.snapshot.time, $0.id) < ($1.snapshot.time, $1.id) }
    }

    /// The ids of all snapshots, without reading them.
    func snapshotIDs() async throws -> [SnapshotID] {
        try await store.files(.snapshot).map(\.id)
    }

    /// One snapshot.
    public func snapshot(_ id: SnapshotID) async throws -> Snapshot {
        let json = try await sealed.read(.snapshot, id)
        do {
            return try Snapshot(json: json)
        } catch let error as JSONError {
            throw RepositoryError(
                .damaged,
                "snapshot \(FileKind.snapshot.path(id)) in \(store.location) makes no sense",
                cause: error
            )
        }
    }

    /// The snapshot whose id begins with these hex digits, or the newest for `latest`.
    ///
    /// - Throws: `RepositoryError` with code `.notFound` for none, `.invalidArgument` for several.
    public func findSnapshot(_ name: String) async throws -> SnapshotID {
        if name == "latest" {
            guard let newest = try await snapshots().last else {
                throw RepositoryError(.notFound, "there are no snapshots in \(store.location)")
            }
            return newest.id
        }
        let found = try await snapshotIDs().filter { $0.hex.hasPrefix(name.lowercased()) }
        guard let first = found.first, !name.isEmpty else {
            throw RepositoryError(
                .notFound,
                "there is no snapshot \"\(name)\" in \(store.location): list them to see their ids"
            )
        }
        guard found.count == 1 else {
            throw RepositoryError(
                .invalidArgument,
                "\(found.count) snapshots in \(store.location) begin with \"\(name)\": give more digits"
            )
        }
        return first
    }
}
