import CZstd

/// Zstandard in one call each, for logs.
enum Zstandard {
    /// It failed.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// No log is longer than this; more means a damaged or hostile file.
    private static let maximumBytes = 512 << 20

    /// One frame that knows its length.
    static func compress(_ bytes: [UInt8]) throws(Failure) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
        let count = ZSTD_compress(&result, result.count, bytes, bytes.count, 3)
        guard ZSTD_isError(count) == 0 else {
            throw Failure(description: "can't compress a log: \(String(cString: ZSTD_getErrorName(count)))")
        }
        result.removeLast(result.count - count)
        return result
    }

    /// The content of one frame.
    static func decompress(_ bytes: [UInt8]) throws(Failure) -> [UInt8] {
        let size = ZSTD_getFrameContentSize(bytes, bytes.count)
        guard size <= UInt64(maximumBytes) else {
            throw Failure(description: "can't decompress a log: this is no zstd frame of a believable length")
        }
        var result = [UInt8](repeating: 0, count: Int(size))
        let count = ZSTD_decompress(&result, result.count, bytes, bytes.count)
        guard ZSTD_isError(count) == 0, count == result.count else {
            throw Failure(description: "can't decompress a log: the frame is damaged")
        }
        return result
    }
}
