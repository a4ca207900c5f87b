import BackupModel
import Logging
import Synchronization
import UnixSignals

/// What was last read of the objects' files.
struct ObjectState: Sendable {
    var fingerprint: [String]
    /// What is wrong with files that are newer than the objects in force.
    var problems: [String] = []
}

// What goes on as long as the coordinator runs.
extension CoordinatorService {
    /// How often time is looked at, in milliseconds.
    private static let tickMs: Int64 = 1000
    /// How often the objects' files are looked at.
    private static let objectsInterval = Duration.seconds(2)
    /// How often restic lock files are renewed (`restic`: stale after 30 minutes).
    private static let lockRefresh = Duration.seconds(300)

    private func pause(_ duration: Duration) async -> Bool {
        // Cancelled means that the coordinator stops, which the answer says.
        try? await Task.sleep(for: duration)
        return !Task.isCancelled
    }

    func ticks() async {
        // With the seconds of the clock: a schedule's minute begins with one.
        while await pause(.milliseconds(Self.tickMs - conductor.clock().unixMs % Self.tickMs)) {
            await conductor.tick()
        }
    }

    /// Reads objects again when their files change.
    func watchObjects() async {
        while await pause(Self.objectsInterval) {
            if directory.fingerprint() == objectState.withLock({ $0.fingerprint }) {
                // Secrets may have come or gone although the objects stayed the same.
                let objects = await conductor.objects
                await conductor.setObjects(
                    nil,
                    problems: objectState.withLock { $0.problems } + secretProblems(objects)
                )
            } else {
                await reload()
            }
        }
    }

    /// Reads objects again when somebody says so (`SIGHUP`).
    func watchHangups() async {
        for await _ in await UnixSignalsSequence(trapping: .sighup) {
            logger.notice("reading objects anew, as told by SIGHUP")
            await reload()
        }
    }

    /// Puts the objects of the directory in force, or, while any of them is broken, keeps those from before.
    func reload() async {
        let fresh = directory.load()
        if fresh.problems.isEmpty {
            objectState.withLock { $0 = ObjectState(fingerprint: fresh.fingerprint) }
            logger.notice("objects were read anew: \(fresh.objects.configurations.count) configurations")
            await conductor.setObjects(fresh.objects, problems: secretProblems(fresh.objects))
            return
        }
        for problem in fresh.problems { logger.error("\(problem)") }
        let problems = fresh.problems.map { "objects are broken, those from before stay in force: \($0)" }
        objectState.withLock { $0 = ObjectState(fingerprint: fresh.fingerprint, problems: problems) }
        let objects = await conductor.objects
        await conductor.setObjects(nil, problems: problems + secretProblems(objects))
    }

    /// What is wrong with the secrets of repositories, before a backup finds out.
    func secretProblems(_ objects: ObjectSet) -> [String] {
        objects.repositories.sorted { $0.key < $1.key }.compactMap { key, repository in
            let name = ResourceKey(namespace: key.namespace, name: repository.spec.backend.storageSecretName)
            do {
                let secret = try secrets.secret(name)
                return secret[SecretValues.passwordKey]?.isEmpty == false
                    ? nil : "Repository \(key): secret \(name) has no entry \(SecretValues.passwordKey)"
            } catch {
                return "Repository \(key): \(error)"
            }
        }
    }

    /// Renews the lock files of sessions under way, beginning with those that an earlier process left.
    func refreshLocks() async {
        repeat {
            let held = Set(keeper.sessionsWithLocks)
            for session in await conductor.sessionsWithLocks {
                await refreshLocks(of: session, areHeld: held.contains(session.key))
            }
        } while await pause(Self.lockRefresh)
    }

    private func refreshLocks(of session: SessionState, areHeld: Bool) async {
        do {
            if areHeld {
                for problem in await keeper.refreshLocks(of: session.key) {
                    logger.warning("session \(session.key): \(problem)")
                }
            } else {
                try await keeper.adoptLocks(of: session)
            }
            // One that has tidied up meanwhile would leave for good what was written after that.
            let isUnderWay = await conductor.sessionsWithLocks.contains { $0.key == session.key }
            if !isUnderWay { try await keeper.removeLocks(of: session) }
        } catch {
            logger.warning("session \(session.key): its lock files could not be renewed: \(error)")
        }
    }
}
