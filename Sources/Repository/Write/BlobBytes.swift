/// Bytes of a blob wherever they lie: they must stay as they are until the blob is stored.
public protocol BlobBytes: Sendable {
    /// How many they are.
    var count: Int { get }

    /// Lends the bytes for as long as `body` runs.
    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result
}

extension Array: BlobBytes where Element == UInt8 {}
