public import BSON
import CMongoC
import Dispatch

/// libmongoc as a whole: started once, its own log silenced because every error reaches us as a value.
enum MongoLibrary {
    static let start: Void = {
        mongoc_init()
        mongoc_log_set_handler({ _, _, _, _ in }, nil)
    }()

    /// Lends `bytes` to C as a `bson_t` that lives as long as `body`.
    ///
    /// `bson_t` is aligned to 128 bytes, which Swift can't express in a struct, so it lies in a raw allocation.
    static func withBSON<Result>(_ bytes: [UInt8], _ body: (OpaquePointer) -> Result) -> Result? {
        withUnsafeTemporaryAllocation(byteCount: 128, alignment: 128) { place -> Result? in
            guard let base = place.baseAddress else { return nil }
            let document = OpaquePointer(base)
            return bytes.withUnsafeBufferPointer { buffer -> Result? in
                guard bson_init_static(document, buffer.baseAddress, buffer.count) else { return nil }
                return body(document)
            }
        }
    }

    static func message(_ error: bson_error_t) -> String {
        withUnsafeBytes(of: error.message) { raw in
            String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

/// A reply in the memory that libmongoc received it into: read-only, freed with the last reference.
public final class MongoReply: @unchecked Sendable {
    // Unchecked: the bytes are written by one command before anybody else sees the object, and never again.
    private let storage: UnsafeMutableRawPointer

    /// Runs `command` with room for a reply, which is initialized by every libmongoc call that takes one.
    init(_ command: (OpaquePointer) -> Void) {
        storage = .allocate(byteCount: 128, alignment: 128)
        command(OpaquePointer(storage))
    }

    /// A document without elements.
    static var empty: MongoReply { MongoReply { bson_init($0) } }

    deinit {
        bson_destroy(OpaquePointer(storage))
        storage.deallocate()
    }

    /// Lends the reply's bytes.
    @inlinable
    public func withBytes<Result, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure)
        -> Result
    {
        let buffer = bytes
        defer { withExtendedLifetime(self) {} }
        return try body(buffer.bytes)
    }

    @usableFromInline
    var bytes: UnsafeRawBufferPointer {
        guard let data = bson_get_data(OpaquePointer(storage)) else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        let length = UnsafeRawPointer(data).loadUnaligned(as: Int32.self)
        return UnsafeRawBufferPointer(start: data, count: Int(Int32(littleEndian: length)))
    }

    /// The reply as a document of its own.
    public func document() throws(BSONError) -> BSONDocument {
        let bytes = withBytes { span in span.withUnsafeBytes { [UInt8]($0) } }
        return try BSONDocument(validating: bytes)
    }
}

/// Runs an actor's work on a queue of its own, so that a blocking call of it delays nobody else.
///
/// Measured with eight blocking calls on two cores: a timer of 50 ms came after 55 ms with a queue each,
/// after 1.5 s with a shared one.
final class ConnectionExecutor: SerialExecutor {
    let queue: DispatchQueue

    init(label: String) { queue = DispatchQueue(label: label) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedSerialExecutor()
        queue.async { job.runSynchronously(on: executor) }
    }
}
