/// What went wrong with an object store: a stable code for programs, a sentence for people.
public struct ObjectStorageError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; open, so that a back end can add its own.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's stable name.
        public let description: String
        /// Makes a code from its stable name.
        public init(_ description: String) { self.description = description }

        /// No such object, bucket or directory.
        public static let notFound = Code("notFound")
        /// A conditional put found an object.
        public static let alreadyExists = Code("alreadyExists")
        /// The store knows us and refuses, or doesn't know us.
        public static let accessDenied = Code("accessDenied")
        /// The store could not be reached, or broke off, more often than we retry.
        public static let unavailable = Code("unavailable")
        /// No space left, or a quota is used up.
        public static let noSpace = Code("noSpace")
        /// Bytes came back that are not those that were stored, or fewer.
        public static let corrupt = Code("corrupt")
        /// The location, a key or an option makes no sense.
        public static let invalidConfiguration = Code("invalidConfiguration")
        /// The store answered something else.
        public static let unexpected = Code("unexpected")
    }

    /// What kind of failure.
    public var code: Code
    /// What was attempted on what, why it failed, and what to do: lower case, no secrets.
    public var message: String
    /// Whether trying the same call again can help.
    public var isTransient: Bool
    /// The error below, if there is one.
    public var cause: (any Error)?

    /// Makes an error.
    public init(_ code: Code, _ message: String, isTransient: Bool = false, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.isTransient = isTransient
        self.cause = cause
    }

    /// The sentence for people, with its cause.
    public var description: String {
        guard let cause else { return message }
        return "\(message) (\(cause))"
    }
}

extension ObjectStorageError {
    /// Whether a whole job may go better later.
    ///
    /// Stricter than `isTransient`, which is about one call: what is full, refused, damaged or wrong needs a person.
    public var mayPass: Bool {
        switch code {
        case .unavailable: true
        case .noSpace, .accessDenied, .corrupt, .notFound, .invalidConfiguration: false
        default: isTransient
        }
    }

    /// The word that reports of jobs and sessions carry for it (docs/reference/exit-codes.md).
    public var failureCode: String {
        switch code {
        case .unavailable: "storageUnavailable"
        case .noSpace: "storageFull"
        case .accessDenied: "storageAccessDenied"
        case .corrupt: "repositoryDamaged"
        case .notFound: "storageNotFound"
        case .invalidConfiguration: "storageConfiguration"
        default: "storage"
        }
    }
}
