/// What went wrong while a test's surroundings were set up or asked: one sentence that a person can act on.
public struct TestSupportError: Error, Sendable, CustomStringConvertible {
    /// What was attempted on what, why it failed, and what to do.
    public let message: String

    /// Makes an error out of its sentence.
    public init(_ message: String) {
        self.message = message
    }

    /// The sentence.
    public var description: String { message }
}
