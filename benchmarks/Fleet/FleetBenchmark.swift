import BackupModel
import Foundation
import TestSupport

/// Measures the coordinator with a fleet of played agents on loopback: how soon jobs begin, what an agent that waits
/// costs, and what happens when a coordinator that was killed comes back.
///
/// `remora-benchmark-fleet [agents] [members of a set]`: 1000 and 3 unless told otherwise, at most 5000 and 50. Prints
/// figures beside their aims (Markdown); exits 1 when a session is lost. Ends by itself within half an hour.
@main
enum FleetBenchmark {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst().map { Int($0) ?? 0 }
        let agents = arguments.first ?? 1000
        let members = arguments.dropFirst().first ?? 3
        guard (1...5000).contains(agents), (1...50).contains(members) else {
            throw TestSupportError("usage: remora-benchmark-fleet [agents, 1 to 5000] [members of a set, 1 to 50]")
        }
        let objects = FleetObjects(agents: agents, membersPerSet: members)
        let isGood = try await withTestDirectory("fleet") { directory in
            try await within(.seconds(1800)) { try await Fleet(objects, in: directory).measure() }
        }
        if !isGood { exit(1) }
    }

    private static func within(
        _ limit: Duration,
        _ body: @escaping @Sendable () async throws -> Bool
    ) async throws -> Bool {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: limit)
                throw TestSupportError("the fleet was not measured within \(limit)")
            }
            defer { group.cancelAll() }
            return try await group.next() ?? false
        }
    }
}

/// One run.
private struct Fleet: Sendable {
    /// How long the idle fleet is watched.
    private static let idle = Duration.seconds(60)

    let objects: FleetObjects
    let directory: TestDirectory
    let coordinator: FleetCoordinator
    let settings: FleetSettings

    init(_ objects: FleetObjects, in directory: TestDirectory) throws {
        self.objects = objects
        self.directory = directory
        let token = "enrolment-\(UInt64.random(in: .min ... .max))"
        coordinator = try FleetCoordinator(in: directory, enrolmentToken: token)
        settings = FleetSettings(
            port: coordinator.port,
            enrolmentToken: token,
            jobDuration: .seconds(20),
            records: Records()
        )
    }

    /// Measures everything.
    ///
    /// - Returns: whether no session was lost.
    func measure() async throws -> Bool {
        try objects.write(to: directory, firingAt: nil)
        try await coordinator.start()
        Report.line(
            "\(objects.agents) agents of \(objects.sets) replica sets, \(ProcessInfo.processInfo.activeProcessorCount) cores\n"
        )
        try await Task.sleep(for: .seconds(5))
        let alone = coordinator.server.residentKiB
        do {
            let isGood = try await withThrowingTaskGroup(of: Void.self) { agents in
                for agent in objects.makeAgents(settings) {
                    agents.addTask {
                        // As a roll-out would, and not faster than the coordinator asks those to be who come back.
                        let spread = Double(objects.agents) / 200
                        try await Task.sleep(for: .seconds(.random(in: 0..<spread)))
                        await agent.run()
                    }
                }
                defer { agents.cancelAll() }
                return try await watch(alone: alone)
            }
            await coordinator.server.stop()
            return isGood
        } catch {
            await coordinator.server.kill()
            throw TestSupportError("\(error)\n\(coordinator.server.logTail())")
        }
    }

    private func watch(alone: Int) async throws -> Bool {
        let start = ContinuousClock.now
        try await allHeard(after: 0)
        Report.line(
            "all connected after \(Self.seconds(since: start)) s; failed calls: \(Report.failures(settings.records.take().failures))\n"
        )
        Report.line("| | measured | |\n| --- | --- | --- |")
        try await measureIdle(alone: alone)
        Report.line("\n| | p50 s | p99 s | max s | |\n| --- | --- | --- | --- | --- |")
        var isGood = try await measureRound("first sessions, repositories are made")
        isGood = try await measureRound("second sessions", aim: 2) && isGood
        try await measureStorm()
        isGood = try await measureRound("first sessions after the restart") && isGood
        Report.line("\n| | measured | |\n| --- | --- | --- |")
        try await measureIdle(alone: alone)
        Report.figure("peak memory since the restart", mebibytes(coordinator.server.peakKiB), "MiB", aim: nil)
        return isGood
    }

    private func mebibytes(_ kibibytes: Int) -> Double { Double(kibibytes) / 1024 }

    private static func seconds(since start: ContinuousClock.Instant) -> String {
        String(format: "%.2f", (ContinuousClock.now - start) / .seconds(1))
    }

    /// Waits until every agent was answered in an epoch greater than this one.
    @discardableResult
    private func allHeard(after epoch: Int64) async throws -> [ContinuousClock.Instant] {
        try await eventually("all agents are connected", within: .seconds(180), every: .milliseconds(100)) {
            guard coordinator.server.isRunning else { throw FatalWaitError("the coordinator ended") }
            let heard = settings.records.heard(after: epoch)
            return heard.count == objects.agents ? heard : nil
        }
    }

    // MARK: Idle

    private func measureIdle(alone: Int) async throws {
        // What came before has been digested.
        try await Task.sleep(for: .seconds(5))
        let (start, cpu, own) = (ContinuousClock.now, coordinator.server.cpuSeconds, ownCPUSeconds())
        try await Task.sleep(for: Self.idle)
        let minutes = (ContinuousClock.now - start) / .seconds(60)
        let agents = Double(objects.agents)
        let resident = coordinator.server.residentKiB
        let used = coordinator.server.cpuSeconds - cpu
        Report.figure("memory without agents", mebibytes(alone), "MiB", aim: nil)
        Report.figure("memory with idle agents", mebibytes(resident), "MiB", aim: nil)
        Report.figure("memory per idle agent", Double(resident - alone) / agents, "KiB", aim: 50)
        Report.figure("coordinator's CPU per idle agent and minute", used * 1000 / agents / minutes, "ms", aim: nil)
        Report.figure("coordinator's CPU, share of one core", used / minutes / 60 * 100, "%", aim: nil)
        Report.figure("players' CPU, share of one core", (ownCPUSeconds() - own) / minutes / 60 * 100, "%", aim: nil)
    }

    // MARK: Sessions

    /// Has all schedules fire at one minute, and measures until when each job's first heartbeat was taken.
    private func measureRound(_ name: String, aim: Double? = nil) async throws -> Bool {
        _ = settings.records.take()
        // The coordinator looks at its objects every two seconds.
        let minute = (WallClock.now / 60_000 + 1) * 60_000
        let fires = minute - WallClock.now < 8000 ? minute + 60_000 : minute
        try objects.write(to: directory, firingAt: fires)
        let offset = wallOffset()
        let start = offset + .milliseconds(fires)
        try await Task.sleep(until: start, clock: .continuous)
        let (cpu, own) = (coordinator.server.cpuSeconds, ownCPUSeconds())
        do {
            // A key takes a third of a second to derive, and some rounds need one for each set.
            let limit = Duration.seconds(120) + .milliseconds(700) * objects.sets
            try await eventually("all jobs are done", within: limit, every: .milliseconds(200)) {
                guard coordinator.server.isRunning else { throw FatalWaitError("the coordinator ended") }
                return settings.records.completed == objects.sets
            }
        } catch {
            Report.line("\(error)")
        }
        let jobsDone = Self.seconds(since: start)
        // Said below by what became of the sessions.
        try? await eventually("all sessions are over", within: .seconds(120), every: .seconds(3)) {
            try await coordinator.status().running.isEmpty
        }
        let allOver = Self.seconds(since: start)
        let round = settings.records.take()
        let latency = Distribution(round.running, since: start)
        let ratio = aim.map { String(format: "p99 is %.2f of the aim (≤ %g s)", latency.percentile(99) / $0, $0) }
        Report.line("| \(name): schedule → job runs (\(round.running.count) jobs) | \(latency.row) | \(ratio ?? "") |")
        Report.line("| … calls about jobs | \(Distribution(round.calls).row) | \(round.calls.count) calls |")
        let sessions = try await coordinator.sessions(objects.sets)
        let good = sessions.count { $0.phase == .succeeded && $0.name.hasSuffix("-\(fires / 60_000)") }
        let cores = String(
            format: "CPU s: coordinator %.1f, players %.1f",
            coordinator.server.cpuSeconds - cpu,
            ownCPUSeconds() - own
        )
        Report.line(
            "| … \(good) of \(objects.sets) Succeeded; failed calls: \(Report.failures(round.failures)) | | | \(allOver) | jobs done after \(jobsDone) s; \(cores) |"
        )
        if abs((wallOffset() - offset) / .seconds(1)) > 0.05 {
            Report.line("| … the clock was set meanwhile: these latencies mean nothing | | | | |")
        }
        if good != objects.sets { Report.line("\(objects.sets - good) sessions were lost\n") }
        return good == objects.sets
    }

    /// The moment at which the wall clock was at 1970.
    private func wallOffset() -> ContinuousClock.Instant {
        let (wall, now) = (WallClock.now, ContinuousClock.now)
        return now - .milliseconds(wall)
    }

    // MARK: Restart

    private func measureStorm() async throws {
        _ = settings.records.take()
        let epoch = try await coordinator.status().epoch
        await coordinator.server.kill()
        let killed = ContinuousClock.now
        let own = ownCPUSeconds()
        try await coordinator.start()
        let ready = ContinuousClock.now
        let heard = try await allHeard(after: epoch)
        let cpu = coordinator.server.cpuSeconds
        Report.line(
            "| killed → agent checks in again | \(Distribution(heard, since: killed).row) | ready after \(String(format: "%.2f", (ready - killed) / .seconds(1))) s |"
        )
        let connected = try await coordinator.status().targets.flatMap(\.agents).count(where: \.connected)
        let failures = settings.records.take().failures
        let cores = String(format: "CPU s: coordinator %.1f, players %.1f", cpu, ownCPUSeconds() - own)
        Report.line(
            "| … \(connected) of \(objects.agents) connected; failed calls: \(Report.failures(failures)) | | | | \(Int(mebibytes(coordinator.server.residentKiB))) MiB; \(cores) |"
        )
    }
}
