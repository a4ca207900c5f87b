import BackupModel
import ObjectStorage
import Repository
import Synchronization

/// The coordinator's hands in the repositories: initialises and locks them, finds backups, writes manifests and logs.
///
/// It never reads or writes backup data.
final class RepositoryKeeper: Sendable {
    /// A lock file of ours.
    private struct Held: Sendable {
        var repository: Repository
        var lock: RepositoryLock
    }

    private let secrets: any SecretSource
    private let keys = KeyRing()
    /// Lock files by session, then by group.
    private let held = Mutex<[ResourceKey: [String: Held]]>([:])

    init(secrets: any SecretSource) { self.secrets = secrets }

    // MARK: Opening

    /// The secret that opens a plan's repository.
    func secret(of plan: SessionPlan) async throws(StorageFailure) -> SecretValues {
        do {
            let key = ResourceKey(namespace: plan.repository.namespace, name: plan.backend.storageSecretName)
            return try await secrets.secret(key)
        } catch {
            throw StorageFailure(description: error.description, isRetryable: false, code: "badConfiguration")
        }
    }

    /// What an agent needs to open the repository.
    func credentials(of plan: SessionPlan) async throws(StorageFailure) -> JobCredentials {
        let secret = try await secret(of: plan)
        return JobCredentials(repositoryPassword: try password(secret, plan), storage: secret.storage)
    }

    private func password(_ secret: SecretValues, _ plan: SessionPlan) throws(StorageFailure) -> String {
        guard let password = secret[SecretValues.passwordKey], !password.isEmpty else {
            throw StorageFailure(
                description: "secret \(plan.repository.namespace)/\(plan.backend.storageSecretName) has no entry "
                    + "\(SecretValues.passwordKey), which is the repository's password",
                isRetryable: false,
                code: "badConfiguration"
            )
        }
        return password
    }

    /// Storage that doesn't answer is tried again for so long while a person waits for the answer.
    private static let whileSomebodyWaits = RetryPolicy(totalTime: .seconds(10))
    /// And for so long when a session tidies up, whose outcome is known and for whose end the next one waits.
    private static let whileTidying = RetryPolicy(totalTime: .seconds(20))

    /// Runs storage work, and makes one sentence of whatever goes wrong.
    private func work<Value: Sendable>(
        _ plan: SessionPlan,
        _ policy: RetryPolicy? = nil,
        _ body: (any ObjectStore, SecretValues) async throws -> Value
    ) async throws(StorageFailure) -> Value {
        let secret = try await secret(of: plan)
        do {
            let location = try StorageLocation(plan.backend.url)
            let store = try location.open(credentials: StorageCredentials(secret.storage), policy: policy)
            return try await body(store, secret)
        } catch let error as StorageFailure {
            throw error
        } catch {
            throw StorageFailure(
                description: secret.redact("\(error)"),
                isRetryable: Self.isRetryable(error),
                code: StorageFailure.code(of: error)
            )
        }
    }

    private static func isRetryable(_ error: any Error) -> Bool {
        switch error {
        case let error as RepositoryError where error.code == .locked: true
        case let error as RepositoryError: error.cause.map(isRetryable) ?? false
        case let error as ObjectStorageError:
            error.isTransient || error.code == .unavailable || error.code == .noSpace
        case is CancellationError: true
        default: false
        }
    }

    // MARK: Preparing

    /// Initialises and locks the repositories of a session's groups, and finds what a restore takes.
    ///
    /// - Parameters:
    ///   - session: the session.
    ///   - isActive: whether a session of this name may still use the repository; lock files of others go.
    /// - Returns: where a restore's data is; nil for a backup.
    /// - Throws: ``StorageFailure``.
    func prepare(
        _ session: SessionState,
        isActive: @escaping @Sendable (String) -> Bool
    ) async throws(StorageFailure) -> PreparedSources? {
        try await work(session.plan) { store, secret in
            let sources = session.kind == .restore ? try await self.sources(of: session, in: store) : nil
            let password = try RepositoryPassword(trimming: try self.password(secret, session.plan))
            try await Self.inEachGroup(of: session) { group in
                let name = sources?.groups[group.name]?.group ?? group.name
                let place = self.place(name, session, store)
                let repository = try await self.open(place, password, mayInitialize: session.kind == .backup)
                let own = StorageLayout.lockHost(session: session.key.name)
                // Ours too: a crash may have left it, and this session takes a new one.
                _ = try await repository.removeStaleLocks { lock in
                    guard let name = Self.sessionName(ofLockHost: lock.hostname) else { return false }
                    return lock.hostname == own || !isActive(name)
                }
                let lock = try await repository.addLock(exclusive: false, host: own)
                self.held.withLock {
                    $0[session.key, default: [:]][name] = Held(repository: repository, lock: lock)
                }
            }
            return sources
        }
    }

    private func open(
        _ place: any ObjectStore,
        _ password: RepositoryPassword,
        mayInitialize: Bool
    ) async throws -> Repository {
        do {
            return try await Repository.open(at: place, password: password, keys: keys)
        } catch let error as RepositoryError where error.code == .notARepository && mayInitialize {
            do {
                return try await Repository.initialize(at: place, password: password, keys: keys)
            } catch let failure as RepositoryError where failure.code == .alreadyInitialized {
                // Somebody was faster, or parts of a repository are there: what opening says is the better sentence.
                return try await Repository.open(at: place, password: password, keys: keys)
            }
        }
    }

    private static func sessionName(ofLockHost host: String) -> String? {
        let prefix = StorageLayout.lockHost(session: "")
        return host.hasPrefix(prefix) ? String(host.dropFirst(prefix.count)) : nil
    }

    // MARK: Lock files

    /// Sessions whose lock files this process holds.
    var sessionsWithLocks: [ResourceKey] { held.withLock { Array($0.keys) } }

    /// Renews a session's lock files; takes new ones where somebody removed ours.
    ///
    /// - Returns: one sentence for each that could not be renewed.
    func refreshLocks(of session: ResourceKey) async -> [String] {
        var problems: [String] = []
        for (group, entry) in held.withLock({ $0[session] ?? [:] }) {
            do {
                let lock: RepositoryLock
                do {
                    lock = try await entry.repository.refreshLock(entry.lock)
                } catch let error as RepositoryError where error.code == .locked {
                    lock = try await entry.repository.addLock(
                        exclusive: false,
                        host: StorageLayout.lockHost(session: session.name)
                    )
                    problems.append("the lock file of \(group) had been removed by somebody and was written anew")
                }
                held.withLock { $0[session]?[group]?.lock = lock }
            } catch {
                problems.append("the lock file of \(group) could not be renewed: \(error)")
            }
        }
        return problems
    }

    /// Takes up the lock files that an earlier process of the coordinator wrote for a session, so that they are renewed.
    func adoptLocks(of session: SessionState) async throws(StorageFailure) {
        try await work(session.plan) { store, secret in
            let password = try RepositoryPassword(trimming: try self.password(secret, session.plan))
            let own = StorageLayout.lockHost(session: session.key.name)
            try await Self.inEachGroup(of: session) { group in
                let name = group.source?.group ?? group.name
                let repository = try await Repository.open(
                    at: self.place(name, session, store),
                    password: password,
                    keys: self.keys
                )
                let lock: RepositoryLock
                if let left = try await repository.locks().last(where: { $0.hostname == own }) {
                    lock = try await repository.refreshLock(left)
                } else {
                    lock = try await repository.addLock(exclusive: false, host: own)
                }
                self.held.withLock {
                    $0[session.key, default: [:]][name] = Held(repository: repository, lock: lock)
                }
            }
        }
    }

    /// Does it in all groups' repositories at once: each makes whoever locks it wait for a while.
    private static func inEachGroup(
        of session: SessionState,
        _ body: @escaping @Sendable (GroupState) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for group in session.groups { tasks.addTask { try await body(group) } }
            try await tasks.waitForAll()
        }
    }

    private func place(_ group: String, _ session: SessionState, _ store: any ObjectStore) -> any ObjectStore {
        let key = StorageLayout.group(
            namespace: session.key.namespace,
            target: session.plan.repositoryTarget,
            group: group
        )
        return PrefixedStore(store, prefix: key)
    }

    /// Removes a session's lock files, also those that an earlier process of the coordinator wrote.
    func removeLocks(of session: SessionState) async throws(StorageFailure) {
        held.withLock { $0[session.key] = nil }
        try await work(session.plan, Self.whileTidying) { store, secret in
            let password = try RepositoryPassword(trimming: try self.password(secret, session.plan))
            try await Self.inEachGroup(of: session) { group in
                let place = self.place(group.source?.group ?? group.name, session, store)
                do {
                    let repository = try await Repository.open(at: place, password: password, keys: self.keys)
                    let own = StorageLayout.lockHost(session: session.key.name)
                    _ = try await repository.removeStaleLocks { $0.hostname == own }
                } catch let error as RepositoryError where error.code == .notARepository {
                    // There is no repository, so there are no lock files in it.
                }
            }
        }
    }

    // MARK: Manifests and logs

    /// Writes a manifest if it is absent; one that is there already must be the same.
    func writeManifest(_ manifest: SessionManifest, _ plan: SessionPlan) async throws(StorageFailure) {
        let key = StorageLayout.manifest(
            namespace: manifest.namespace,
            target: manifest.target,
            session: manifest.session
        )
        try await work(plan) { store, _ in
            let bytes = try WireJSON.encode(manifest, pretty: true)
            do {
                try await store.put(key, bytes, options: PutOptions(ifAbsent: true))
            } catch let error as ObjectStorageError where error.code == .alreadyExists {
                guard try await store.get(key) == bytes else {
                    throw StorageFailure(
                        description: "\(store.location)/\(key) exists already and is another backup's; session names "
                            + "must be unique in a repository",
                        isRetryable: false
                    )
                }
            }
        }
    }

    /// All manifests of a target, newest first; those that can't be read are named.
    ///
    /// - Parameters:
    ///   - plan: names the repository.
    ///   - namespace: of the target.
    ///   - target: its name.
    ///   - isHurried: a person waits, so storage that doesn't answer is given up soon.
    /// - Returns: the manifests, and a sentence for each that can't be read.
    /// - Throws: ``StorageFailure``.
    func manifests(
        _ plan: SessionPlan,
        namespace: String,
        target: String,
        isHurried: Bool = false
    ) async throws(StorageFailure) -> (manifests: [SessionManifest], problems: [String]) {
        try await work(plan, isHurried ? Self.whileSomebodyWaits : nil) { store, _ in
            var found: [SessionManifest] = []
            var problems: [String] = []
            for object in try await store.list(prefix: StorageLayout.manifests(namespace: namespace, target: target))
            where object.key.hasSuffix(".json") {
                do {
                    let manifest = try WireJSON.decode(SessionManifest.self, from: try await store.get(object.key))
                    if manifest.formatVersion > SessionManifest.currentFormatVersion {
                        problems.append("\(object.key) was written by a newer version and is not shown")
                    } else {
                        found.append(manifest)
                    }
                } catch is DecodingError {
                    problems.append("\(object.key) is no session manifest")
                }
            }
            return (found.sorted { ($0.endTime, $0.session) > ($1.endTime, $1.session) }, problems)
        }
    }

    private func sources(of session: SessionState, in store: any ObjectStore) async throws -> PreparedSources {
        guard let restore = session.plan.restore else {
            throw StorageFailure(description: "session \(session.key) is no restore", isRetryable: false)
        }
        let (manifests, _) = try await manifests(
            session.plan,
            namespace: session.key.namespace,
            target: restore.source
        )
        return try RestoreSources.choose(
            from: restore.from,
            source: ResourceKey(namespace: session.key.namespace, name: restore.source),
            wanted: RestoreSources.Wanted(group: restore.group, mapping: restore.groups ?? [:]),
            groups: session.groups,
            manifests: manifests
        )
    }

    /// Stores a job's log beside the backup.
    func archiveLog(_ bytes: [UInt8], pod: String, of session: SessionState) async throws(StorageFailure) {
        let key = StorageLayout.log(
            namespace: session.key.namespace,
            target: session.plan.target,
            session: session.key.name,
            pod: pod
        )
        try await work(session.plan, Self.whileTidying) { store, _ in
            try await store.put(key, try Zstandard.compress(bytes))
        }
    }

    /// A job's log from beside the backup; nil when there is none.
    func archivedLog(pod: String, of session: SessionState) async throws(StorageFailure) -> [UInt8]? {
        let key = StorageLayout.log(
            namespace: session.key.namespace,
            target: session.plan.target,
            session: session.key.name,
            pod: pod
        )
        return try await work(session.plan, Self.whileSomebodyWaits) { store, _ in
            do {
                return try Zstandard.decompress(try await store.get(key))
            } catch let error as ObjectStorageError where error.code == .notFound {
                return nil
            }
        }
    }
}
