import CZstd

/// zstd with contexts that are used again: one frame, content size in its header, no checksum.
final class Compressor {
    private let compressing: OpaquePointer
    private let decompressing: OpaquePointer

    /// Largest window we read: 2^27, as every stock reader allows.
    private static let largestWindowLog: Int32 = 27

    init(level: Int32) throws {
        // libzstd would clamp silently.
        guard (1...19).contains(level) else {
            throw RepositoryError(.invalidArgument, "there is no compression level \(level): use 1 to 19")
        }
        guard let compressing = ZSTD_createCCtx(), let decompressing = ZSTD_createDCtx() else {
            throw RepositoryError(.library, "libzstd has no memory for a context")
        }
        self.compressing = compressing
        self.decompressing = decompressing
        let settings: [(ZSTD_cParameter, Int32)] = [
            (ZSTD_c_compressionLevel, level), (ZSTD_c_contentSizeFlag, 1), (ZSTD_c_checksumFlag, 0),
        ]
        for (parameter, value) in settings
        where ZSTD_isError(ZSTD_CCtx_setParameter(compressing, parameter, value)) != 0 {
            throw RepositoryError(.library, "libzstd refuses a parameter")
        }
        ZSTD_DCtx_setParameter(decompressing, ZSTD_d_windowLogMax, Self.largestWindowLog)
    }

    deinit {
        ZSTD_freeCCtx(compressing)
        ZSTD_freeDCtx(decompressing)
    }

    /// Room that compressing `count` bytes can need.
    static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

    /// Compresses `plain` into `output`; nil if it doesn't fit.
    func compress(_ plain: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
        let size = ZSTD_compress2(compressing, output.baseAddress, output.count, plain.baseAddress, plain.count)
        return ZSTD_isError(size) == 0 ? size : nil
    }

    /// A frame of `plain` in an array of its own.
    func compress(_ plain: [UInt8]) throws -> [UInt8] {
        try plain.withUnsafeBytes { source in
            let room = Self.bound(source.count)
            return try [UInt8](unsafeUninitializedCapacity: room) { buffer, initialized in
                guard let size = compress(source, into: UnsafeMutableRawBufferPointer(buffer)) else {
                    throw RepositoryError(.library, "libzstd failed to compress \(source.count) bytes")
                }
                initialized = size
            }
        }
    }

    /// The plaintext of exactly `count` bytes in the frame; nil when the frame is damaged or holds another count.
    func decompress(_ frame: UnsafeRawBufferPointer, count: Int) -> [UInt8]? {
        // A length from an index is believed only as far as memory goes that costs nothing until it is touched.
        guard count <= 64 << 20 else {
            let plain = decompress(frame, limit: count)
            return plain?.count == count ? plain : nil
        }
        var isWhole = false
        let plain = [UInt8](unsafeUninitializedCapacity: max(count, 1)) { buffer, initialized in
            let size = ZSTD_decompressDCtx(
                decompressing,
                buffer.baseAddress,
                count,
                frame.baseAddress,
                frame.count
            )
            isWhole = ZSTD_isError(size) == 0 && size == count
            initialized = isWhole ? count : 0
        }
        return isWhole ? plain : nil
    }

    /// The plaintext in the frames, of at most `limit` bytes, growing as it comes; nil when it is damaged or longer.
    func decompress(_ frames: UnsafeRawBufferPointer, limit: Int) -> [UInt8]? {
        ZSTD_DCtx_reset(decompressing, ZSTD_reset_session_only)
        var input = ZSTD_inBuffer(src: frames.baseAddress, size: frames.count, pos: 0)
        var plain: [UInt8] = []
        let step = ZSTD_DStreamOutSize()
        while true {
            // 0 when a frame is complete, otherwise how much it wants next, or an error.
            var pending = 0
            let part = [UInt8](unsafeUninitializedCapacity: step) { buffer, initialized in
                var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: step, pos: 0)
                pending = ZSTD_decompressStream(decompressing, &output, &input)
                initialized = output.pos
            }
            guard ZSTD_isError(pending) == 0, plain.count + part.count <= limit else { return nil }
            plain += part
            if input.pos == input.size {
                if pending == 0 { return plain }
                if part.count < step { return nil }  // it wants more than there is
            }
        }
    }
}
