import Foundation
import TestSupport

/// Measures the backup of a sharded cluster against the dump of its slowest shard alone: three shards and a config
/// server, three members each, an agent beside every member, all on one machine.
///
/// `remora-benchmark cluster [documents per shard]`: 500 000 documents unless told otherwise. The session that is
/// measured is the second one, and the first that meets these documents: repositories exist, their keys are known.
enum ClusterBenchmark {
    static func run(_ documents: Int, in directory: TestDirectory) async throws {
        let cluster = try await ShardedCluster.start(
            ShardedClusterOptions(shards: 3, members: 3, configMembers: 3, isAuthenticated: false),
            in: directory
        )
        let sharded = try await ShardedDeployment.start(beside: cluster, in: directory)
        _ = try await backUp(sharded)
        for name in cluster.shardNames {
            try await cluster.createDatabase("bench\(name)", primary: name)
            try await Load.fill(cluster.shard(name).primary(), database: "bench\(name)", documents: documents)
        }
        try await cluster.waitUntilInSync()
        let measured = try await backUp(sharded)
        let hosts = measured["hosts"].elements.compactMap { $0["host"].string }
        let dumps = measured["hosts"].elements.filter { $0["group"].string != "cfg" }
        let since = measured["startTime"].string ?? ""
        let session = seconds(since, measured["endTime"].string)
        let jobs = dumps.map { seconds($0["startTime"].string, $0["endTime"].string) }
        let held = dumps.compactMap { $0["backup"]["lock"]["heldMs"].number }.map { $0 / 1000 }
        let spread = try await lockSpread(sharded, since: since)
        let events = measured["events"].elements.compactMap { event in
            event["message"].string.map { (seconds(since, event["time"].string), $0) }
        }
        await sharded.stop()

        var alone: [Double] = []
        for (index, name) in cluster.shardNames.enumerated() {
            let members = Set(try cluster.shard(name).members.map(\.address))
            guard let host = hosts.first(where: members.contains) else {
                throw TestSupportError("no member of \(name) was read: \(measured)")
            }
            alone.append(try await dumpAlone(host, directory.appending("alone-\(index)")))
        }
        report(documents, session: session, jobs: jobs, held: held, spread: spread, alone: alone)
        print("\nWhat the session did, in seconds from its start:\n")
        for (time, message) in events { print(String(format: "    %6.2f  ", time) + message) }
        await cluster.kill()
    }

    private static func backUp(_ sharded: ShardedDeployment) async throws -> JSONValue {
        let run = try await sharded.deployment.remora("backup", "shop", "--wait", limit: .seconds(900))
        guard run.status.succeeded else { throw TestSupportError("\(run.text)\(run.errorText)\n\(sharded.logs())") }
        guard let name = try await sharded.deployment.json("sessions")[0]["name"].string else {
            throw TestSupportError("there is no session")
        }
        return try await sharded.deployment.json("describe", name)
    }

    /// Seconds between the first and the last lock of a shard in a session, by the coordinator's ledger.
    private static func lockSpread(_ sharded: ShardedDeployment, since start: String) async throws -> Double {
        let times = try await sharded.deployment.json("locks").elements
            .filter { $0["kind"].string == "lock" && $0["group"].string != "cfg" }
            .compactMap { $0["since"].string }.filter { $0 >= start }.sorted()
        return seconds(times.first, times.last)
    }

    /// One shard's member by itself, into a repository of its own, with nothing else running.
    private static func dumpAlone(_ host: String, _ repository: String) async throws -> Double {
        let start = ContinuousClock.now
        try await Command(
            Binaries.beside().path("remora"),
            ["repo", "backup", "--repository", repository, "--from", "mongodb://\(host)"],
            environment: ["REMORA_PASSWORD": "benchmark"],
            limit: .seconds(900)
        ).run()
        return (ContinuousClock.now - start) / .seconds(1)
    }

    private static func seconds(_ start: String?, _ end: String?) -> Double {
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        func date(_ text: String?) -> Date? {
            text.flatMap { (try? format.parse($0)) ?? (try? Date.ISO8601FormatStyle().parse($0)) }
        }
        guard let start = date(start), let end = date(end) else { return .nan }
        return end.timeIntervalSince(start)
    }

    private static func report(
        _ documents: Int,
        session: Double,
        jobs: [Double],
        held: [Double],
        spread: Double,
        alone: [Double]
    ) {
        func text(_ values: [Double]) -> String {
            values.map { String(format: "%.2f", $0) }.joined(separator: ", ")
        }
        let cores = ProcessInfo.processInfo.activeProcessorCount
        print("3 shards of \(documents) documents (1.06 KB each), 12 members and agents, \(cores) cores\n")
        print("| | seconds |\n| --- | --- |")
        print("| the whole session | \(text([session])) |")
        print("| each shard's job in it | \(text(jobs)) |")
        print("| each shard's lock in it | \(text(held)) |")
        print("| first to last lock of a shard | \(text([spread])) |")
        print("| each shard's dump alone, nothing else running | \(text(alone)) |")
        print("\n| ratio | value | aim |\n| --- | --- | --- |")
        func ratio(_ name: String, _ value: Double, _ aim: String) {
            print("| \(name) | \(String(format: "%.2f", value)) | \(aim) |")
        }
        ratio("session / slowest dump alone", session / (alone.max() ?? .nan), "≤ 1.15 with a core or two a shard")
        ratio(
            "session / all dumps alone, one after the other",
            session / alone.reduce(0, +),
            "what is left of it on few cores"
        )
        ratio("longest lock / its job", (held.max() ?? .nan) / (jobs.max() ?? .nan), "")
    }
}
