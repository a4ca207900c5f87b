/// Text that equals only what has the same bytes, for names and paths as keys.
struct ExactText: Sendable, Hashable {
    /// The text.
    let text: String

    init(_ text: String) { self.text = text }

    static func == (left: ExactText, right: ExactText) -> Bool { left.text.isExactly(right.text) }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        hasher.combine(UInt8(0xFF))
    }
}

extension String {
    /// Whether both have the same bytes; Swift's own `==` also takes different normalizations for equal.
    func isExactly(_ other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}

/// A collection's full name: database, a dot, and a collection name that may hold dots itself.
struct Namespace: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The database, never with a dot in it.
    var database: String
    /// The collection.
    var collection: String

    init(database: String, collection: String) {
        self.database = database
        self.collection = collection
    }

    /// Splits `database.collection` at its first dot; nil when there is none or a side is empty.
    init?(_ text: some StringProtocol) {
        guard let dot = text.firstIndex(of: "."), dot != text.startIndex else { return nil }
        let collection = text[text.index(after: dot)...]
        guard !collection.isEmpty else { return nil }
        self.init(database: String(text[..<dot]), collection: String(collection))
    }

    /// `database.collection`.
    var description: String { "\(database).\(collection)" }

    // Swift takes `é` and `e` with an accent for the same text, the server doesn't: names are compared by their bytes.
    static func == (left: Namespace, right: Namespace) -> Bool {
        left.collection.isExactly(right.collection) && left.database.isExactly(right.database)
    }

    func hash(into hasher: inout Hasher) {
        ExactText(database).hash(into: &hasher)
        ExactText(collection).hash(into: &hasher)
    }

    static func < (left: Namespace, right: Namespace) -> Bool {
        if !left.database.isExactly(right.database) {
            return left.database.utf8.lexicographicallyPrecedes(right.database.utf8)
        }
        return left.collection.utf8.lexicographicallyPrecedes(right.collection.utf8)
    }

    /// What the server puts before a time-series collection's name to name the collection of its buckets.
    static let bucketsPrefix = "system.buckets."

    /// The collection that holds the buckets of this time-series collection.
    var buckets: Namespace { Namespace(database: database, collection: Self.bucketsPrefix + collection) }

    /// The time-series collection whose buckets this collection holds; nil when it is something else.
    var timeSeries: Namespace? {
        guard collection.hasPrefix(Self.bucketsPrefix) else { return nil }
        let name = collection.dropFirst(Self.bucketsPrefix.count)
        return name.isEmpty ? nil : Namespace(database: database, collection: String(name))
    }

    /// The name that people know it by: the time-series collection for its buckets, itself otherwise.
    var known: Namespace { timeSeries ?? self }

    /// Databases that belong to the server, not to the people who use it.
    static let systemDatabases: Set<String> = ["admin", "config", "local"]

    /// How the names of collections begin that a restore keeps in `admin` for a while.
    static let restorePrefix = "remora_restore_"

    /// Why the server would not take this as the name of a collection; nil when it would.
    ///
    /// The limits are those of the MongoDB manual, "MongoDB Limits and Thresholds", on Linux.
    var illegality: String? {
        if database.isEmpty { return "the database's name is empty" }
        if collection.isEmpty { return "the collection's name is empty" }
        if database.utf8.count > 63 { return "the database's name is longer than 63 bytes" }
        if database.utf8.contains(where: { Self.forbiddenInDatabase.contains($0) }) {
            return "the database's name holds one of / \\ . \" $ space or NUL"
        }
        if collection.utf8.contains(0) { return "the collection's name holds a NUL" }
        if collection.utf8.first == UInt8(ascii: ".") { return "the collection's name begins with a dot" }
        if description.utf8.count > 255 { return "database and collection are longer than 255 bytes together" }
        return nil
    }

    private static let forbiddenInDatabase: Set<UInt8> = Set("/\\. \"$\0".utf8)
}
