import ObjectStorage

/// What went wrong with a repository: a stable code for programs, a sentence for people.
public struct RepositoryError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; open, so that later parts can add their own.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's stable name.
        public let description: String
        /// Makes a code from its stable name.
        public init(_ description: String) { self.description = description }

        /// No key file of the repository opens with this password.
        public static let wrongPassword = Code("wrongPassword")
        /// There is no repository here.
        public static let notARepository = Code("notARepository")
        /// There is already a repository, or a part of one, here.
        public static let alreadyInitialized = Code("alreadyInitialized")
        /// The repository has a version that this program doesn't know.
        public static let unsupportedVersion = Code("unsupportedVersion")
        /// Stored bytes are not those that were written, or make no sense.
        public static let damaged = Code("damaged")
        /// A file or blob of the repository that should be there is not: stored data is lost.
        public static let missing = Code("missing")
        /// There is no snapshot or path of the name that was asked for: nothing is lost.
        public static let notFound = Code("notFound")
        /// Another process holds a lock that excludes this one.
        public static let locked = Code("locked")
        /// An argument makes no sense: a path, a password, an option.
        public static let invalidArgument = Code("invalidArgument")
        /// The writer was used after it failed, or out of order.
        public static let writerState = Code("writerState")
        /// The object store failed.
        public static let storage = Code("storage")
        /// A file of the local system could not be read or written.
        public static let localFile = Code("localFile")
        /// libcrypto or libzstd refused something that always works.
        public static let library = Code("library")
    }

    /// What kind of failure.
    public var code: Code
    /// What was attempted on what, why it failed, and what to do: lower case, no secrets.
    public var message: String
    /// The error below, if there is one.
    public var cause: (any Error)?

    /// Makes an error.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The sentence for people, with its cause.
    public var description: String {
        guard let cause else { return message }
        return "\(message) (\(cause))"
    }
}

extension RepositoryError {
    /// The word that reports of jobs and sessions carry for it (docs/reference/exit-codes.md): the store's own when it
    /// was the store; nil for a mistake that is none of the repository's.
    public var failureCode: String? {
        if let cause = cause as? ObjectStorageError { return cause.failureCode }
        return switch code {
        case .wrongPassword: "wrongPassword"
        case .notARepository: "notARepository"
        case .unsupportedVersion: "unsupportedRepository"
        case .damaged: "repositoryDamaged"
        case .notFound: "backupNotFound"
        case .missing: "snapshotIncomplete"
        case .locked: "repositoryLocked"
        case .storage: "storageUnavailable"
        default: nil
        }
    }

    /// Whether a whole job may go better later: the store's own verdict when it was the store.
    public var mayPass: Bool {
        if let cause = cause as? ObjectStorageError { return cause.mayPass }
        return code == .locked || code == .storage
    }
}
