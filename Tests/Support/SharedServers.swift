import Foundation
import Glibc
import Synchronization

/// Servers that many tests share: started when the first one asks, ended when the test process ends.
///
/// Use them wherever a test keeps to databases or buckets of its own (`uniqueName`), and doesn't lock, stop or
/// reconfigure the server: a server of one's own costs seconds.
public enum SharedServers {
    private static let servers = Servers()

    /// A standalone `mongod` with log-ins.
    public static func standalone() async throws -> MongoServer { try await servers.standalone() }

    /// A replica set of three with keyfile and log-ins.
    public static func replicaSet() async throws -> ReplicaSet { try await servers.replicaSet() }

    /// A sharded cluster with log-ins: two shards and config servers of one member each.
    public static func shardedCluster() async throws -> ShardedCluster { try await servers.shardedCluster() }

    /// An S3 server with HTTP and HTTPS.
    public static func seaweedFS() async throws -> SeaweedFS { try await servers.seaweedFS() }

    /// A name that nobody else in this process uses, for a database or a bucket.
    public static func uniqueName(_ base: String) -> String {
        "\(base)-\(counter.withLock { $0 += 1; return $0 })"
    }

    private static let counter = Mutex(0)
}

private actor Servers {
    private var standaloneTask: Task<MongoServer, any Error>?
    private var replicaSetTask: Task<ReplicaSet, any Error>?
    private var shardedClusterTask: Task<ShardedCluster, any Error>?
    private var seaweedTask: Task<SeaweedFS, any Error>?

    func standalone() async throws -> MongoServer {
        let task =
            standaloneTask
            ?? Task {
                let directory = try removedAtExit("shared-mongod")
                let mongo = try await MongoServer.start(.authenticated, in: directory)
                endedAtExit(mongo.server)
                return mongo
            }
        standaloneTask = task
        return try await task.value
    }

    func replicaSet() async throws -> ReplicaSet {
        let task =
            replicaSetTask
            ?? Task {
                let set = try await ReplicaSet.start(in: removedAtExit("shared-set"))
                for member in set.members { endedAtExit(member.server) }
                return set
            }
        replicaSetTask = task
        return try await task.value
    }

    func shardedCluster() async throws -> ShardedCluster {
        let task =
            shardedClusterTask
            ?? Task {
                let cluster = try await ShardedCluster.start(in: removedAtExit("shared-cluster"))
                for member in cluster.members { endedAtExit(member.server) }
                return cluster
            }
        shardedClusterTask = task
        return try await task.value
    }

    func seaweedFS() async throws -> SeaweedFS {
        let task =
            seaweedTask
            ?? Task {
                let directory = try removedAtExit("shared-s3")
                let certificates = try await Certificates.make(in: directory)
                let seaweed = try await SeaweedFS.start(in: directory, certificates: certificates)
                endedAtExit(seaweed.server)
                return seaweed
            }
        seaweedTask = task
        return try await task.value
    }
}

private struct Leftovers {
    var directories: [TestDirectory] = []
    var servers: [Server] = []
    var isRegistered = false
}

private let leftovers = Mutex(Leftovers())

private func endedAtExit(_ server: Server) {
    leftovers.withLock { $0.servers.append(server) }
}

/// A directory that goes away when the process exits; its servers are killed first.
private func removedAtExit(_ name: String) throws -> TestDirectory {
    let directory = try TestDirectory(name)
    leftovers.withLock { leftovers in
        leftovers.directories.append(directory)
        if !leftovers.isRegistered { atexit(cleanUp) }
        leftovers.isRegistered = true
    }
    return directory
}

private func cleanUp() {
    let (servers, directories) = leftovers.withLock { ($0.servers, $0.directories) }
    for server in servers { server.process?.send(signal: SIGKILL) }
    for server in servers {
        // Waits for the kernel's word that it is gone, a second at most: nothing may write while files are removed.
        for _ in 0..<100 where server.isRunning { usleep(10_000) }
    }
    for directory in directories { directory.remove() }
}
