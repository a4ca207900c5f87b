/// Which file of a snapshot is what: a mongodump directory, wherever in the snapshot's tree it lies.
struct DumpDirectory: Sendable, Equatable {
    /// One collection's two files.
    struct Entry: Sendable, Hashable {
        /// The folder's name.
        var database: String
        /// The escaped collection name, without suffix.
        var stem: String
        /// Path of `<stem>.metadata.json`.
        var metadataPath: String?
        /// Path of `<stem>.bson`.
        var dataPath: String?
    }

    /// The folder in the snapshot that holds the dump: empty, or with a slash at its end.
    var root: String
    /// By database and stem, sorted.
    var entries: [Entry]
    /// Path of `oplog.bson`.
    var oplogPath: String?
    /// Path of `prelude.json`.
    var preludePath: String?
    /// Path of `remora.json`.
    var manifestPath: String?

    /// Finds the dump among a snapshot's files.
    ///
    /// - Parameter paths: every file of the snapshot, with or without a leading slash. A snapshot that stock restic
    ///   made of `/var/dump` has all of it under `var/dump/`.
    /// - Throws: `RestoreFailure` when there is no dump, more than one, or a compressed one.
    init(paths: [String]) throws {
        root = try Self.root(of: paths)
        var entries: [ExactText: Entry] = [:]
        for path in paths {
            let relative = Self.relative(path)
            guard relative.hasPrefix(root) else { continue }
            let parts = relative.dropFirst(root.count).split(separator: "/", omittingEmptySubsequences: false)
            if parts.count == 1 {
                switch parts[0] {
                case "remora.json": manifestPath = path
                case "prelude.json": preludePath = path
                case "oplog.bson": oplogPath = path
                case "oplog.bson.gz", "prelude.json.gz": throw RestoreFailure.compressedDump(path)
                default: break
                }
                continue
            }
            guard parts.count == 2 else { continue }
            let database = String(parts[0])
            let file = String(parts[1])
            if file.hasSuffix(".bson.gz") || file.hasSuffix(".metadata.json.gz") {
                throw RestoreFailure.compressedDump(path)
            }
            if let stem = Self.stem(of: file, suffix: ".metadata.json") {
                entries[ExactText("\(database)/\(stem)"), default: Entry(database: database, stem: stem)].metadataPath =
                    path
            } else if let stem = Self.stem(of: file, suffix: ".bson") {
                entries[ExactText("\(database)/\(stem)"), default: Entry(database: database, stem: stem)].dataPath =
                    path
            }
        }
        self.entries = entries.values.sorted { "\($0.database)/\($0.stem)" < "\($1.database)/\($1.stem)" }
    }

    private static func relative(_ path: String) -> String {
        path.hasPrefix("/") ? String(path.dropFirst()) : path
    }

    private static func stem(of file: String, suffix: String) -> String? {
        file.hasSuffix(suffix) && file.count > suffix.count ? String(file.dropLast(suffix.count)) : nil
    }

    /// The folder above the databases' folders, told by the metadata files, or by the data where there are none.
    private static func root(of paths: [String]) throws -> String {
        let relative = paths.map(Self.relative)
        if relative.contains("remora.json") { return "" }
        for suffix in [".metadata.json", ".metadata.json.gz", ".bson", ".bson.gz"] {
            var roots: Set<ExactText> = []
            for path in relative where path.hasSuffix(suffix) {
                let parts = path.split(separator: "/", omittingEmptySubsequences: false)
                if parts.last == "oplog.bson" || parts.last == "oplog.bson.gz" { continue }
                guard parts.count >= 2 else {
                    throw RestoreFailure.notADump(
                        "\(path) lies at the top of the snapshot, where mongodump has a folder for each database"
                    )
                }
                roots.insert(ExactText(parts.dropLast(2).map { $0 + "/" }.joined()))
            }
            if roots.count > 1 {
                throw RestoreFailure.notADump(
                    "it holds more than one dump: \(roots.map { "/\($0.text)" }.sorted().joined(separator: ", "))"
                )
            }
            if let root = roots.first { return root.text }
        }
        throw RestoreFailure.notADump("no file in it ends in .metadata.json or .bson")
    }
}
