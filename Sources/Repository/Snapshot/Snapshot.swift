/// A snapshot: when, of what, and the root of its tree (restic design.rst, "Trees and Data").
public struct Snapshot: Sendable, Equatable {
    /// When it was taken; written in UTC, because retention counts days in the snapshot's own zone.
    public var time: Timestamp
    /// The snapshot before it that the same source had.
    public var parent: SnapshotID?
    /// The root directory.
    public var tree: BlobID
    /// What was backed up.
    ///
    /// Stable from run to run: the stock tool groups by host and paths when it forgets.
    public var paths: [String]
    /// Where it comes from: a stable name, never a pod's.
    public var hostname: String
    /// Who made it.
    public var username: String
    /// Words to find it by.
    public var tags: [String]
    /// The snapshot that this one replaced when its tags were changed.
    public var original: SnapshotID?
    /// The program that made it.
    public var programVersion: String
    /// What the run did; nil for snapshots of older programs.
    public var summary: SnapshotSummary?

    /// Makes a snapshot to commit.
    public init(
        time: Timestamp,
        tree: BlobID,
        paths: [String],
        hostname: String,
        username: String = "remora",
        tags: [String] = [],
        parent: SnapshotID? = nil,
        programVersion: String = "remora",
        summary: SnapshotSummary? = nil
    ) {
        self.time = time
        self.parent = parent
        self.tree = tree
        self.paths = paths
        self.hostname = hostname
        self.username = username
        self.tags = tags
        self.programVersion = programVersion
        self.summary = summary
    }

    /// The file's JSON, in restic's field order.
    var json: [UInt8] {
        var object = JSONObjectWriter()
        object.member("time", time.description)
        if let parent { object.member("parent", parent) }
        object.member("tree", tree)
        object.member("paths", paths)
        if !hostname.isEmpty { object.member("hostname", hostname) }
        if !username.isEmpty { object.member("username", username) }
        if !tags.isEmpty { object.member("tags", tags) }
        if let original { object.member("original", original) }
        if !programVersion.isEmpty { object.member("program_version", programVersion) }
        if let summary { object.member("summary", json: summary.json) }
        return object.finish()
    }

    /// Reads a snapshot's JSON.
    init(json: [UInt8]) throws {
        var time: Timestamp?
        var tree: BlobID?
        self.init(time: .epoch, tree: .zero, paths: [], hostname: "", username: "", programVersion: "")
        try json.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            try scanner.object { scanner, key in
                switch key {
                case "time": time = try scanner.timestamp()
                case "tree": tree = try scanner.null() ? nil : try scanner.id()
                case "parent": parent = try scanner.null() ? nil : try scanner.id()
                case "original": original = try scanner.null() ? nil : try scanner.id()
                case "paths": paths = try scanner.strings()
                case "tags": tags = try scanner.strings()
                case "hostname": hostname = try scanner.string()
                case "username": username = try scanner.string()
                case "program_version": programVersion = try scanner.string()
                case "summary": summary = try scanner.null() ? nil : try SnapshotSummary(&scanner)
                default: try scanner.skip()
                }
            }
            try scanner.expectEnd()
            guard time != nil, tree != nil else { throw scanner.failure("a snapshot without its time or tree") }
        }
        self.time = time ?? .epoch
        self.tree = tree ?? .zero
    }
}

/// What a run did, as stock tools show it.
public struct SnapshotSummary: Sendable, Equatable {
    /// When the run began.
    public var backupStart: Timestamp
    /// When it ended.
    public var backupEnd: Timestamp
    /// Files in the snapshot that were read.
    public var filesNew: UInt64 = 0
    /// Data blobs that were new.
    public var dataBlobs: UInt64 = 0
    /// Directories that were new.
    public var treeBlobs: UInt64 = 0
    /// Bytes of new blobs before compression.
    public var dataAdded: UInt64 = 0
    /// Bytes of new blobs as stored.
    public var dataAddedPacked: UInt64 = 0
    /// Files in the snapshot.
    public var totalFilesProcessed: UInt64 = 0
    /// Bytes of all files.
    public var totalBytesProcessed: UInt64 = 0

    /// Makes a summary of zeros.
    public init(backupStart: Timestamp, backupEnd: Timestamp) {
        self.backupStart = backupStart
        self.backupEnd = backupEnd
    }

    var json: [UInt8] {
        var object = JSONObjectWriter()
        object.member("backup_start", backupStart.description)
        object.member("backup_end", backupEnd.description)
        object.member("files_new", filesNew)
        object.member("files_changed", 0)
        object.member("files_unmodified", 0)
        object.member("dirs_new", 0)
        object.member("dirs_changed", 0)
        object.member("dirs_unmodified", 0)
        object.member("data_blobs", dataBlobs)
        object.member("tree_blobs", treeBlobs)
        object.member("data_added", dataAdded)
        object.member("data_added_packed", dataAddedPacked)
        object.member("total_files_processed", totalFilesProcessed)
        object.member("total_bytes_processed", totalBytesProcessed)
        return object.finish()
    }

    init(_ scanner: inout JSONScanner) throws {
        self.init(backupStart: .epoch, backupEnd: .epoch)
        try scanner.object { scanner, key in
            switch key {
            case "backup_start": backupStart = try scanner.timestamp()
            case "backup_end": backupEnd = try scanner.timestamp()
            case "files_new": filesNew = try scanner.uint64()
            case "data_blobs": dataBlobs = try scanner.uint64()
            case "tree_blobs": treeBlobs = try scanner.uint64()
            case "data_added": dataAdded = try scanner.uint64()
            case "data_added_packed": dataAddedPacked = try scanner.uint64()
            case "total_files_processed": totalFilesProcessed = try scanner.uint64()
            case "total_bytes_processed": totalBytesProcessed = try scanner.uint64()
            default: try scanner.skip()
            }
        }
    }
}
