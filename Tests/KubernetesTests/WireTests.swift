import FakeAPIServer
import HTTPClient
import Kubernetes
import Synchronization
import TestSupport
import Testing

/// What goes wrong between client and server, against a server with TLS that offers HTTP/2.
@Suite("Kubernetes client: on the wire", .serialized)
struct WireTests {
    /// Counts what watches see.
    private final class Tally: Sendable {
        private let counts: Mutex<[Int]>
        init(_ size: Int) { counts = Mutex(Array(repeating: 0, count: size)) }
        var all: [Int] { counts.withLock { $0 } }
        func add(_ index: Int) { counts.withLock { $0[index] += 1 } }
    }

    /// Follows ConfigMaps until the watch ends.
    ///
    /// - Returns: why it ended.
    private static func watch(
        _ client: KubernetesClient,
        _ tally: Tally = Tally(1),
        _ index: Int = 0,
        timing: WatchTiming = WatchTiming()
    ) async -> KubernetesError.Code? {
        do throws(KubernetesError) {
            var stream = try await client.watch(.configMaps, namespace: "shop", from: "0", timing: timing)
            while try await stream.next() != nil { tally.add(index) }
            return nil
        } catch {
            return error.code
        }
    }

    @Test("eight watches and calls go side by side, each watch over a connection of its own, in HTTP/1.1")
    func eightWatches() async throws {
        try await ClusterWire.run { wire in
            let client = wire.client()
            let tally = Tally(8)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<8 { group.addTask { _ = await Self.watch(client, tally, index) } }
                try await wire.server.waitForWatches(count: 8)
                // Several bookmarks long, with calls between them.
                try await eventually("each watch had five events") {
                    _ = try await client.list(.configMaps, namespace: "shop")
                    return tally.all.allSatisfy { $0 >= 5 }
                }
                #expect(wire.server.connections.count == 9)
                #expect(wire.server.connections.allSatisfy { !$0.isHTTP2 && $0.isOpen })
                group.cancelAll()
                try await group.waitForAll()
            }
            try await wire.server.waitForWatches(count: 0)
        }
    }

    @Test("a watch that nobody reads holds up no other and no call, and loses nothing")
    func slowReader() async throws {
        try await ClusterWire.run { wire in
            let client = wire.client()
            // Far more than is kept for a slow reader.
            for index in 0..<10 { try await wire.create("large-\(index)", letters: 100_000) }
            var slow = try await client.watch(.configMaps, namespace: "shop", from: "0")
            let tally = Tally(1)
            let other = Task { await Self.watch(client, tally) }
            try await eventually("the other watch has all and bookmarks") { tally.all[0] > 15 }
            _ = try await client.get(.namespaces, name: "shop")
            var names: Set<String> = []
            while names.count < 10, let event = try await slow.next() {
                if case .added(let object) = event { names.insert(object.name) }
            }
            #expect(names.count == 10)
            other.cancel()
            _ = await other.value
        }
    }

    @Test(
        "an informer loses no change, however its watches end",
        arguments: [
            Misbehaviour.closeConnection(afterBytes: 0), .closeConnection(afterBytes: 700), .goAway(afterBytes: 0),
            .goAway(afterBytes: 700), .goAwayAndClose(afterBytes: 700), .resetStream(afterBytes: 0),
            .resetStream(afterBytes: 700), .expiredEvent, .gone, .splitBody(every: 1), .status(429, retryAfter: 1),
        ]
    )
    func informer(fault: Misbehaviour) async throws {
        try await ClusterWire.run { wire in
            let versions = Mutex<[String: [String]]>([:])
            let informer = Informer(
                wire.client(),
                .configMaps,
                namespace: "shop",
                timing: WatchTiming(firstDelay: .milliseconds(5), longestDelay: .milliseconds(20)),
                onChange: { change in
                    versions.withLock { $0[change.object.name, default: []].append(change.object.resourceVersion) }
                }
            )
            wire.server.misbehave(fault, verb: "watch", path: "/configmaps", times: 2)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await informer.run() }
                try await informer.waitUntilSynced()
                for index in 0..<30 {
                    try await wire.create("map-\(index)")
                    if index == 10 { wire.server.goAway() }
                    if index == 20 { wire.server.cutConnections() }
                }
                try await eventually("all are there") { informer.objects.count { $0.name.hasPrefix("map-") } == 30 }
                try wire.server.alter("configmaps", namespace: "shop", name: "map-3") { $0["data"] = ["x": "y"] }
                try await eventually("the last change has come") {
                    informer.object(named: "map-3", in: "shop")?["data"]?["x"] == "y"
                }
                group.cancelAll()
                try await group.waitForAll()
            }
            #expect(
                versions.withLock { Set($0.values.map { Set($0).count == $0.count }) } == [true],
                "no change came twice"
            )
        }
    }

    @Test(
        "calls are tried again when their connection ends in the middle",
        arguments: [
            Misbehaviour.closeConnection(afterBytes: 0), .closeConnection(afterBytes: 1000), .goAway(afterBytes: 0),
            .goAway(afterBytes: 1000), .goAwayAndClose(afterBytes: 0), .resetStream(afterBytes: 1000),
            .status(429, retryAfter: 0), .splitBody(every: 7),
        ]
    )
    func calls(fault: Misbehaviour) async throws {
        try await ClusterWire.run { wire in
            let client = wire.client()
            try await client.create(ClusterWire.map("a", letters: 3000), as: .configMaps)
            wire.server.misbehave(fault, path: "/configmaps")
            #expect(
                try await client.get(.configMaps, name: "a", namespace: "shop")["data"]?["x"]?.string?.count == 3000
            )
            wire.server.misbehave(fault, verb: "patch", path: "/configmaps")
            let applied = try await client.apply(
                ClusterWire.map("a", letters: 4000),
                of: .configMaps,
                fieldManager: "m"
            )
            #expect(applied["data"]?["x"]?.string?.count == 4000)
            let stored = wire.server.object("configmaps", namespace: "shop", name: "a")
            #expect(stored?["data"]?["x"] == applied["data"]?["x"])
        }
    }

    @Test("a list of more than two megabytes comes page by page, wherever the network cuts it")
    func bigList() async throws {
        try await ClusterWire.run { wire in
            let client = wire.client()
            for index in 0..<12 {
                try await client.create(ClusterWire.map("map-\(index)", letters: 100_000), as: .configMaps)
            }
            let options = ListOptions(pageSize: 5)
            wire.server.misbehave(.splitBody(every: 1021), verb: "list", path: "/configmaps", times: 2)
            let list = try await client.list(.configMaps, namespace: "shop", options: options)
            #expect(list.items.count { $0["data"]?["x"]?.string == String(repeating: "é", count: 100_000) } == 12)
            #expect(wire.server.requests.count { $0.verb == "list" && $0.query.contains("continue=") } >= 2)
            // The second page comes too late.
            wire.server.misbehave(.gone, verb: "list", path: "/configmaps")
            let expired = await #expect(throws: KubernetesError.self) {
                _ = try await client.list(.configMaps, namespace: "shop", options: options)
            }
            #expect(expired?.isExpired == true)
        }
    }

    @Test("a connection that went dead without a word is left with the first call that notices")
    func deadConnection() async throws {
        try await ClusterWire.run { wire in
            let client = wire.client { $0.callTimeout = .milliseconds(300) }
            let watch = Task { await Self.watch(client, timing: WatchTiming(silence: .milliseconds(600))) }
            try await wire.server.waitForWatches(count: 1)
            _ = try await client.list(.configMaps)
            await wire.server.freezeConnections()
            let clock = ContinuousClock()
            let begun = clock.now
            _ = try await client.list(.configMaps)
            #expect(clock.now - begun < .seconds(3))
            #expect(await watch.value == .timedOut)
            #expect(wire.server.connections.count { $0.isOpen } >= 1)
        }
    }

    @Test("a watch whose server says nothing is dead, and the one beside it isn't")
    func silence() async throws {
        try await ClusterWire.run { wire in
            // A watch outlives what a call may take.
            let client = wire.client { $0.callTimeout = .milliseconds(200) }
            let tally = Tally(1)
            let timing = WatchTiming(silence: .milliseconds(800))
            let lively = Task { await Self.watch(client, tally, timing: timing) }
            try await wire.server.waitForWatches(count: 1)
            wire.server.misbehave(.noBookmarks, verb: "watch")
            #expect(await Self.watch(client, timing: timing) == .timedOut)
            try await wire.server.waitForWatches(count: 1)
            #expect(tally.all[0] > 3)
            lively.cancel()
            #expect(await lively.value == .cancelled)
        }
    }

    @Test("watches that ended leave neither connections nor files behind")
    func leaks() async throws {
        try await ClusterWire.run { wire in
            let client = wire.client()
            _ = try await client.list(.configMaps)
            let before = try ClusterWire.openFiles
            for _ in 0..<40 {
                let watch = Task { await Self.watch(client) }
                try await wire.server.waitForWatches(count: 1)
                watch.cancel()
                #expect(await watch.value == .cancelled)
                try await wire.server.waitForWatches(count: 0)
            }
            try await eventually("only the calls' connection is left") {
                wire.server.connections.count { $0.isOpen } <= 1
            }
            // Other tests of this process open some, too.
            try await eventually("the files are closed") { try ClusterWire.openFiles < before + 30 }
        }
    }

    @Test("a leader whose connection went dead without a word renews its lease over another")
    func leader() async throws {
        try await ClusterWire.run { wire in
            // More are kept than there is time to try.
            let client = wire.client()
            try await withThrowingTaskGroup(of: Void.self) { group in
                wire.server.misbehave(.delay(.milliseconds(200)), verb: "list", path: "/configmaps", times: 12)
                for _ in 0..<12 { group.addTask { _ = try await client.list(.configMaps) } }
                try await group.waitForAll()
            }
            let election = LeaderElection(
                client,
                name: "remora",
                namespace: "shop",
                identity: "one",
                timing: ElectionTiming(
                    leaseDuration: .seconds(9),
                    renewDeadline: .seconds(6),
                    retryPeriod: .milliseconds(200)
                )
            )
            let clock = ContinuousClock()
            try await election.lead {
                await wire.server.freezeConnections()
                let frozen = clock.now
                // As long as the deadline, and as it takes to notice.
                while clock.now - frozen < .seconds(7) {
                    try await Task.sleep(for: .milliseconds(100))
                    #expect(election.isLeading)
                }
            }
        }
    }
}
