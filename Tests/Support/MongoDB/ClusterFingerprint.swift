/// All that a restore must bring back, described so that two servers can be compared: data by MongoDB's own `dbHash`,
/// options, indexes, order of capped collections, users and roles.
///
/// What belongs to one server alone is left out: collection UUIDs, the databases `local` and `config`.
public struct ClusterFingerprint: Sendable, Hashable {
    /// What is known about one collection or view.
    public struct Collection: Sendable, Hashable {
        /// `collection`, `view` or `timeseries`.
        public var type: String
        /// Options of `create` (capped, validator, collation, view pipeline …) with sorted names, as extended JSON.
        public var options: String
        /// The content's hash; `nil` for views and time-series (whose buckets are a collection of their own).
        public var hash: String?
        /// How many documents there are, counted; `nil` where there is no hash.
        public var count: Int?
        /// Hash over the documents in natural order, of capped collections.
        public var orderHash: String?
        /// Each index's definition by its name.
        public var indexes: [String: String] = [:]
    }

    /// Collections by namespace (`shop.orders`), everything but printable ASCII escaped (`\u{fc}mlaut`).
    public var collections: [String: Collection] = [:]
    /// Users with their credentials' hashes by `database.name`.
    public var users: [String: String] = [:]
    /// User-defined roles by `database.name`.
    public var roles: [String: String] = [:]

    /// Number of documents in all collections.
    public var documentCount: Int { collections.values.reduce(0) { $0 + ($1.count ?? 0) } }

    /// Describes a server.
    ///
    /// - Parameters:
    ///   - client: logged in as somebody who may do everything; a secondary will do.
    ///   - databases: which ones; all but `local` and `config` by default.
    /// - Returns: the description; it takes about a second for 500 MB.
    /// - Throws: `MongoError`; a server that is written to meanwhile gives a description that fits no moment.
    public static func read(
        _ client: MongoClient,
        databases: (@Sendable (String) -> Bool)? = nil
    ) async throws -> ClusterFingerprint {
        var result = ClusterFingerprint()
        let reply = try await client.command(#"{"listDatabases": 1, "nameOnly": true}"#)
        for name in (reply["databases"]?.documents ?? []).compactMap({ $0["name"]?.string }) {
            guard name != "local", name != "config", databases?(name) ?? true else { continue }
            try await result.readDatabase(name, client)
        }
        for user in try await client.find(in: "system.users", of: "admin") {
            // The id is the server's own, made anew when a user is created again.
            result.users[visible(user["_id"]?.string ?? "")] = normalized(user, leavingOut: ["userId"])
        }
        for role in try await client.find(in: "system.roles", of: "admin") {
            result.roles[visible(role["_id"]?.string ?? "")] = normalized(role)
        }
        return result
    }

    private mutating func readDatabase(_ database: String, _ client: MongoClient) async throws {
        let list = try await client.command(
            #"{"listCollections": 1, "cursor": {"batchSize": 1000000}}"#,
            on: database
        )
        let hashes = try await client.command(#"{"dbHash": 1}"#, on: database)["collections"]?.document
        for entry in list["cursor.firstBatch"]?.documents ?? [] {
            guard let name = entry["name"]?.string else { continue }
            // Shown as users, roles and views; the version differs by the server alone.
            let isInternal = database == "admin" && name.hasPrefix("system.")
            guard !isInternal, name != "system.views", name != "system.profile" else { continue }
            let type = entry["type"]?.string ?? ""
            var collection = Collection(
                type: type,
                options: normalized(entry["options"]?.document ?? TestDocument { _ in })
            )
            if type == "collection" {
                collection.count = try await client.count(name, of: database)
                collection.hash = hashes?.fields.first { $0.name.utf8.elementsEqual(name.utf8) }?.value.string
                if collection.hash == nil {
                    collection.hash = try await hash(name, database, client, #"{"sort": {"_id": 1}}"#)
                }
                if entry["options.capped"]?.bool == true {
                    collection.orderHash = try await hash(name, database, client, #"{"hint": {"$natural": 1}}"#)
                }
            }
            if type != "view" {
                let command = #"{"listIndexes": \#(quoted(name)), "cursor": {"batchSize": 1000}}"#
                for index in try await client.command(command, on: database)["cursor.firstBatch"]?.documents ?? [] {
                    collection.indexes[visible(index["name"]?.string ?? "")] = normalized(index, leavingOut: ["ns"])
                }
            }
            collections[visible("\(database).\(name)")] = collection
        }
    }

    /// FNV-1a by words over all documents' bytes, in the order that `options` asks for.
    private func hash(
        _ collection: String,
        _ database: String,
        _ client: MongoClient,
        _ options: String
    ) async throws -> String {
        var hash = hashStart
        for document in try await client.find(in: collection, of: database, options: options) {
            document.bytes.withUnsafeBytes { hash = hashed($0, onto: hash) }
        }
        return String(hash, radix: 16)
    }

    /// What `other` has differently, a sentence each; empty when both are equal.
    public func differences(from other: ClusterFingerprint) -> [String] {
        var sentences: [String] = []
        for namespace in Set(collections.keys).union(other.collections.keys).sorted() {
            guard let mine = collections[namespace] else {
                sentences.append("\(namespace) is there, and should not be")
                continue
            }
            guard let theirs = other.collections[namespace] else {
                sentences.append("\(namespace) is missing")
                continue
            }
            sentences += mine.differences(from: theirs, namespace)
        }
        sentences += compare("user", users, other.users)
        sentences += compare("role", roles, other.roles)
        return sentences
    }
}

extension ClusterFingerprint.Collection {
    func differences(from other: Self, _ namespace: String) -> [String] {
        var sentences: [String] = []
        func check<Value: Equatable>(_ what: String, _ mine: Value, _ theirs: Value) {
            if mine != theirs { sentences.append("\(namespace) should have \(what) \(mine), and has \(theirs)") }
        }
        check("the type", type, other.type)
        check("the options", options, other.options)
        if count != other.count {
            check("a document count of", count ?? 0, other.count ?? 0)
        } else if hash != other.hash {
            check("content with the hash", hash ?? "none", other.hash ?? "none")
        } else {
            check("its documents in an order with the hash", orderHash ?? "none", other.orderHash ?? "none")
        }
        return sentences + compare("index of \(namespace)", indexes, other.indexes)
    }
}

/// FNV-1a's first value.
let hashStart: UInt64 = 0xcbf2_9ce4_8422_2325

/// FNV-1a by words of eight bytes.
func hashed(_ bytes: UnsafeRawBufferPointer, onto start: UInt64) -> UInt64 {
    var (hash, position) = (start, 0)
    while position + 8 <= bytes.count {
        let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
        // The shift brings upper bits down: a product alone never does.
        hash = (hash ^ word) &* 0x100_0000_01b3
        hash ^= hash >> 32
        position += 8
    }
    for byte in bytes[position...] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash
}

/// A sentence for each entry that should be there, shouldn't, or is different.
func compare(_ what: String, _ mine: [String: String], _ theirs: [String: String]) -> [String] {
    Set(mine.keys).union(theirs.keys).sorted().compactMap { name in
        guard let wanted = mine[name] else { return "\(what) \(name) is there, and should not be" }
        guard let found = theirs[name] else { return "\(what) \(name) is missing" }
        return wanted == found ? nil : "\(what) \(name) should be \(wanted), and is \(found)"
    }
}

/// Extended JSON with the outermost names sorted: their order says nothing, that of inner ones may.
func normalized(_ document: TestDocument, leavingOut names: Set<String> = []) -> String {
    let fields = document.fields.filter { !names.contains($0.name) }.sorted { $0.name < $1.name }
    let parts = fields.map { field in
        let single = TestDocument { single in
            guard ["roles", "privileges"].contains(field.name), let list = field.value.array else {
                return single.value(field.name, field.value)
            }
            // Sets: the server writes them in an order that varies.
            single.array(field.name) { array in
                for (index, item) in list.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }).enumerated() {
                    array.value("\(index)", item)
                }
            }
        }.json
        // "{ "name" : value }" without its braces.
        return String(single.dropFirst(2).dropLast(2))
    }
    return visible("{ \(parts.joined(separator: ", ")) }")
}

/// The text with everything but printable ASCII escaped.
///
/// MongoDB compares names byte by byte; two Swift strings are equal already when they look the same ("ü" in one piece
/// and in two), and would be one key in a dictionary.
func visible(_ text: String) -> String {
    text.unicodeScalars.map { scalar in
        (0x20..<0x7f).contains(scalar.value) ? String(scalar) : "\\u{\(String(scalar.value, radix: 16))}"
    }.joined()
}
