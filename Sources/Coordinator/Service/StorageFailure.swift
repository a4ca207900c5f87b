/// A storage effect failed: one sentence without secrets, whether trying again can help, and a word for programs.
struct StorageFailure: Error, Sendable, CustomStringConvertible {
    var description: String
    var isRetryable: Bool
    /// Which kind of failure, in the words that agents use for failed jobs: whoever waits for the session can tell a
    /// wrong password from a full disk, whichever of the two met it.
    var code = StorageFailure.otherCode

    /// Nothing more is known than that the repository can't be used.
    static let otherCode = "repositoryNotReady"

    /// The code as the reason of a session: the same word with a capital.
    var reason: String { code.prefix(1).uppercased() + code.dropFirst() }
}
