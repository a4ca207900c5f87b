import ObjectStorage

/// The kinds of files that a repository has beside its configuration (restic design.rst, "Repository Layout").
enum FileKind: String, Sendable {
    case key = "keys"
    case pack = "data"
    case index = "index"
    case snapshot = "snapshots"
    case lock = "locks"

    /// Begins the keys of all objects of this kind.
    var prefix: String { rawValue + "/" }

    /// Where the file is: packs fan out over 256 directories.
    func path(_ id: ObjectID) -> String {
        let hex = id.hex
        return self == .pack ? "data/\(hex.prefix(2))/\(hex)" : "\(rawValue)/\(hex)"
    }

    /// How a sentence names the kind.
    var name: String {
        switch self {
        case .key: "key file"
        case .pack: "pack"
        case .index: "index file"
        case .snapshot: "snapshot"
        case .lock: "lock file"
        }
    }
}

/// The configuration's key.
let configurationPath = "config"

/// A file as a listing shows it.
struct ListedFile: Sendable, Hashable {
    var id: ObjectID
    var size: Int
}

extension ObjectStore {
    /// All files of a kind; what has no id for a name belongs to somebody else and is left out.
    func files(_ kind: FileKind) async throws -> [ListedFile] {
        let listed: [ObjectInfo]
        do {
            listed = try await list(prefix: kind.prefix)
        } catch let error as ObjectStorageError where error.code == .notFound {
            return []
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw RepositoryError(.storage, "can't list the \(kind.name)s in \(location)", cause: error)
        }
        return listed.compactMap { info in
            guard let name = info.key.split(separator: "/").last, let id = ObjectID(hex: name),
                info.key == kind.path(id)
            else { return nil }
            return ListedFile(id: id, size: info.size)
        }
    }

    /// The bytes of a file, or a sentence that names it.
    func read(_ kind: FileKind, _ id: ObjectID, range: Range<Int>? = nil) async throws -> [UInt8] {
        do {
            return try await get(kind.path(id), range: range)
        } catch let error as ObjectStorageError where error.code == .notFound {
            throw RepositoryError(.missing, "\(kind.name) \(kind.path(id)) is missing in \(location)")
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw RepositoryError(.storage, "can't read \(kind.name) \(kind.path(id)) in \(location)", cause: error)
        }
    }

    /// Stores a file under the hash of its bytes.
    func write(_ kind: FileKind, _ id: ObjectID, _ bytes: [UInt8]) async throws {
        do {
            try await put(kind.path(id), bytes, options: PutOptions(sha256: id.bytes))
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw RepositoryError(.storage, "can't store \(kind.name) \(kind.path(id)) in \(location)", cause: error)
        }
    }
}
