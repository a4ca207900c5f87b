import CPlatform
import Foundation
import TestSupport

/// Measures backup and restore of about a gigabyte against their floors and against restic, in one run on one machine.
///
/// `remora-benchmark [documents]`: 1 000 000 documents unless told otherwise. Prints a table and ratios (Markdown).
/// `remora-benchmark cluster [documents]` measures a sharded cluster instead: see `ClusterBenchmark`.
@main
enum Benchmark {
    static func main() async throws {
        remora_tune_allocator()
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.first == "cluster" {
            let documents = arguments.dropFirst().first.flatMap(Int.init) ?? 500_000
            try await withTestDirectory("bench-cluster") { try await ClusterBenchmark.run(documents, in: $0) }
            return
        }
        let documents = arguments.first.flatMap(Int.init) ?? 1_000_000
        try await withTestDirectory("bench") { try await run(documents, in: $0) }
    }

    private static func run(_ documents: Int, in directory: TestDirectory) async throws {
        var options = MongoOptions()
        options.cacheGB = 4
        let source = try await MongoServer.start(options, in: directory)
        try await Load.fill(source, documents: documents)
        let bytes = try await Floor.read(source, Load.collections, of: Load.database)  // warms the cache

        var rows: [Measurement] = []
        rows.append(
            try await measure("floor: read through cursors", beside: source) {
                _ = try await Floor.read(source, Load.collections, of: Load.database)
            }
        )
        rows.append(
            try await measure("floor: read, hash, zstd 1, seal on all cores", beside: source) {
                _ = try await Floor.readAndSeal(source, Load.collections, of: Load.database)
            }
        )

        let remora = try Remora(directory)
        rows.append(
            try await measure(
                "remora: backup, empty repository",
                beside: source,
                storedIn: remora.repository,
                remora.backup(source)
            )
        )
        rows.append(
            try await measure(
                "remora: backup, nothing changed",
                beside: source,
                storedIn: remora.repository,
                remora.backup(source)
            )
        )

        let target = try await MongoServer.start(options, in: directory)
        rows.append(try await measure("remora: restore, empty server", beside: target, remora.restore(target)))

        let peer = try Peer(directory)
        try await peer.prepare(source)
        rows.append(
            try await measure(
                "restic backup --stdin of the same bytes from a file",
                beside: source,
                storedIn: peer.repository,
                peer.backup()
            )
        )
        rows.append(
            try await measure(
                "restic backup --stdin again, nothing changed",
                beside: source,
                storedIn: peer.repository,
                peer.backup()
            )
        )
        report(documents, bytes, rows)
        await source.kill()
        await target.kill()
    }

    private static func report(_ documents: Int, _ bytes: Int, _ rows: [Measurement]) {
        let megabytes = Double(bytes) / 1e6
        print(
            "\(documents) documents, \(Int(megabytes)) MB of BSON, \(ProcessInfo.processInfo.activeProcessorCount) cores\n"
        )
        print("| | wall s | CPU s | mongod CPU s | peak memory | stored |\n| --- | --- | --- | --- | --- | --- |")
        for row in rows { print(row.row) }
        let wall = rows.map(\.wallSeconds)
        print("\n| ratio | value | aim |\n| --- | --- | --- |")
        func ratio(_ name: String, _ value: Double, _ aim: String) {
            print("| \(name) | \(String(format: "%.2f", value)) | \(aim) |")
        }
        ratio("backup / read, hash, zstd, seal", wall[2] / wall[1], "≤ 1.3")
        ratio("unchanged backup / read", wall[3] / wall[0], "≤ 1.5")
        ratio("restic / backup, wall", wall[5] / wall[2], "reading not counted for restic")
        ratio(
            "restic / backup, CPU",
            (rows[5].cpuSeconds ?? 0) / (rows[2].cpuSeconds ?? 1),
            "reading not counted for restic"
        )
        ratio("backup MB/s", megabytes / wall[2], "")
        ratio("restore MB/s", megabytes / wall[4], "")
    }
}

/// Our programs, on a repository of their own, with nothing else alive.
private struct Remora {
    let repository: String
    private let program: String
    private let environment: [String: String?]

    init(_ directory: TestDirectory) throws {
        repository = directory.appending("remora-repository")
        program = try Binaries.beside().path("remora")
        environment = ["REMORA_PASSWORD": "benchmark"]
    }

    func backup(_ server: MongoServer) -> Command {
        Command(
            program,
            ["repo", "backup", "--repository", repository, "--from", server.uri(as: nil)],
            environment: environment,
            limit: .seconds(900)
        )
    }

    func restore(_ server: MongoServer) -> Command {
        Command(
            program,
            ["repo", "restore", "latest", "--repository", repository, "--to", server.uri(as: nil)],
            environment: environment,
            limit: .seconds(900)
        )
    }
}

/// What people use today, without the dump in front of it (its tool isn't to be had everywhere).
private struct Peer {
    let repository: String
    private let dump: String
    private let environment: [String: String?]

    init(_ directory: TestDirectory) throws {
        repository = directory.appending("restic-repository")
        dump = directory.appending("dump.bson")
        environment = ["RESTIC_PASSWORD": "benchmark", "RESTIC_CACHE_DIR": directory.appending("restic-cache")]
    }

    /// Writes every document into one file and initialises the repository.
    func prepare(_ server: MongoServer) async throws {
        guard let file = fopen(dump, "w") else { throw TestSupportError("cannot write \(dump)") }
        nonisolated(unsafe) let stream = file
        for collection in Load.collections {
            try await server.client(as: nil).forEachDocument(in: collection, of: Load.database) {
                guard fwrite($0.baseAddress, 1, $0.count, stream) == $0.count else {
                    throw TestSupportError("cannot write the dump")
                }
            }
        }
        guard fclose(file) == 0 else { throw TestSupportError("cannot write \(dump)") }
        try await Command(
            Tools.restic(),
            ["init", "--repository-version", "2", "-r", repository],
            environment: environment
        ).run()
    }

    func backup() throws -> Command {
        Command(
            "/bin/sh",
            [
                "-c", "exec \"$0\" backup --stdin --stdin-filename dump.bson -q -r \"$1\" <\"$2\"", try Tools.restic(),
                repository, dump,
            ],
            environment: environment,
            limit: .seconds(900)
        )
    }
}
