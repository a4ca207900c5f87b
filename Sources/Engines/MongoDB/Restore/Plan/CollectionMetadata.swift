import BSON
import BackupModel

/// What a dump's `.metadata.json` says of a collection: how to create it and which indexes it has.
struct CollectionMetadata: Sendable, Hashable {
    /// What is created.
    enum Kind: String, Sendable {
        case collection, view
        case timeSeries = "timeseries"
    }

    /// The collection's real name; nil in dumps of old tools.
    var name: String?
    /// What is created.
    var kind: Kind
    /// As `listCollections` told them.
    var options: BSONDocument
    /// As `listIndexes` told them, `_id_` included.
    var indexes: [BSONDocument]
    /// The collection's UUID on the server it was read from, 16 bytes.
    var uuid: [UInt8]?

    /// A collection of which nothing is known but its data.
    static let unknown = CollectionMetadata(name: nil, kind: .collection, options: [:], indexes: [], uuid: nil)

    /// Reads the file's text; an empty file says nothing, as mongorestore has it.
    ///
    /// - Throws: `RestoreFailure` with the path and what could not be understood.
    static func parse(_ text: [UInt8], path: String) throws -> CollectionMetadata {
        guard text.contains(where: { $0 > 0x20 }) else { return .unknown }
        let document: BSONDocument
        do {
            document = try ExtendedJSON.parse(text)
        } catch {
            throw RestoreFailure.damagedSnapshot("\(path) is not a collection's metadata: \(error)")
        }
        let options = document["options"]?.document ?? [:]
        var indexes: [BSONDocument] = []
        for index in document["indexes"]?.array ?? [] {
            guard let spec = index.document, spec["key"]?.document != nil, spec["name"]?.string != nil else {
                throw RestoreFailure.damagedSnapshot("\(path) describes an index without a name and a key")
            }
            indexes.append(spec)
        }
        let name = document["collectionName"]?.string
        let kind: Kind =
            if name?.hasPrefix(Namespace.bucketsPrefix) == true {
                // Buckets by themselves, as a shard has them that isn't the database's primary.
                .collection
            } else if options["viewOn"] != nil {
                .view
            } else if options["timeseries"] != nil {
                .timeSeries
            } else {
                .collection
            }
        return CollectionMetadata(
            name: name,
            kind: kind,
            options: options,
            indexes: indexes,
            uuid: document["uuid"]?.string.flatMap(Hexadecimal.decode).flatMap { $0.count == 16 ? $0 : nil }
        )
    }

    /// Whether documents must be written in the order they were read.
    var isCapped: Bool { options["capped"]?.truth == true }

    /// Seconds after which the server deletes documents by a collection option.
    ///
    /// Set after the data, or the server would delete while it is being restored.
    var expiry: BSONValue? { kind == .view ? nil : options["expireAfterSeconds"] }

    /// The `create` command that makes the collection as it was, but for `expiry`; names, not values, are changed.
    func createCommand(as name: String) -> BSONDocument {
        var writer = BSONWriter(capacity: options.bytes.count + 256)
        writer.beginDocument()
        writer.append("create", .string(name))
        for place in options.places {
            let key = String(decoding: options.bytes[place.key], as: UTF8.self)
            if Self.notCreated.contains(key) { continue }
            writer.append(key, type: place.type, raw: options.bytes[place.value])
        }
        if let idIndex { writer.append("idIndex", .document(idIndex)) }
        writer.end()
        return BSONDocument(writer)
    }

    /// Options that `create` doesn't take, or that are set later.
    private static let notCreated: Set<String> = ["create", "idIndex", "autoIndexId", "expireAfterSeconds", "uuid"]

    /// The exact `_id` index; nil where the server makes none or none is known.
    var idIndex: BSONDocument? {
        guard kind == .collection, options["clusteredIndex"] == nil else { return nil }
        return indexes.first(where: Self.isIDIndex).map { $0.removing("ns") }
    }

    /// Every index that has to be built, ready for `createIndexes`.
    var secondaryIndexes: [BSONDocument] {
        indexes.filter { !Self.isIDIndex($0) && $0["clustered"]?.truth != true }.map { indexSpec($0) }
    }

    /// An index as `createIndexes` wants it in this collection.
    ///
    /// `listIndexes` is silent about the simple collation, but `createIndexes` takes the collection's when none is
    /// given, so it must be said where the collection has one. Version 1 indexes know no collation at all.
    func indexSpec(_ listed: BSONDocument) -> BSONDocument {
        let spec = listed.removing("ns")
        guard options["collation"] != nil, spec["collation"] == nil, spec["v"]?.integer != 1 else { return spec }
        return spec.appending("collation", ["locale": "simple"])
    }

    /// Whether it is the index that comes with the collection.
    static func isIDIndex(_ spec: BSONDocument) -> Bool {
        guard let key = spec["key"]?.document, key.keys == ["_id"] else { return false }
        return spec["name"]?.string == "_id_" && key["_id"]?.integer != -1
    }
}

extension BSONDocument {
    /// What a writer wrote: one document, open no more.
    init(_ writer: consuming BSONWriter) {
        let bytes = writer.bytes
        do {
            try self.init(validating: bytes)
        } catch {
            // A writer closes what it opens and copies only checked values.
            assertionFailure("a written document is malformed: \(error)")
            self.init([])
        }
    }

    /// A copy without the elements of this name; everything else keeps its bytes.
    func removing(_ key: String) -> BSONDocument { removing([key]) }

    /// A copy without the elements of these names; everything else keeps its bytes.
    func removing(_ keys: Set<String>) -> BSONDocument {
        guard self.keys.contains(where: keys.contains) else { return self }
        var writer = BSONWriter(capacity: bytes.count)
        writer.beginDocument()
        for place in places {
            let key = String(decoding: bytes[place.key], as: UTF8.self)
            if keys.contains(key) { continue }
            writer.append(key, type: place.type, raw: bytes[place.value])
        }
        writer.end()
        return BSONDocument(writer)
    }

    /// A copy in which the first element of this name has another value; appended when there is none.
    func replacing(_ key: String, with value: BSONValue) -> BSONDocument {
        guard keys.contains(key) else { return appending(key, value) }
        var writer = BSONWriter(capacity: bytes.count + 64)
        writer.beginDocument()
        for place in places {
            let name = String(decoding: bytes[place.key], as: UTF8.self)
            if name == key {
                writer.append(key, value)
            } else {
                writer.append(name, type: place.type, raw: bytes[place.value])
            }
        }
        writer.end()
        return BSONDocument(writer)
    }
}
