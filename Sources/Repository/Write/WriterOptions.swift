/// How a writer works; the defaults are what a sidecar should use.
public struct WriterOptions: Sendable {
    /// zstd's level.
    ///
    /// 1 is 1.6 times as fast as 3 and 1 % larger on database documents.
    public var compressionLevel: Int32 = 1
    /// A pack is closed when it has this many bytes.
    ///
    /// 16 MiB is the format's usual size.
    public var packSize = 16 << 20
    /// Packs that are uploaded at the same time.
    ///
    /// One more may wait; then storing waits.
    public var uploads = 3
    /// An index file is written after this many packs, so that a killed job's work is found again.
    public var packsPerIndex = 64
    /// An index file is written after this time, too.
    public var indexInterval = Duration.seconds(60)

    /// The defaults.
    public init() {}

    /// The same within the format's limits: offsets have 32 bits, stores take no objects without end.
    var sensible: WriterOptions {
        var options = self
        options.packSize = min(max(packSize, 1), 128 << 20)
        options.uploads = max(uploads, 1)
        options.packsPerIndex = max(packsPerIndex, 1)
        return options
    }
}

/// What a writer has done so far.
public struct WriterStatistics: Sendable, Equatable {
    /// Data blobs that were stored, because nobody had them.
    public var newDataBlobs: UInt64 = 0
    /// Tree blobs that were stored.
    public var newTreeBlobs: UInt64 = 0
    /// Blobs that were known already.
    public var knownBlobs: UInt64 = 0
    /// Plain bytes that were handed in.
    public var bytesIn: UInt64 = 0
    /// Plain bytes of new blobs.
    public var bytesAdded: UInt64 = 0
    /// Bytes that the new blobs take, compressed and sealed.
    public var bytesStored: UInt64 = 0
    /// Bytes of packs and index files that are durable.
    public var bytesUploaded: UInt64 = 0
    /// Packs that are durable.
    public var packsUploaded: UInt64 = 0
    /// Index files that are durable.
    public var indexFiles: UInt64 = 0
}

/// What storing one blob did.
public struct StoredBlob: Sendable, Equatable {
    /// The blob's id.
    public var id: BlobID
    /// Whether it was new.
    public var isNew: Bool
    /// Bytes it takes in its pack; 0 if it was known.
    public var storedBytes: Int
}
