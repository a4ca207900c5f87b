import BackupModel
import Repository

extension RestoreRun {
    /// The collections that users and roles are gathered in before they are merged.
    func userStores(_ plan: RestorePlan) -> [PlannedCollection] {
        [(plan.users, UserRestorer.stores.users), (plan.roles, UserRestorer.stores.roles)].compactMap { dumped, store in
            dumped.map {
                PlannedCollection(
                    source: $0.namespace,
                    target: store,
                    metadata: .unknown,
                    dataPath: $0.dataPath,
                    promised: $0.promised
                )
            }
        }
    }

    /// What was read must be what the manifest promises: this is the proof that the snapshot is whole and in order.
    func check(_ loaded: LoadedContent, _ collection: PlannedCollection, _ file: SnapshotFile) throws {
        guard loaded.read.bytes == Int64(clamping: file.size) else {
            throw RestoreFailure.damagedSnapshot(
                "\(file.path) has \(loaded.read.bytes) bytes, and the snapshot says \(file.size)"
            )
        }
        if let promised = collection.promised {
            guard loaded.read.documents == promised.documents, loaded.read.bytes == promised.bytes else {
                throw RestoreFailure.damagedSnapshot(
                    "\(collection.source) has \(loaded.read.documents) documents in \(loaded.read.bytes) bytes, and the "
                        + "manifest says \(promised.documents) in \(promised.bytes)"
                )
            }
            if let crc = promised.crc64, crc != loaded.crc.value {
                throw RestoreFailure.damagedSnapshot(
                    "\(collection.source) has the CRC-64 \(String(loaded.crc.value, radix: 16)), and the manifest says "
                        + String(crc, radix: 16)
                )
            }
        }
        if loaded.superseded > 0 {
            progress.log(
                .info,
                "\(loaded.superseded) documents of \(collection.source) were read twice while they changed; the oplog decides"
            )
        }
    }
}
