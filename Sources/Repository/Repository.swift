public import ObjectStorage
import Synchronization

/// A repository in the restic v2 format: deduplicated, compressed, encrypted, readable by the stock tools.
///
/// All calls are safe from many tasks at once. The order that keeps it sound whatever crashes is: packs, then index
/// files that name them, then the snapshot. Before writing, hold a lock (`addLock`) and load the index after taking it:
/// "this blob is known" is true only while nobody can prune.
public final class Repository: Sendable {
    /// Where the files are.
    public let store: any ObjectStore
    /// The repository's own id: 64 hex digits, made when it was initialized.
    public let id: String
    /// The format's version, 1 or 2.
    ///
    /// Version 1 is read, and written without compression.
    public let version: Int

    let key: MasterKey
    let contexts: ContextPool
    let sealed: SealedFiles
    let index = Mutex(RepositoryIndex())
    let packCache: PackCache

    init(store: any ObjectStore, key: MasterKey, configuration: Configuration) {
        self.store = store
        self.key = key
        id = configuration.id
        version = configuration.version
        contexts = ContextPool(key, level: 1)
        sealed = SealedFiles(store: store, contexts: contexts, isCompressing: configuration.version >= 2)
        packCache = PackCache(store: store)
    }

    /// Makes a repository in an empty place.
    ///
    /// The key file comes first, the configuration last and only if there is none: a crash between them leaves no
    /// repository, and of two that initialize at once one fails.
    ///
    /// - Parameters:
    ///   - store: where to.
    ///   - password: what opens it from now on.
    ///   - kdf: how hard it is to try passwords.
    ///   - keys: where its key is kept for those who open it again.
    /// - Returns: the repository, open.
    /// - Throws: `RepositoryError` with code `.alreadyInitialized` when there is one, or a part of one.
    public static func initialize(
        at store: any ObjectStore,
        password: RepositoryPassword,
        kdf: KDFParameters = .standard,
        keys: KeyRing? = nil
    ) async throws -> Repository {
        try await refuseExisting(at: store)
        let master = try MasterKey.random()
        let configuration = try Configuration.random()
        let context = try CryptoContext(master, level: 1)
        let keyFile = try await KeyFile.make(master, password: password, parameters: kdf).json
        let keyID = try keyFile.withUnsafeBytes { try context.sha256($0) }
        try await store.write(.key, keyID, keyFile)
        let sealed = try configuration.json.withUnsafeBytes { try context.seal($0) }
        do {
            try await store.put(configurationPath, sealed, options: PutOptions(ifAbsent: true))
        } catch let error as ObjectStorageError where error.code == .alreadyExists {
            // Somebody else was faster; our key opens nothing there.
            try await store.delete(FileKind.key.path(keyID))
            throw existing(at: store, "another process has just initialized it")
        } catch {
            throw RepositoryError(
                .storage,
                "can't store the configuration of a new repository in \(store.location)",
                cause: error
            )
        }
        keys?.keep(master, of: keyID, password)
        return Repository(store: store, key: master, configuration: configuration)
    }

    private static func existing(at store: any ObjectStore, _ reason: String) -> RepositoryError {
        RepositoryError(
            .alreadyInitialized,
            "can't initialize a repository in \(store.location): \(reason); open it, or choose an empty place"
        )
    }

    private static func refuseExisting(at store: any ObjectStore) async throws {
        do {
            if try await hasConfiguration(store) { throw existing(at: store, "there is one already") }
            for kind in [FileKind.key, .snapshot] where try await !store.files(kind).isEmpty {
                throw existing(at: store, "there are \(kind.name)s of one already")
            }
        } catch let error as ObjectStorageError {
            throw RepositoryError(.storage, "can't look whether \(store.location) holds a repository", cause: error)
        }
    }

    private static func hasConfiguration(_ store: any ObjectStore) async throws -> Bool {
        do {
            _ = try await store.stat(configurationPath)
            return true
        } catch let error as ObjectStorageError where error.code == .notFound {
            return false
        }
    }

    /// Opens a repository.
    ///
    /// - Parameters:
    ///   - store: where it is.
    ///   - password: what opens it.
    ///   - keys: keys that were derived before, for those who open the same repositories again and again.
    /// - Returns: the repository, open.
    /// - Throws: `RepositoryError` with code `.notARepository`, `.wrongPassword`, `.unsupportedVersion`, `.damaged`
    ///   or `.storage`.
    public static func open(
        at store: any ObjectStore,
        password: RepositoryPassword,
        keys: KeyRing? = nil
    ) async throws -> Repository {
        let stored: [UInt8]
        do {
            stored = try await store.get(configurationPath)
        } catch let error as ObjectStorageError where error.code == .notFound {
            throw RepositoryError(
                .notARepository,
                "there is no repository in \(store.location): it has no file \"config\"; check the location or initialize it"
            )
        } catch {
            throw RepositoryError(.storage, "can't open the repository in \(store.location)", cause: error)
        }
        let (master, json) = try await findKey(at: store, password: password, configuration: stored, keys)
        let configuration: Configuration
        do {
            configuration = try Configuration(json: json)
        } catch {
            throw RepositoryError(
                .damaged,
                "the file \"config\" of the repository in \(store.location) makes no sense",
                cause: error
            )
        }
        guard (1...2).contains(configuration.version) else {
            throw RepositoryError(
                .unsupportedVersion,
                "the repository in \(store.location) has version \(configuration.version), and this program knows 1 and 2: use a newer one"
            )
        }
        return Repository(store: store, key: master, configuration: configuration)
    }

    /// The master key from the first key file that the password opens, and the configuration that it opens.
    ///
    /// Like restic, at most 20 are tried. A key that opens, but not the configuration, is left over from an
    /// initialization that lost a race.
    private static func findKey(
        at store: any ObjectStore,
        password: RepositoryPassword,
        configuration: [UInt8],
        _ keys: KeyRing?
    ) async throws -> (MasterKey, json: [UInt8]) {
        let files = try await store.files(.key)
        guard !files.isEmpty else {
            throw RepositoryError(
                .notARepository,
                "the repository in \(store.location) has no key files, so no password opens it"
            )
        }
        var unreadable: (any Error)?
        var isOpened = false
        for file in files.prefix(20) {
            do {
                let known = keys?.key(of: file.id, password)
                let json = known == nil ? try await store.read(.key, file.id) : []
                let opened = known == nil ? try await KeyFile(json: json).open(password) : known
                guard let master = opened else { continue }
                keys?.keep(master, of: file.id, password)
                let context = try CryptoContext(master, level: 1)
                if let json = try configuration.withUnsafeBytes({ try context.open($0) }) { return (master, json) }
                isOpened = true
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                unreadable = error  // another key file may still fit; told if none does
            }
        }
        if isOpened {
            throw RepositoryError(
                .damaged,
                "the file \"config\" of the repository in \(store.location) is damaged: restore it from a copy"
            )
        }
        if let unreadable {
            throw RepositoryError(
                .damaged,
                "no key file of the repository in \(store.location) opens with this password, and one is damaged",
                cause: unreadable
            )
        }
        throw RepositoryError(
            .wrongPassword,
            "wrong password for the repository in \(store.location): none of its keys opens with it"
        )
    }

    /// 32 bytes for the document chunker, derived from the master key: boundaries tell an onlooker nothing.
    public var documentChunkKey: [UInt8] {
        get throws { try key.derive("remora-document-chunker-v1") }
    }

    /// 32 bytes that make the byte chunker of streams this repository's own.
    public var streamChunkKey: [UInt8] {
        get throws { try key.derive("remora-stream-chunker-v1") }
    }
}
