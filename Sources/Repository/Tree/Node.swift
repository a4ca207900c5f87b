/// One entry of a directory, as a tree blob holds it (restic design.rst, "Trees and Data").
public struct Node: Sendable, Equatable {
    /// What a node is; open, because repositories hold nodes of other systems.
    public struct Kind: Sendable, Hashable, CustomStringConvertible {
        /// The name in the tree.
        public let description: String
        /// Makes a kind from its name in the tree.
        public init(_ description: String) { self.description = description }

        /// A regular file.
        public static let file = Kind("file")
        /// A directory.
        public static let directory = Kind("dir")
        /// A symbolic link.
        public static let symlink = Kind("symlink")
        /// The kinds that are named in trees but hold no data that we restore.
        static let special: Set<Kind> = [Kind("dev"), Kind("chardev"), Kind("fifo"), Kind("socket"), Kind("irregular")]
    }

    /// The name's raw bytes: names are not text.
    public var name: [UInt8]
    /// What it is.
    public var kind: Kind
    /// Go's `os.FileMode`: permission bits, and kind bits in places of its own.
    public var mode: UInt32
    /// When the content changed last.
    public var modified: Timestamp
    /// When it was read last.
    public var accessed: Timestamp
    /// When its metadata changed last.
    public var changed: Timestamp
    /// Owner's number.
    public var uid: UInt32
    /// Group's number.
    public var gid: UInt32
    /// Bytes of a file.
    public var size: UInt64
    /// What a symbolic link points to, raw.
    public var linkTarget: [UInt8]
    /// A file's content: its chunks in order; nil for what has no content.
    public var content: [BlobID]?
    /// A directory's tree.
    public var subtree: BlobID?

    init(name: [UInt8], kind: Kind, mode: UInt32, time: Timestamp) {
        self.name = name
        self.kind = kind
        self.mode = mode
        modified = time
        accessed = time
        changed = time
        uid = 0
        gid = 0
        size = 0
        linkTarget = []
    }

    /// Go's bit for a directory.
    static let directoryBit: UInt32 = 1 << 31
    /// Go's bit for a symbolic link.
    static let symlinkBit: UInt32 = 1 << 27

    /// Permissions as POSIX has them, with the set-uid, set-gid and sticky bits that Go keeps elsewhere.
    public var permissions: UInt32 {
        var bits = mode & 0o777
        if mode & 1 << 23 != 0 { bits |= 0o4000 }
        if mode & 1 << 22 != 0 { bits |= 0o2000 }
        if mode & 1 << 20 != 0 { bits |= 0o1000 }
        return bits
    }

    /// The JSON in restic's field order, whose bytes decide the tree's id.
    var json: [UInt8] {
        var object = JSONObjectWriter()
        object.member("name", utf8: GoQuote.quote(name))
        object.member("type", kind.description)
        if mode != 0 { object.member("mode", mode) }
        object.member("mtime", modified.description)
        object.member("atime", accessed.description)
        object.member("ctime", changed.description)
        object.member("uid", uid)
        object.member("gid", gid)
        if size != 0 { object.member("size", size) }
        if !linkTarget.isEmpty { object.member("linktarget", utf8: linkTarget) }
        if let content { object.member("content", content) } else { object.member("content", json: Array("null".utf8)) }
        if let subtree { object.member("subtree", subtree) }
        return object.finish()
    }
}
