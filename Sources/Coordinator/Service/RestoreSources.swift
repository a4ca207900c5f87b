import BackupModel

/// Which backup a restore takes, and which of its snapshots for which group: a pure function from manifests.
enum RestoreSources {
    /// Finds what `from` means: `latest`, a session's name, or (the beginning of) a snapshot's id.
    ///
    /// - Parameters:
    ///   - from: what a person asked for.
    ///   - source: the target whose backup is taken.
    ///   - groups: the groups to restore into.
    ///   - manifests: of the source, newest first.
    /// - Returns: the backup, and the snapshot for each group.
    /// - Throws: ``StorageFailure`` that names what there is.
    static func choose(
        from: String,
        source: ResourceKey,
        groups: [String],
        manifests: [SessionManifest]
    ) throws(StorageFailure) -> PreparedSources {
        let manifest = try find(from, source, manifests)
        var result = PreparedSources(session: "\(manifest.namespace)/\(manifest.session)", groups: [:])
        if groups.count == 1, let only = manifest.groups.first, manifest.groups.count == 1 {
            // One group into one group, whatever their names: a replica set may be restored under another name.
            result.groups[groups[0]] = .init(group: only.group, snapshotID: only.snapshotID)
            return result
        }
        for group in groups {
            guard let part = manifest.groups.first(where: { $0.group == group }) else {
                let names = manifest.groups.map(\.group).joined(separator: ", ")
                throw StorageFailure(
                    description: "backup \(result.session) has no group \(group); it has \(names)",
                    isRetryable: false
                )
            }
            result.groups[group] = .init(group: group, snapshotID: part.snapshotID)
        }
        return result
    }

    private static func find(
        _ from: String,
        _ source: ResourceKey,
        _ manifests: [SessionManifest]
    ) throws(StorageFailure) -> SessionManifest {
        guard let newest = manifests.first else {
            throw StorageFailure(
                description: "there is no backup of \(source) in this repository: see remora snapshots",
                isRetryable: false
            )
        }
        if from == "latest" { return newest }
        let name = from.hasPrefix(source.namespace + "/") ? String(from.dropFirst(source.namespace.count + 1)) : from
        if let named = manifests.first(where: { $0.session == name }) { return named }
        let matching = manifests.filter { manifest in
            from.count >= 6 && manifest.groups.contains { $0.snapshotID.hasPrefix(from.lowercased()) }
        }
        if let only = matching.first, matching.count == 1 { return only }
        let reason =
            matching.count > 1
            ? "'\(from)' is the beginning of \(matching.count) snapshots' ids; give more digits"
            : "there is no backup '\(from)' of \(source); give a session's name, at least 6 digits of a snapshot's id, "
                + "or latest (newest: \(newest.session))"
        throw StorageFailure(description: reason, isRetryable: false)
    }
}
