import BSON
import BackupModel

/// Reads back what was restored and compares it with what must be there.
struct RestoreVerifier: Sendable {
    let pool: ConnectionPool
    let progress: RestoreProgress

    /// One collection after its documents were loaded.
    struct Loaded: Sendable {
        var collection: PlannedCollection
        var content: DocumentChecksum
    }

    /// Reads every collection back, document by document.
    ///
    /// - Parameters:
    ///   - loaded: what was written where.
    ///   - touched: what the oplog is going to touch; learns which of it is there.
    /// - Returns: by namespace in the target, the documents that the oplog does not touch.
    /// - Throws: `JobFailure` that names the first collection that holds anything else.
    func verifyLoad(_ loaded: [Loaded], _ touched: TouchedBox?) async throws -> [Namespace: DocumentChecksum] {
        progress.step("read back")
        let result = ChecksumTable()
        try await pool.forEach(loaded.sorted { $0.content.bytes > $1.content.bytes }) { item, connection in
            let namespace = item.collection.dataTarget
            var found = DocumentChecksum()
            var untouched = DocumentChecksum()
            let reader = CollectionReader(connection: connection, namespace: namespace)
            let average = item.content.documents > 0 ? item.content.bytes / item.content.documents : 0
            try await reader.forEachBatch(averageBytes: average) { span, documents in
                while let place = try documents.next() {
                    let document = span.extracting(place)
                    found.add(document)
                    if let touched, try touched.see(span, at: place.lowerBound, in: namespace) { continue }
                    if touched != nil { untouched.add(document) }
                }
            }
            guard found == item.content else { throw Self.mismatch(namespace, item.content, found) }
            await result.set(untouched, for: namespace)
        }
        return await result.table
    }

    /// Reads back what the oplog touched, and compares it with what the rehearsal foretold.
    func verifyReplay(
        _ touched: TouchedDocuments,
        untouched before: [Namespace: DocumentChecksum],
        collections: Set<Namespace>
    ) async throws {
        let namespaces = touched.namespaces.filter { collections.contains($0) && !touched.unpredictable.contains($0) }
        progress.step("read back what the oplog changed")
        try await pool.forEach(namespaces) { namespace, connection in
            var untouched = DocumentChecksum()
            var present: Int64 = 0
            let reader = CollectionReader(connection: connection, namespace: namespace)
            try await reader.forEachBatch(averageBytes: 1024) { span, documents in
                while let place = try documents.next() {
                    let fate = try touched.fate(span, at: place.lowerBound, in: namespace)
                    if !fate.isTouched {
                        untouched.add(span.extracting(place))
                    } else if fate.exists {
                        present += 1
                    } else {
                        let id = try BSONDocument(copying: span, place)["_id"] ?? .null
                        throw RestoreFailure.verification(
                            "\(namespace) still holds a document that the oplog deletes: \(BSONDocument([("_id", id)]))"
                        )
                    }
                }
            }
            let expected = touched.origin(of: namespace).flatMap { before[$0] } ?? DocumentChecksum()
            guard untouched == expected else { throw Self.mismatch(namespace, expected, untouched) }
            guard present == touched.expected(in: namespace) else {
                throw RestoreFailure.verification(
                    "\(namespace) holds \(present) of the \(touched.expected(in: namespace)) documents that the oplog "
                        + "wrote or changed"
                )
            }
        }
    }

    /// Compares names, options and indexes with the backup's.
    func verifyCatalog(
        _ expected: [ExpectedCollection],
        isSameRelease: Bool
    ) async throws -> [String] {
        progress.step("compare options and indexes")
        let databases = Set(expected.map { ExactText($0.namespace.database) }).map(\.text)
        let catalog = try await TargetCatalog.read(pool, databases: databases)
        var differences: [String] = []
        for collection in expected {
            guard let found = catalog.entries[collection.namespace] else {
                throw RestoreFailure.verification("\(collection.namespace) is missing in the target")
            }
            guard let options = collection.options else { continue }
            let wanted = options.removing(["autoIndexId"])
            if !found.options.isSame(as: wanted) {
                differences.append("\(collection.namespace) has the options \(found.options) instead of \(wanted)")
            }
        }
        differences += try await indexDifferences(expected)
        guard let first = differences.first else { return [] }
        // Another release may write options in its own way; the same one must give back what it was given.
        if isSameRelease { throw RestoreFailure.verification(first) }
        return differences
    }

    private func indexDifferences(_ expected: [ExpectedCollection]) async throws -> [String] {
        let found = DifferenceList()
        try await pool.forEach(expected.filter { $0.indexes != nil }) { collection, connection in
            let indexes: [BSONDocument]
            do throws(MongoError) {
                indexes = try await connection.all(
                    collection.namespace.database,
                    ["listIndexes": .string(collection.namespace.collection)]
                )
            } catch {
                throw RestoreFailure.database(error, "list the indexes of \(collection.namespace)")
            }
            for wanted in collection.indexes ?? [] {
                let name = wanted["name"]?.string ?? ""
                guard let index = indexes.first(where: { $0.isNamed(name) }) else {
                    await found.add("\(collection.namespace) lacks the index \(name)")
                    continue
                }
                if !index.removing("ns").isSame(as: wanted.removing("ns")) {
                    await found.add("\(collection.namespace) has the index \(index) instead of \(wanted)")
                }
            }
            let names = Set((collection.indexes ?? []).compactMap { $0["name"]?.string }.map(ExactText.init))
            for index in indexes where collection.isComplete {
                guard let name = index["name"]?.string, !names.contains(ExactText(name)), name != "_id_",
                    index["clustered"]?.truth != true
                else { continue }
                await found.add("\(collection.namespace) has the index \(name), which the backup doesn't have")
            }
        }
        return await found.list
    }

    private static func mismatch(_ namespace: Namespace, _ expected: DocumentChecksum, _ found: DocumentChecksum)
        -> JobFailure
    {
        let difference =
            expected.documents == found.documents
            ? "\(found.documents) documents, but not the same ones"
            : "\(found.documents) documents (\(found.bytes) bytes) where \(expected.documents) (\(expected.bytes) bytes) were written"
        return RestoreFailure.verification("\(namespace) holds \(difference): does something else write to it?")
    }
}

/// What a collection must look like in the end.
struct ExpectedCollection: Sendable {
    var namespace: Namespace
    /// Nil when they can't be told.
    var options: BSONDocument?
    /// As `listIndexes` shows them; nil for views.
    var indexes: [BSONDocument]?
    /// Whether there may be no others.
    var isComplete: Bool
}

/// Checksums from several tasks.
private actor ChecksumTable {
    private(set) var table: [Namespace: DocumentChecksum] = [:]
    func set(_ checksum: DocumentChecksum, for namespace: Namespace) { table[namespace] = checksum }
}

/// Differences from several tasks.
private actor DifferenceList {
    private(set) var list: [String] = []
    func add(_ difference: String) { list.append(difference) }
}

extension BSONDocument {
    /// Whether it has the same elements, in any order at the top, numbers compared by value.
    func isSame(as other: BSONDocument) -> Bool {
        if self == other { return true }
        let mine = elements
        guard mine.count == other.elements.count else { return false }
        return mine.allSatisfy { key, value in
            guard let theirs = other[key] else { return false }
            return Self.isSame(value, theirs)
        }
    }

    private static func isSame(_ left: BSONValue, _ right: BSONValue) -> Bool {
        if let a = left.string, let b = right.string { return a.isExactly(b) }
        if let a = left.number, let b = right.number { return a == b || (a.isNaN && b.isNaN) }
        if let a = left.document, let b = right.document { return a.keys == b.keys && a.isSame(as: b) }
        if let a = left.array, let b = right.array { return a.count == b.count && zip(a, b).allSatisfy(isSame) }
        return left == right
    }
}
