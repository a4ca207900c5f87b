internal import CMongoC
import Foundation

// `bson_t` is aligned to 128 bytes, which Swift can't express: it is only ever handled through pointers to memory
// that was asked for with that alignment.

/// Lends a document to libbson, without a copy.
func withBSON<Result>(_ document: TestDocument, _ body: (OpaquePointer) throws -> Result) rethrows -> Result {
    try withUnsafeTemporaryAllocation(byteCount: 128, alignment: 128) { memory in
        try document.bytes.withUnsafeBufferPointer { bytes in
            guard let base = memory.baseAddress else { preconditionFailure("no stack memory") }
            let bson = OpaquePointer(base)
            // Fails only on bytes that aren't as long as they say; such a document then shows as empty.
            if !bson_init_static(bson, bytes.baseAddress, bytes.count) { bson_init(bson) }
            return try body(bson)
        }
    }
}

/// Lends an empty document for libmongoc to fill, and destroys it afterwards.
func withReply<Result>(_ body: (OpaquePointer) throws -> Result) rethrows -> Result {
    try withUnsafeTemporaryAllocation(byteCount: 128, alignment: 128) { memory in
        guard let base = memory.baseAddress else { preconditionFailure("no stack memory") }
        let bson = OpaquePointer(base)
        bson_init(bson)
        defer { bson_destroy(bson) }
        return try body(bson)
    }
}

/// A copy of a document's bytes; its length is at their head.
func bytesOfBSON(_ bson: OpaquePointer) -> [UInt8] {
    guard let data = bson_get_data(bson) else { return [5, 0, 0, 0, 0] }
    return Array(UnsafeBufferPointer(start: data, count: lengthOfBSON(data)))
}

/// The length in a document's first four bytes.
func lengthOfBSON(_ data: UnsafePointer<UInt8>) -> Int {
    Int(Int32(littleEndian: UnsafeRawPointer(data).loadUnaligned(as: Int32.self)))
}

extension bson_error_t {
    /// The message.
    var text: String {
        withUnsafeBytes(of: message) { raw in
            String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

/// Runs an actor's jobs one after the other on a thread that may block: never one of Swift's own pool.
final class BlockingExecutor: SerialExecutor {
    private let queue: DispatchQueue

    init(_ label: String) {
        queue = DispatchQueue(label: label)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
