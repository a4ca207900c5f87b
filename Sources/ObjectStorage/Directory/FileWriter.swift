import CPlatform
import Glibc

/// Writes all of an object to a file, a large one past the page cache.
///
/// A pack is written once and not read for days, and it is synced at once anyway. Through the cache, finding pages for it
/// took a fifth of a backup's processor time and cost the database beside us the pages that it had there.
struct FileWriter {
    /// Smaller objects go through the cache: they are few bytes, or read again soon.
    static let leastBypassing = 1 << 20
    /// What direct writes must be aligned to: no device has larger blocks.
    private static let block = 4096
    /// Copied and written at once.
    private static let part = 1 << 20

    let descriptor: Int32

    /// Writes `bytes` to an empty file; gives back `errno` if that fails.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int32? {
        var rest = bytes
        if bytes.count >= Self.leastBypassing, remora_bypass_cache(descriptor, 1) == 0 {
            let outcome = writeBlocks(bytes)
            // Also after a refusal: some file systems take the flag and then not the write.
            guard remora_bypass_cache(descriptor, 0) == 0 else { return errno }
            if let code = outcome.failure, code != EINVAL { return code }
            rest = UnsafeRawBufferPointer(rebasing: bytes[outcome.written...])
        }
        return writeAll(rest)
    }

    /// Whole blocks, by way of memory that is aligned as the device wants it.
    private func writeBlocks(_ bytes: UnsafeRawBufferPointer) -> (written: Int, failure: Int32?) {
        let aligned = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.part, alignment: Self.block)
        defer { aligned.deallocate() }
        let end = bytes.count / Self.block * Self.block
        var written = 0
        while written < end {
            let next = UnsafeRawBufferPointer(rebasing: bytes[written..<min(written + Self.part, end)])
            aligned.copyMemory(from: next)
            let count = Glibc.write(descriptor, aligned.baseAddress, next.count)
            if count < 0 {
                if errno == EINTR { continue }
                return (written, errno)
            }
            written += count
            // Part of a block can't be gone on from this way.
            if count % Self.block != 0 { return (written, nil) }
        }
        return (written, nil)
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) -> Int32? {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count < 0 {
                if errno == EINTR { continue }
                return errno
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return nil
    }
}
