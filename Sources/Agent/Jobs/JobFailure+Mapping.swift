import BackupModel
import Engines
import HTTPClient
import ObjectStorage
import Repository

extension JobFailure {
    /// What is reported for an error: a stable code, one sentence without secrets, whether trying again can help.
    static func describing(_ error: any Error, redactor: Redactor) -> JobFailure {
        var failure = classify(error)
        failure.message = redactor.redact(failure.message)
        return failure
    }

    private static func classify(_ error: any Error) -> JobFailure {
        switch error {
        case let failure as JobFailure: failure
        case let error as RepositoryError: classify(error)
        case let error as ObjectStorageError: classify(error, message: error.description)
        case let error as CoordinatorCallError:
            JobFailure(code: error.code, message: error.message, isRetryable: error.kind != .rejected)
        case let error as HTTPClientError:
            JobFailure(code: "connection", message: error.message, isRetryable: error.isTransient)
        case let error as AgentError:
            JobFailure(code: error.code.description, message: error.message, isRetryable: false)
        case let error as MongoError:
            JobFailure(
                code: error.kind == .server || error.kind == .badReply ? "databaseError" : "databaseUnreachable",
                message: "MongoDB: \(error)",
                isRetryable: true
            )
        case is CancellationError:
            JobFailure(code: "cancelled", message: "the job was stopped", isRetryable: true)
        default:
            JobFailure(code: "unexpected", message: "\(error)", isRetryable: true)
        }
    }

    private static func classify(_ error: RepositoryError) -> JobFailure {
        if let cause = error.cause as? ObjectStorageError { return classify(cause, message: error.description) }
        return switch error.code {
        case .wrongPassword: JobFailure(code: "wrongPassword", message: error.description, isRetryable: false)
        case .notARepository: JobFailure(code: "notARepository", message: error.description, isRetryable: false)
        case .damaged: JobFailure(code: "repositoryDamaged", message: error.description, isRetryable: false)
        case .notFound: JobFailure(code: "backupNotFound", message: error.description, isRetryable: false)
        case .missing: JobFailure(code: "snapshotIncomplete", message: error.description, isRetryable: false)
        case .locked: JobFailure(code: "repositoryLocked", message: error.description, isRetryable: true)
        case .storage: JobFailure(code: "storageUnavailable", message: error.description, isRetryable: true)
        case .unsupportedVersion:
            JobFailure(code: "unsupportedRepository", message: error.description, isRetryable: false)
        default: JobFailure(code: error.code.description, message: error.description, isRetryable: false)
        }
    }

    private static func classify(_ error: ObjectStorageError, message: String) -> JobFailure {
        switch error.code {
        case .unavailable:
            JobFailure(
                code: "storageUnavailable",
                message: "\(message): check that the storage runs and that it can be reached from this agent's pod",
                isRetryable: true
            )
        case .noSpace: JobFailure(code: "storageFull", message: message, isRetryable: false)
        case .accessDenied: JobFailure(code: "storageAccessDenied", message: message, isRetryable: false)
        case .corrupt: JobFailure(code: "repositoryDamaged", message: message, isRetryable: false)
        case .notFound: JobFailure(code: "storageNotFound", message: message, isRetryable: false)
        case .invalidConfiguration: JobFailure(code: "storageConfiguration", message: message, isRetryable: false)
        default: JobFailure(code: "storage", message: message, isRetryable: error.isTransient)
        }
    }
}
