import FakeAPIServer
import Foundation
import Kubernetes
import TestSupport

/// Measures the real coordinator in cluster mode: its memory with many pods and configurations, what it asks of the API
/// server while nothing happens, and how long nobody leads when the leader is gone.
///
/// `remora-benchmark-cluster-mode [pods] [configurations]`: 10000 and 1000 unless told otherwise. The API server is the
/// tests' own, in this process. Prints figures beside their aims (Markdown).
@main
enum ClusterModeBenchmark {
    static func main() async throws {
        let numbers = CommandLine.arguments.dropFirst().map { Int($0) ?? 0 }
        let pods = numbers.first ?? 10_000
        let configurations = numbers.dropFirst().first ?? 1000
        guard (1...100_000).contains(pods), (1...10_000).contains(configurations) else {
            throw TestSupportError(
                "usage: remora-benchmark-cluster-mode [pods, 1 to 100000] [configurations, 1 to 10000]"
            )
        }
        let population = Population(pods: pods, configurations: configurations)
        try await withTestDirectory("cluster-mode") { directory in
            try await FakeAPIServer.run { fake in
                let manifests = "\(Tools.packageRoot)/manifests/install.yaml"
                try await fake.apply(yaml: try String(contentsOfFile: manifests, encoding: .utf8))
                let replicas = try await ClusterReplicas(fake, in: directory)
                do {
                    try await Bench(fake: fake, replicas: replicas, population: population).measure(directory)
                    await replicas.stop()
                } catch {
                    let logs = replicas.logs()
                    await replicas.stop()
                    throw TestSupportError("\(error)\n\(logs)")
                }
            }
        }
    }
}

/// One run.
private struct Bench {
    let fake: FakeAPIServer
    let replicas: ClusterReplicas
    let population: Population

    private static let idle = Duration.seconds(60)
    private static let rounds = 5

    func measure(_ directory: TestDirectory) async throws {
        say("\(population.pods) pods, \(population.configurations) configurations, \(cores) cores\n")
        say("| | measured | aim |\n| --- | --- | --- |")
        let leader = replicas.servers[0]
        try await leader.launch()
        try await waitForLeader(0)
        try await Task.sleep(for: .seconds(5))
        let alone = leader.residentKiB
        figure("memory of a leader with nothing to look after", mebibytes(alone), "MiB")

        try await population.fill(fake, directory)
        // The lease is given back, so that the time is all its own.
        await leader.stop(grace: .seconds(30))
        let start = ContinuousClock.now
        try await leader.launch()
        try await waitForLeader(0)
        figure("start until it leads, with all these objects", seconds(since: start), "s")
        try await waitForConditions()
        figure("start until every configuration says how it is", seconds(since: start), "s")
        try await measureIdle(leader, alone: alone)

        try await replicas.servers[1].launch()
        try await Task.sleep(for: .seconds(10))
        figure("memory of the replica that waits", mebibytes(replicas.servers[1].residentKiB), "MiB")
        var crashes: [Double] = []
        var handovers: [Double] = []
        var leading = 0
        for round in 0..<2 * Self.rounds {
            let isCrash = round < Self.rounds
            let start = ContinuousClock.now
            let server = replicas.servers[leading]
            // Told to end, it serves on for some seconds; the other one leads meanwhile.
            async let ended: Void = isCrash ? server.kill() : end(server)
            try await waitForLeader(1 - leading)
            if isCrash { crashes.append(seconds(since: start)) } else { handovers.append(seconds(since: start)) }
            await ended
            try await replicas.servers[leading].launch()
            leading = 1 - leading
            // Until it waits for the lease.
            try await Task.sleep(for: .seconds(5))
        }
        figure("leader killed: until the other one leads, longest of \(Self.rounds)", crashes.max() ?? 0, "s", aim: 20)
        figure("… shortest", crashes.min() ?? 0, "s")
        figure("leader told to end: until the other one leads, longest of \(Self.rounds)", handovers.max() ?? 0, "s")
    }

    private func measureIdle(_ leader: Server, alone: Int) async throws {
        // What the start left behind in the allocator is not what it is to be judged by.
        try await Task.sleep(for: .seconds(30))
        let (requests, cpu, start) = (fake.requests.count, leader.cpuSeconds, ContinuousClock.now)
        try await Task.sleep(for: Self.idle)
        let elapsed = seconds(since: start)
        figure("memory of the leader", mebibytes(leader.residentKiB), "MiB", aim: 512)
        figure("… most so far", mebibytes(leader.peakKiB), "MiB", aim: 512)
        let objects = Double(population.pods + 2 * population.configurations)
        figure("… for each pod, configuration and AppBinding", Double(leader.residentKiB - alone) / objects, "KiB")
        figure("cores used while nothing happens", (leader.cpuSeconds - cpu) / elapsed, "", aim: 0.3)
        figure("watches", Double(fake.openWatches()), "", aim: 8)
        let asked = Double(fake.requests.count - requests) / elapsed
        figure("requests a second while nothing happens", asked, "/s", aim: 5)
    }

    private func end(_ server: Server) async { await server.stop(grace: .seconds(30)) }

    private func waitForLeader(_ index: Int) async throws {
        try await fake.waitUntil("replica \(index) leads", within: .seconds(120)) { fake in
            replicas.isLeading(index, fake) ? true : nil
        }
    }

    private func waitForConditions() async throws {
        try await fake.waitUntil("every configuration has conditions", within: .seconds(600)) { fake in
            let all = fake.objects("backupconfigurations", group: "remora.dev")
            let known = all.filter { $0[path: "status", "conditions"]?.array?.isEmpty == false }
            return all.count == population.configurations && known.count == all.count ? true : nil
        }
    }

    private var cores: Int { ProcessInfo.processInfo.activeProcessorCount }

    private func figure(_ name: String, _ value: Double, _ unit: String, aim: Double? = nil) {
        let bound = aim.map { "≤ \($0.formatted()) \(unit)" } ?? ""
        say("| \(name) | \(String(format: "%.2f", value)) \(unit) | \(bound) |")
    }

    private func say(_ text: String) {
        print(text)
        fflush(nil)
    }

    private func mebibytes(_ kibibytes: Int) -> Double { Double(kibibytes) / 1024 }
    private func seconds(since start: ContinuousClock.Instant) -> Double { (ContinuousClock.now - start) / .seconds(1) }
}
