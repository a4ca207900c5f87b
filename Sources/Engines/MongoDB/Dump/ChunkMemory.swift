import Repository
import Synchronization

/// Memory that one chunk is put together in, and then stored from; it goes back to its pool with the last reference.
///
/// The checksum is computed here, a few documents behind what is copied: those bytes are still in the core's own cache.
final class ChunkMemory: BlobBytes, @unchecked Sendable {
    // Unchecked: one reader fills it, and hands it over when nobody changes it any more.
    private let pool: ChunkPool
    private var region: UnsafeMutableRawBufferPointer
    private(set) var count = 0
    private var crc = CRC64()
    private var checked = 0

    /// Bytes that the checksum lags behind at most: they fit into the smallest cache.
    private static let lag = 16 << 10

    fileprivate init(_ region: UnsafeMutableRawBufferPointer, of pool: ChunkPool) {
        self.region = region
        self.pool = pool
    }

    deinit { pool.takeBack(region) }

    /// Appends bytes.
    func append(_ bytes: UnsafeRawBufferPointer) {
        if region.count - count < bytes.count { grow(to: count + bytes.count) }
        UnsafeMutableRawBufferPointer(rebasing: region[count...]).copyMemory(from: bytes)
        count += bytes.count
        if count - checked >= Self.lag { check() }
    }

    /// The checksum of everything that was appended.
    func checksum() -> CRC64 {
        check()
        return crc
    }

    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try body(filled)
    }

    /// Lends the bytes.
    func withBytes<Result, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(filled.bytes)
    }

    private var filled: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: region[..<count]) }

    private func check() {
        crc.update(UnsafeRawBufferPointer(rebasing: region[checked..<count]).bytes)
        checked = count
    }

    private func grow(to least: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: least, alignment: ChunkPool.alignment)
        larger.copyMemory(from: filled)
        pool.takeBack(region)
        region = larger
    }
}

/// Memory for chunks, used again and again: fresh pages cost a fault for each 4 KiB, and blocks of all sizes would
/// leave holes between each other.
final class ChunkPool: Sendable {
    private struct Spare: @unchecked Sendable {
        // Unchecked: memory in this list belongs to nobody else.
        var regions: [UnsafeMutableRawBufferPointer] = []
    }

    /// Room for any chunk of documents up to 256 KiB; a larger one at a chunk's end gets memory of its own.
    static let regionBytes = DocumentChunker.maximum + (256 << 10)
    static let alignment = 64

    private let spare = Mutex(Spare())
    private let mostSpare: Int

    /// - Parameter mostSpare: Regions of 4.25 MiB that are kept for later at most.
    init(mostSpare: Int) { self.mostSpare = mostSpare }

    deinit {
        for region in spare.withLock({ $0.regions }) { region.deallocate() }
    }

    /// Memory for a chunk.
    func take() -> ChunkMemory {
        let known = spare.withLock { Spare(regions: $0.regions.popLast().map { [$0] } ?? []) }
        let region = known.regions.first ?? .allocate(byteCount: Self.regionBytes, alignment: Self.alignment)
        return ChunkMemory(region, of: self)
    }

    fileprivate func takeBack(_ region: UnsafeMutableRawBufferPointer) {
        let returned = Spare(regions: [region])
        let isKept = spare.withLock { spare in
            guard spare.regions.count < mostSpare, returned.regions[0].count == Self.regionBytes else { return false }
            spare.regions += returned.regions
            return true
        }
        if !isKept { region.deallocate() }
    }
}
