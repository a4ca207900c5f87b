import Foundation
import TestSupport

/// The replica set, the coordinator and the agents of the demonstration.
struct Stage: Sendable {
    let directory: TestDirectory
    let set: ReplicaSet
    let deployment: Deployment
    let agents: [Server]

    /// Starts everything and loads the data.
    static func build(in directory: TestDirectory, _ story: Story) async throws -> Stage {
        story.heading("Set the stage")
        let set = try await story.timedValue { try await ReplicaSet.start(in: directory) }
        story.say(
            "a replica set of \(set.value.members.count) with keyfile and SCRAM is up on ports "
                + set.value.members.map { "\($0.port)" }.joined(separator: ", ") + " (\(set.duration))"
        )

        let data = try await DataSet.demonstration.load(into: set.value.uri())
        try await set.value.waitUntilInSync()
        story.say(
            "loaded \(data.documents) documents (\(story.format(bytes: Double(data.bytes)))) into \(data.collections) collections "
                + "of \(data.databases) databases, \(data.usersAndRoles) users and roles (\(story.format(data.duration)))"
        )

        let deployment = try Deployment(in: directory, binaries: .beside())
        try await deployment.startCoordinator()
        var agents: [Server] = []
        for (index, member) in set.value.members.enumerated() {
            let agent = try deployment.makeAgent(
                "mongo-\(index)",
                uri: "mongodb://\(member.address)/?authSource=admin",
                user: MongoUser.remora.name,
                password: MongoUser.remora.password
            )
            try await agent.launch()
            agents.append(agent)
        }
        let stage = Stage(directory: directory, set: set.value, deployment: deployment, agents: agents)
        try await deployment.waitUntilConnected(agents)
        story.say("the coordinator is at \(deployment.url), with one agent beside every member")
        return stage
    }

    /// What every member holds.
    func fingerprints() async throws -> [ClusterFingerprint] {
        try await set.waitUntilInSync()
        var result: [ClusterFingerprint] = []
        for member in set.members { result.append(try await ClusterFingerprint.read(member.client())) }
        return result
    }

    /// Runs `remora` with the terminal of this program.
    func remora(_ arguments: String...) async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: deployment.binaries.path("remora"))
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        for (name, value) in deployment.clientEnvironment where name != "NO_COLOR" { environment[name] = value }
        process.environment = environment
        let status = try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Int32, any Error>) in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        guard status == 0 else {
            throw TestSupportError(
                "remora \(arguments.joined(separator: " ")) ended with \(status)\n\(deployment.logs(agents, lines: 15))"
            )
        }
    }

    /// The newest backup, in one sentence.
    func latestBackup() async throws -> (sentence: String, name: String) {
        let backup = try await deployment.json("snapshots")[0]
        guard let name = backup["session"].string, let bytes = backup["bytes"].number else {
            throw TestSupportError("remora snapshots shows no backup: \(backup)")
        }
        let story = Story()
        let sentence =
            "\(name): \(Int(backup["documents"].number ?? 0)) documents, \(story.format(bytes: bytes)), of which "
            + "\(story.format(bytes: backup["bytesAdded"].number ?? 0)) were new; it restores to \(backup["guarantee"].string ?? "?")"
        return (sentence, name)
    }

    /// Lets stock restic read every byte of the repository.
    func checkWithRestic() async throws {
        let restic = Restic(
            repository: "\(directory.appending("repository"))/demo/shop/\(set.options.name)",
            password: Deployment.repositoryPassword
        )
        try await restic.check()
    }

    /// Ends everything, or tells how to go on.
    func end(keepingItRunning keeps: Bool, _ story: Story) async {
        guard keeps else {
            story.say("everything is stopped and removed; `make demo KEEP=1` leaves it running")
            await deployment.stop(agents)
            await set.kill()
            return
        }
        let here = directory.path
        story.say(
            """
            it goes on running until you press Ctrl-C; in another terminal try:
              export REMORA_COORDINATOR=\(deployment.url) REMORA_TOKEN_FILE=\(here)/state/admin.token
              export PATH=\(deployment.binaries.folder):$PATH
              remora status
              remora sessions
              remora backup shop --follow
              remora logs SESSION
              restic -r \(here)/repository/demo/shop/\(set.options.name) snapshots      # password: \(Deployment.repositoryPassword)
            """
        )
        await waitForInterrupt()
        await deployment.stop(agents)
        await set.kill()
    }

    private func waitForInterrupt() async {
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT)
        await withCheckedContinuation { continuation in
            source.setEventHandler {
                source.cancel()
                continuation.resume()
            }
            source.resume()
        }
    }
}
