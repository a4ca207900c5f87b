import ObjectStorage
import Repository

extension StorageFailure {
    /// The word for whatever went wrong below.
    static func code(of error: any Error) -> String {
        switch error {
        case let error as RepositoryError:
            if let cause = error.cause as? ObjectStorageError { return code(of: cause) }
            return switch error.code {
            case .wrongPassword: "wrongPassword"
            case .notARepository: "notARepository"
            case .unsupportedVersion: "unsupportedRepository"
            case .damaged: "repositoryDamaged"
            case .notFound: "backupNotFound"
            case .missing: "snapshotIncomplete"
            case .locked: "repositoryLocked"
            case .storage: "storageUnavailable"
            default: otherCode
            }
        case let error as ObjectStorageError:
            return switch error.code {
            case .unavailable: "storageUnavailable"
            case .noSpace: "storageFull"
            case .accessDenied: "storageAccessDenied"
            case .corrupt: "repositoryDamaged"
            case .notFound: "storageNotFound"
            case .invalidConfiguration: "storageConfiguration"
            default: "storage"
            }
        default: return otherCode
        }
    }
}
