/// A storage effect failed: one sentence without secrets, and whether trying again can help.
struct StorageFailure: Error, Sendable, CustomStringConvertible {
    var description: String
    var isRetryable: Bool
}
