import ObjectStorage

extension Repository {
    /// Reads all packs, some at once, and adds what is wrong with them.
    func readPacks(
        _ packs: [PackID: [IndexedBlob]],
        _ report: inout CheckReport,
        _ progress: @Sendable (CheckProgress) -> Void
    ) async throws {
        var done = 0
        var read = report
        try await concurrently(
            packs,
            limit: 3,
            work: { try await self.readPack($0.key, $0.value) },
            consume: { _, result in
                done += 1
                read.findings += result.findings
                read.bytesRead += result.bytesRead
                progress(CheckProgress(phase: .packs, done: done, total: packs.count))
            }
        )
        report = read
    }

    /// Reads one pack and compares it with its name, its header and the index.
    @concurrent
    private func readPack(_ id: PackID, _ indexed: [IndexedBlob]) async throws -> CheckReport {
        var report = CheckReport()
        let path = FileKind.pack.path(id)
        let bytes: [UInt8]
        do {
            bytes = try await store.read(.pack, id)
        } catch let error where error.isDamage {
            return report  // that it is missing was said before
        }
        report.bytesRead = UInt64(bytes.count)
        let hash = try contexts.withContext { context in try bytes.withUnsafeBytes { try context.sha256($0) } }
        if hash != id {
            report.error(path, "pack \(path) is damaged: its bytes do not have the hash in its name")
        }
        if let header = try header(of: bytes) {
            if header != indexed {
                report.error(path, "the header of pack \(path) says otherwise than the index")
            }
        } else {
            report.error(path, "the header of pack \(path) is damaged")
        }
        for blob in indexed {
            let location = BlobLocation(
                id: blob.id,
                type: blob.type,
                pack: id,
                offset: Int(blob.offset),
                length: Int(blob.length),
                plainLength: blob.plainLength == 0 ? nil : Int(blob.plainLength),
                packEnd: bytes.count
            )
            do {
                _ = try decode(location, in: bytes)
            } catch let error where error.isDamage {
                report.error(path, "\(error)")
            }
        }
        return report
    }

    /// The entries in a pack's header; nil when it is damaged.
    func header(of pack: [UInt8]) throws -> [IndexedBlob]? {
        guard pack.count >= 4 + CryptoContext.overhead else { return nil }
        return try pack.withUnsafeBytes { bytes -> [IndexedBlob]? in
            let end = bytes.count - 4
            let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self)))
            guard length >= CryptoContext.overhead, length <= min(end, PackHeader.longest) else { return nil }
            let sealed = UnsafeRawBufferPointer(rebasing: bytes[end - length..<end])
            return try contexts.withContext { try $0.open(sealed) }.flatMap(PackHeader.decode)
        }
    }
}
