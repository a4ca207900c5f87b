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
        return JobFailure(
            code: error.failureCode ?? error.code.description,
            message: error.description,
            isRetryable: error.mayPass
        )
    }

    private static func classify(_ error: ObjectStorageError, message: String) -> JobFailure {
        let hint = ": check that the storage runs and that it can be reached from this agent's pod"
        return JobFailure(
            code: error.failureCode,
            message: error.code == .unavailable ? message + hint : message,
            isRetryable: error.mayPass
        )
    }
}
