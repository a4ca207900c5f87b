import CCrypto

/// Decides after which documents of a collection a chunk ends: by a keyed hash of namespace and `_id`, so that equal
/// documents in equal order give equal chunks, whoever reads them and in how many pieces.
///
/// A document ends a chunk with a chance that grows with its length, so the average chunk doesn't depend on the
/// average document. A few of them are *strong*: they end a chunk whatever came before. Since nothing before a strong
/// end matters after it, readers that begin at different places agree from the first strong end on: partitions
/// can begin and end there and leave no trace in the chunks.
struct DocumentChunker: Sendable {
    /// What a document does to the chunk that it is in.
    enum End: Sendable {
        /// Nothing.
        case none
        /// Ends it if it is long enough.
        case weak
        /// Ends it, however short it is.
        case strong
    }

    /// Below this no weak end counts.
    ///
    /// 256 KiB keeps a repository's index small (research: 67 MB a TiB at 1 MiB).
    static let minimum = 256 << 10
    /// The average aimed at.
    static let target = 1 << 20
    /// A chunk ends after the document that brings it to this.
    static let maximum = 4 << 20
    /// Average distance between strong ends: what two readers of neighbouring partitions read twice.
    static let strongDistance = 8 << 20

    private static let weakScale = UInt64.max / UInt64(target - minimum)
    private static let strongScale = UInt64.max / UInt64(strongDistance)

    private let hash: SipHash

    /// Makes the chunker of one namespace from the repository's secret.
    init(key: [UInt8], namespace: String) {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let message = [UInt8](namespace.utf8)
        _ = HMAC(EVP_sha256(), key, Int32(key.count), message, message.count, &digest, &length)
        func word(_ offset: Int) -> UInt64 {
            digest[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        hash = SipHash(word(0), word(8))
    }

    /// What the document does whose identity (type byte, key and value of its `_id`, or all of it) is at `identity`.
    @inline(__always)
    func end(_ bytes: RawSpan, identity: Range<Int>, documentLength: Int) -> End {
        let value = hash(bytes, identity)
        let length = UInt64(documentLength)
        if value < length.multipliedSaturating(Self.strongScale) { return .strong }
        if value < length.multipliedSaturating(Self.weakScale) { return .weak }
        return .none
    }

    /// Whether a chunk of `size` bytes ends with a document of this effect.
    @inline(__always)
    static func isCut(size: Int, _ end: End) -> Bool {
        switch end {
        case .strong: true
        case .weak: size >= minimum
        case .none: size >= maximum
        }
    }
}

extension UInt64 {
    @inline(__always)
    fileprivate func multipliedSaturating(_ other: UInt64) -> UInt64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
