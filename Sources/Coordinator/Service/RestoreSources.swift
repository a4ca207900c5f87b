import BackupModel

/// Which backup a restore takes, and which of its snapshots for which group: a pure function from manifests.
enum RestoreSources {
    /// Which parts of a backup a person asked for.
    struct Wanted: Sendable, Hashable {
        /// The only group of the backup that is taken.
        var group: String?
        /// Groups of the backup → of the target.
        var mapping: [String: String] = [:]
    }

    /// Finds what `from` means: `latest`, a session's name, or (the beginning of) a snapshot's id.
    ///
    /// - Parameters:
    ///   - from: what a person asked for.
    ///   - source: the target whose backup is taken.
    ///   - wanted: which parts of it, for which groups.
    ///   - groups: the groups to restore into.
    ///   - manifests: of the source, newest first.
    /// - Returns: the backup, and the snapshot for each group.
    /// - Throws: ``StorageFailure`` that names what there is.
    static func choose(
        from: String,
        source: ResourceKey,
        wanted: Wanted = Wanted(),
        groups: [GroupState],
        manifests: [SessionManifest]
    ) throws(StorageFailure) -> PreparedSources {
        let manifest = try find(from, source, manifests)
        let session = "\(manifest.namespace)/\(manifest.session)"
        let names = manifest.groups.map(\.group).joined(separator: ", ")
        var result = PreparedSources(session: session, groups: [:])
        if let name = wanted.group {
            guard let part = manifest.groups.first(where: { $0.group == name || $0.shard == name }) else {
                throw refusal("backup \(session) has no group \(name); it has \(names)", code: notFound)
            }
            guard let only = groups.first, groups.count == 1 else {
                throw refusal("one group can't be restored into \(groups.count) (\(list(groups))): leave out the group")
            }
            result.groups[only.name] = .init(group: part.group, snapshotID: part.snapshotID)
            if manifest.groups.count > 1 {
                result.remarks.append(
                    "only group \(part.group) of \(names) is restored, without the rest of its cluster: documents that "
                        + "are or were on other shards are not in it"
                )
            }
            return result
        }
        guard groups.count == manifest.groups.count else {
            let hint = groups.count == 1 ? "; name the group that is wanted (--group)" : ""
            throw refusal(
                "backup \(session) has \(manifest.groups.count) groups (\(names)) and the target \(groups.count) "
                    + "(\(list(groups))): the numbers must be the same\(hint)"
            )
        }
        for group in groups {
            let part = try part(for: group, of: manifest, wanted, isOnly: groups.count == 1)
            result.groups[group.name] = .init(group: part.group, snapshotID: part.snapshotID)
        }
        guard Set(result.groups.values.map(\.group)).count == groups.count else {
            throw refusal("the mapping of groups takes one of the backup's groups (\(names)) twice")
        }
        if groups.contains(where: { $0.role != nil }) { result.shardNames = shardNames(manifest, groups, result) }
        return result
    }

    /// The part of a backup for one of the target's groups.
    private static func part(
        for group: GroupState,
        of manifest: SessionManifest,
        _ wanted: Wanted,
        isOnly: Bool
    ) throws(StorageFailure) -> SessionManifest.Group {
        let session = "\(manifest.namespace)/\(manifest.session)"
        let names = manifest.groups.map(\.group).joined(separator: ", ")
        let mapped = wanted.mapping.first { $0.value == group.name }?.key
        let part: SessionManifest.Group?
        if let mapped {
            part = manifest.groups.first { $0.group == mapped }
        } else if isOnly || group.role == .configServer {
            // One group into one group, whatever their names; and every cluster has but one config server.
            part = isOnly ? manifest.groups.first : manifest.groups.first { $0.role == .configServer }
        } else {
            part = manifest.groups.first { $0.group == group.name && wanted.mapping[$0.group] == nil }
        }
        guard let part else {
            throw refusal(
                "backup \(session) has no group \(mapped ?? group.name); it has \(names). Say which group goes where "
                    + "(--map FROM=TO)"
            )
        }
        guard part.role == group.role else {
            throw refusal(
                "group \(part.group) of backup \(session) was \(describe(part.role)), but \(group.name) is "
                    + "\(describe(group.role))"
            )
        }
        return part
    }

    /// Names of the backup's shards → of the target's.
    private static func shardNames(
        _ manifest: SessionManifest,
        _ groups: [GroupState],
        _ sources: PreparedSources
    ) -> [String: String] {
        var names: [String: String] = [:]
        for group in groups where group.role == .shard {
            guard let source = sources.groups[group.name]?.group else { continue }
            let shard = manifest.groups.first { $0.group == source }?.shard
            names[shard ?? source] = group.shard ?? group.name
        }
        return names
    }

    private static func describe(_ role: ClusterPart.Role?) -> String {
        switch role {
        case .configServer: "the config server of a sharded cluster"
        case .shard: "a shard"
        case nil: "a group by itself"
        }
    }

    private static func list(_ groups: [GroupState]) -> String { groups.map(\.name).joined(separator: ", ") }

    /// What was asked for doesn't fit the backup, or (with another code) isn't there.
    private static func refusal(_ text: String, code: String = "badSelection") -> StorageFailure {
        StorageFailure(description: text, isRetryable: false, code: code)
    }

    private static func find(
        _ from: String,
        _ source: ResourceKey,
        _ manifests: [SessionManifest]
    ) throws(StorageFailure) -> SessionManifest {
        guard let newest = manifests.first else {
            throw refusal("there is no backup of \(source) in this repository: see remora snapshots", code: notFound)
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
        throw refusal(reason, code: matching.isEmpty ? notFound : "badSelection")
    }

    private static let notFound = "backupNotFound"
}
