import ObjectStorage

extension Repository {
    /// Looks whether the repository is whole: everything that stock `restic check` looks at, and sizes of files too.
    ///
    /// Keys, index files, existence and exact size of all packs, all trees of all snapshots. With `readData` every pack is
    /// read as well: its hash, its header against the index, and every blob's MAC, length and hash.
    ///
    /// Hold a lock meanwhile. Damage is a finding in the report; only what keeps the check itself from going on is thrown.
    ///
    /// - Parameters:
    ///   - readData: whether to read all packs.
    ///   - progress: called from time to time, from the task that checks.
    /// - Returns: what was found.
    /// - Throws: `RepositoryError` with code `.storage` when the store can't be asked.
    @concurrent
    public func check(
        readData: Bool,
        progress: @escaping @Sendable (CheckProgress) -> Void = { _ in }
    ) async throws -> CheckReport {
        var report = CheckReport()
        packCache.clear()  // what is stored counts, not what was read before
        // Snapshots before the index: what a listed snapshot needs is indexed by then.
        let snapshots = try await snapshotIDs()
        try await checkKeys(&report)
        let indexed = try await checkIndex(&report, progress)
        try await checkPacks(indexed, hasSnapshots: !snapshots.isEmpty, &report)
        var trees = TreeCheck(repository: self, index: indexed.index, report: report, progress: progress)
        try await trees.run(snapshots)
        report = trees.report
        if readData { try await readPacks(indexed.packs, &report, progress) }
        return report
    }

    private func checkKeys(_ report: inout CheckReport) async throws {
        for file in try await store.files(.key) {
            let path = FileKind.key.path(file.id)
            do {
                let bytes = try await store.read(.key, file.id)
                let hash = try contexts.withContext { context in try bytes.withUnsafeBytes { try context.sha256($0) } }
                if hash != file.id {
                    report.error(path, "key file \(path) is damaged: its bytes do not have the hash in its name")
                } else {
                    _ = try KeyFile(json: bytes)
                }
            } catch let error where error.isDamage {
                report.error(path, "key file \(path) can't be used: \(error)")
            }
        }
    }

    /// What the index files say, all together.
    struct CheckedIndex {
        var index = RepositoryIndex()
        /// Index files that can't be used, so that nothing can be said about packs that no other one names.
        var unusable = 0
        var packs: [PackID: [IndexedBlob]] = [:]
    }

    private func checkIndex(
        _ report: inout CheckReport,
        _ progress: @Sendable (CheckProgress) -> Void
    ) async throws -> CheckedIndex {
        var checked = CheckedIndex()
        let files = try await store.files(.index).map(\.id)
        var done = 0
        var read = report
        try await concurrently(
            files,
            limit: 4,
            work: { id in
                do {
                    return Result<[IndexedPack], any Error>.success(try await self.readIndexFile(id))
                } catch let error where error.isDamage {
                    return .failure(error)
                }
            },
            consume: { id, result in
                done += 1
                progress(CheckProgress(phase: .index, done: done, total: files.count))
                let path = FileKind.index.path(id)
                switch result {
                case .failure(let error):
                    checked.unusable += 1
                    read.error(
                        path,
                        "index file \(path) can't be used: \(error); `restic repair index` makes a new one from the packs"
                    )
                case .success(let packs):
                    read.indexFiles += 1
                    checked.index.add(file: id, packs)
                    for pack in packs {
                        let blobs = pack.blobs.sorted { $0.offset < $1.offset }
                        if let other = checked.packs[pack.id], other != blobs {
                            read.error(
                                path,
                                "index file \(path) describes pack \(FileKind.pack.path(pack.id)) otherwise than another index file"
                            )
                        } else if checked.packs[pack.id] != nil {
                            read.hint(path, "pack \(FileKind.pack.path(pack.id)) is in more than one index file")
                        }
                        checked.packs[pack.id] = blobs
                    }
                }
            }
        )
        report = read
        report.packs = checked.packs.count
        report.blobs = checked.packs.values.reduce(0) { $0 + $1.count }
        return checked
    }

    private func checkPacks(
        _ indexed: CheckedIndex,
        hasSnapshots: Bool,
        _ report: inout CheckReport
    ) async throws {
        var sizes: [PackID: Int] = [:]
        for file in try await store.files(.pack) { sizes[file.id] = file.size }
        for (id, blobs) in indexed.packs.sorted(by: { $0.key < $1.key }) {
            let path = FileKind.pack.path(id)
            let expected = blobs.reduce(PackHeader.sealedLength(blobs)) { $0 + Int($1.length) }
            switch sizes.removeValue(forKey: id) {
            case nil:
                report.error(path, "pack \(path) is missing, and the index says that it holds \(blobs.count) blobs")
            case let size? where size < expected:
                report.error(path, "pack \(path) is truncated: it has \(size) bytes and should have \(expected)")
            case let size? where size > expected:
                report.error(path, "pack \(path) has \(size) bytes and should have \(expected)")
            default: break
            }
            var end: UInt32 = 0
            for blob in blobs {
                if blob.offset != end {
                    report.error(path, "the index has a gap or an overlap at byte \(end) of pack \(path)")
                    break
                }
                end = blob.offset + blob.length
            }
            if Set(blobs.map(\.type)).count > 1 {
                report.hint(path, "pack \(path) mixes data and trees: a prune separates them")
            }
        }
        for id in sizes.keys.sorted() {
            let path = FileKind.pack.path(id)
            // With an index file lost, what looks left over may be what its snapshots are made of.
            let advice =
                indexed.unusable > 0 || (indexed.packs.isEmpty && hasSnapshots)
                ? "its index file is lost or damaged: do not prune before `restic repair index`"
                : "left over from a run that did not finish, a prune removes it"
            report.hint(path, "pack \(path) is in no index file: \(advice)")
        }
    }
}

extension Error {
    /// Whether this says that stored bytes are bad or gone, and not that the store can't be reached.
    var isDamage: Bool {
        if self is JSONError { return true }
        guard let error = self as? RepositoryError else { return false }
        return error.code == .damaged || error.code == .missing
    }
}
