import BackupModel
import Engines
import HTTPClient
import ObjectStorage
import Repository

/// Why a command ends without success: how the process exits, one sentence, and what to do about it.
struct CommandFailure: Error, CustomStringConvertible {
    var status: ExitStatus
    /// What was attempted on what, and why it failed.
    var message: String
    /// What a person can do, if it isn't in the message already.
    var hint: String?

    init(_ status: ExitStatus, _ message: String, hint: String? = nil) {
        self.status = status
        self.message = message
        self.hint = hint
    }

    var description: String { message }

    /// Turns whatever was thrown below into exit status, sentence and hint.
    init(describing error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as RepositoryError: self.init(error)
        case let error as ObjectStorageError: self.init(error, message: error.description)
        case let error as JobFailure: self.init(error)
        case let error as MongoError: self.init(.database, "MongoDB: \(error)")
        case let error as HTTPClientError: self.init(.unreachable, error.message)
        case is CancellationError: self.init(.cancelled, "stopped")
        default: self.init(.failed, "\(error)")
        }
    }

    private init(_ failure: JobFailure) {
        self.init(.ofJobFailure(failure.code), failure.message, hint: Self.hints[failure.code])
    }

    private init(_ error: RepositoryError) {
        if let cause = error.cause as? ObjectStorageError, error.code != .damaged {
            self.init(cause, message: error.description)
            return
        }
        switch error.code {
        case .wrongPassword: self.init(.wrongPassword, error.description)
        case .notARepository, .unsupportedVersion: self.init(.notARepository, error.description)
        case .damaged, .missing:
            self.init(.damaged, error.description, hint: "remora repo check --read-data says what else is affected")
        case .notFound: self.init(.notFound, error.description)
        case .locked:
            self.init(.locked, error.description, hint: "if its holder is gone for good: restic unlock --remove-all")
        case .alreadyInitialized: self.init(.refused, error.description)
        case .invalidArgument: self.init(.usage, error.description)
        case .storage: self.init(.storage, error.description)
        default: self.init(.failed, error.description)
        }
    }

    private init(_ error: ObjectStorageError, message: String) {
        switch error.code {
        case .corrupt: self.init(.damaged, message)
        case .invalidConfiguration: self.init(.usage, message)
        default: self.init(.storage, message)
        }
    }

    /// What to do about failures of jobs whose own sentence doesn't know our options.
    static let hints = [
        "targetNotEmpty":
            "give --drop to drop the collections that the backup has, or restore beside them with --rename 'shop.*=shop_restored.*'",
        "foreignLock": "find who locked it; db.fsyncUnlock() on that member ends it",
    ]

    /// The hint for a session that ended with this reason.
    static func hint(forReason reason: String?) -> String? {
        guard let reason else { return nil }
        return hints[reason.prefix(1).lowercased() + reason.dropFirst()]
    }
}
