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
    /// How often the objects' files are looked at.
    private static let objectsInterval = Duration.seconds(2)

    /// Reads objects again when their files change.
    func watchObjects() async {
        while await pause(Self.objectsInterval) {
            if directory.fingerprint() == objectState.withLock({ $0.fingerprint }) {
                // Secrets may have come or gone although the objects stayed the same.
                let objects = await core.conductor.objects
                await core.conductor.setObjects(
                    nil,
                    problems: objectState.withLock { $0.problems } + (await secretProblems(objects))
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
            await core.conductor.setObjects(fresh.objects, problems: await secretProblems(fresh.objects))
            return
        }
        for problem in fresh.problems { logger.error("\(problem)") }
        let problems = fresh.problems.map { "objects are broken, those from before stay in force: \($0)" }
        objectState.withLock { $0 = ObjectState(fingerprint: fresh.fingerprint, problems: problems) }
        let objects = await core.conductor.objects
        await core.conductor.setObjects(nil, problems: problems + (await secretProblems(objects)))
    }

    /// What is wrong with the secrets of repositories, before a backup finds out.
    func secretProblems(_ objects: ObjectSet) async -> [String] {
        var problems: [String] = []
        for (key, repository) in objects.repositories.sorted(by: { $0.key < $1.key }) {
            if let problem = await secrets.problem(of: repository) { problems.append("Repository \(key): \(problem)") }
        }
        return problems
    }
}
