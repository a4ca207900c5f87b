/// What a snapshot promises of one collection's data.
struct PromisedContent: Sendable, Hashable {
    /// Documents in the file.
    var documents: Int64
    /// Bytes of the file.
    var bytes: Int64
    /// CRC64-ECMA of the file; nil when nobody wrote it down.
    var crc64: UInt64?
}

/// One collection or view as it lies in a snapshot.
struct DumpedCollection: Sendable {
    /// Its name in the backup.
    var namespace: Namespace
    /// How to create it.
    var metadata: CollectionMetadata
    /// Path of its documents; nil for views and where there is no file.
    var dataPath: String?
    /// What the manifest says of the data; nil without a manifest.
    var promised: PromisedContent?
}

/// Everything that a snapshot holds, by what it is to a restore.
struct DumpedCatalog: Sendable {
    /// Collections, time series and views, without those of the server itself.
    var collections: [DumpedCollection] = []
    /// `admin.system.users`.
    var users: DumpedCollection?
    /// `admin.system.roles`.
    var roles: DumpedCollection?
    /// What is in the dump and is never written into a running server, one sentence each where it matters.
    var leftOut: [String] = []

    /// Puts a dump's entries in order.
    ///
    /// - Parameters:
    ///   - entries: the dump's files.
    ///   - metadata: what each `.metadata.json` said, by path.
    ///   - promised: what the manifest says of each data file, by path.
    ///   - layout: whether a cluster's routing table is wanted: then its collections are among the others.
    /// - Throws: `RestoreFailure` when a file's collection can't be told.
    init(
        entries: [DumpDirectory.Entry],
        metadata: [ExactText: CollectionMetadata],
        promised: [ExactText: PromisedContent],
        layout: Bool = false
    ) throws {
        var named: [Namespace: DumpedCollection] = [:]
        let buckets = Self.bucketFiles(entries, metadata)
        for entry in entries {
            let collection = try Self.collection(entry, metadata, promised, buckets)
            guard named.updateValue(collection, forKey: collection.namespace) == nil else {
                throw RestoreFailure.damagedSnapshot("two files of the snapshot claim to be \(collection.namespace)")
            }
        }
        // The documents of a time series lie under the name of its buckets, its metadata under its own.
        for (name, collection) in named {
            guard let series = name.timeSeries, var owner = named[series], owner.metadata.kind == .timeSeries
            else { continue }
            owner.dataPath = collection.dataPath
            owner.promised = collection.promised
            named[series] = owner
            named[name] = nil
        }
        for (name, collection) in named.sorted(by: { $0.key < $1.key }) { place(collection, name, layout) }
    }

    private mutating func place(_ collection: DumpedCollection, _ name: Namespace, _ layout: Bool) {
        switch name.database {
        case "local":
            return
        case "config" where layout && StoredRouting.collections.contains(name.collection):
            collections.append(collection)
        case "config":
            leftOut.append("\(name) is not restored: it belongs to the cluster that was backed up")
        case "admin" where name.collection == "system.users":
            users = collection
        case "admin" where name.collection == "system.roles":
            roles = collection
        case "admin" where name.collection == "system.version" || name.collection == "system.keys":
            return
        default:
            switch name.collection {
            case "system.profile", "system.views", "system.indexes", "system.namespaces": return
            default: collections.append(collection)
            }
        }
    }

    /// Names of bucket collections by their files: these have no metadata of their own to tell a name that was cut.
    private static func bucketFiles(
        _ entries: [DumpDirectory.Entry],
        _ metadata: [ExactText: CollectionMetadata]
    ) -> [ExactText: String] {
        var names: [ExactText: String] = [:]
        for entry in entries {
            guard let known = entry.metadataPath.flatMap({ metadata[ExactText($0)] }), known.kind == .timeSeries,
                let name = known.name
            else { continue }
            let bucket = Namespace.bucketsPrefix + name
            names[ExactText("\(entry.database)/\(DumpPath.stem(bucket))")] = bucket
        }
        return names
    }

    private static func collection(
        _ entry: DumpDirectory.Entry,
        _ metadata: [ExactText: CollectionMetadata],
        _ promised: [ExactText: PromisedContent],
        _ buckets: [ExactText: String]
    ) throws -> DumpedCollection {
        let known = entry.metadataPath.flatMap { metadata[ExactText($0)] } ?? .unknown
        let name: String
        if let told = known.name {
            name = told
        } else if let told = buckets[ExactText("\(entry.database)/\(entry.stem)")] {
            name = told
        } else if let read = DumpFileName.unescape(entry.stem), !DumpFileName.isCut(entry.stem) {
            name = read
        } else {
            throw RestoreFailure.damagedSnapshot(
                "the name of the collection in \(entry.database)/\(entry.stem).bson was cut and its metadata, "
                    + "which would tell it, is missing"
            )
        }
        let namespace = Namespace(database: entry.database, collection: name)
        if let illegality = namespace.illegality {
            throw RestoreFailure.damagedSnapshot("\(namespace) in the snapshot can't be restored: \(illegality)")
        }
        return DumpedCollection(
            namespace: namespace,
            metadata: known,
            dataPath: entry.dataPath,
            promised: entry.dataPath.flatMap { promised[ExactText($0)] }
        )
    }
}
