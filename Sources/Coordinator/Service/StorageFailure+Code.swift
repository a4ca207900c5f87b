import ObjectStorage
import Repository

extension StorageFailure {
    /// The word for whatever went wrong below.
    static func code(of error: any Error) -> String {
        switch error {
        case let error as RepositoryError: error.failureCode ?? otherCode
        case let error as ObjectStorageError: error.failureCode
        default: otherCode
        }
    }
}
