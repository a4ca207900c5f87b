import Kubernetes
import Synchronization
import TestSupport
import Testing

@Suite("informer")
struct InformerTests {
    /// What an informer told.
    private final class Told: Sendable {
        private let texts = Mutex<[String]>([])
        private let troubles = Mutex<[KubernetesError.Code]>([])
        var changes: [String] { texts.withLock { $0 } }
        var trouble: [KubernetesError.Code] { troubles.withLock { $0 } }

        func tell(_ change: ObjectChange) {
            let text =
                switch change {
                case .added(let object): "+\(object.name)@\(object.resourceVersion)"
                case .modified(let old, let new): "~\(old.name)@\(old.resourceVersion)>\(new.resourceVersion)"
                case .deleted(let object): "-\(object.name)@\(object.resourceVersion)"
                }
            texts.withLock { $0.append(text) }
        }

        func tell(_ error: KubernetesError) { troubles.withLock { $0.append(error.code) } }
    }

    private func following(
        _ client: KubernetesClient,
        options: ListOptions = ListOptions(),
        timing: WatchTiming = WatchTiming(),
        until condition: (Informer, Told) async throws -> Void
    ) async throws {
        let told = Told()
        let informer = Informer(
            client,
            .pods,
            options: options,
            timing: timing,
            trim: { $0["spec"] = nil },
            onTrouble: { told.tell($0) },
            onChange: { told.tell($0) }
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await informer.run() }
            try await condition(informer, told)
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    @Test("it lists, watches from the list's version, and goes on from the last bookmark when the watch ends")
    func follows() async throws {
        try await withAPI { request, number, connection in
            switch number {
            case 0: return connection.json(200, list([pod("a", "1"), pod("b", "2")], "10"))
            case 1:
                connection.beginStream()
                connection.event("MODIFIED", pod("a", "11"))
                connection.event("DELETED", pod("b", "12"))
                connection.event("ADDED", pod("c", "13"))
                connection.event("BOOKMARK", bookmark("99"))
                return connection.endStream()
            default:
                connection.beginStream()
                connection.waitForEnd()
                return false
            }
        } _: { server in
            let options = ListOptions(labelSelector: "x=y", isMetadataOnly: true)
            try await following(server.client(), options: options) { informer, told in
                try await informer.waitUntilSynced()
                try await eventually("the second watch is there") { server.seen.count == 3 }
                #expect(told.changes == ["+a@1", "+b@2", "~a@1>11", "-b@12", "+c@13"])
                #expect(told.trouble.isEmpty)
                #expect(informer.objects.map(\.name) == ["a", "c"] && informer.count == 2)
                let kept = informer.object(named: "a", in: "shop")
                #expect(kept?.metadata["managedFields"] == nil && kept?["spec"] == nil && kept?.resourceVersion == "11")
                #expect(server.seen[1].path.contains("resourceVersion=10&"))
                #expect(server.seen[2].path.contains("resourceVersion=99&"))
                #expect(server.seen.allSatisfy { $0.path.contains("labelSelector=x%3Dy") })
                #expect(server.seen.allSatisfy { $0.field("accept")?.contains("PartialObjectMetadataList") == true })
            }
        }
    }

    @Test("when the server has forgotten, a new list is compared and what is gone is reported as deleted")
    func expired() async throws {
        try await withAPI { _, number, connection in
            switch number {
            case 0: return connection.json(200, list([pod("a", "1"), pod("b", "2"), pod("c", "3")], "10"))
            case 1:
                connection.beginStream()
                connection.event("ERROR", failure(410, "Expired"))
                return connection.endStream()
            case 2: return connection.json(200, list([pod("b", "2"), pod("c", "30"), pod("d", "31")], "40"))
            default:
                connection.beginStream()
                connection.waitForEnd()
                return false
            }
        } _: { server in
            let time = QuickTime()
            try await following(server.client(time: time.source)) { informer, told in
                try await eventually("the second watch is there") { server.seen.count == 4 }
                #expect(told.changes == ["+a@1", "+b@2", "+c@3", "-a@1", "~c@3>30", "+d@31"])
                #expect(told.trouble == [.expired])
                #expect(time.pauses == [.milliseconds(800)])
                #expect(server.seen[3].path.contains("resourceVersion=40&"))
            }
        }
    }

    @Test("a broken, a dead and a very short watch go on from where they were, after a pause")
    func broken() async throws {
        try await withAPI { _, number, connection in
            switch number {
            case 0: return connection.json(200, list([], "10"))
            case 1:
                connection.beginStream()
                connection.event("ADDED", pod("a", "11"))
                return false
            case 2:
                connection.beginStream()
                connection.waitForEnd()
                return false
            case 3:
                connection.beginStream()
                return connection.endStream()
            case 4: return connection.fail(503, "ServiceUnavailable", "no", ["Retry-After: 20"])
            default:
                connection.beginStream()
                connection.event("DELETED", pod("a", "12"))
                connection.waitForEnd()
                return false
            }
        } _: { server in
            let time = QuickTime()
            let timing = WatchTiming(silence: .milliseconds(300))
            try await following(server.client(time: time.source), timing: timing) { informer, told in
                try await eventually("it is deleted") { told.changes == ["+a@11", "-a@12"] }
                #expect(told.trouble == [.unreachable, .timedOut, .unavailable])
                #expect(
                    time.pauses == [.milliseconds(800), .milliseconds(1600), .milliseconds(3200), .seconds(20)]
                )
                #expect(server.seen.dropFirst(2).allSatisfy { $0.path.contains("resourceVersion=11&") })
            }
        }
    }

    @Test("it isn't synced before a list succeeded, and who waits for that can be cancelled")
    func notSynced() async throws {
        try await withAPI { _, _, connection in
            connection.fail(403, "Forbidden")
        } _: { server in
            try await following(server.client(time: SteppedTime().source)) { informer, told in
                try await eventually("it failed") { told.trouble.first == .forbidden }
                #expect(!informer.isSynced)
                let waiter = Task { try await informer.waitUntilSynced() }
                waiter.cancel()
                let error = await #expect(throws: KubernetesError.self) { try await waiter.value }
                #expect(error?.isCancelled == true)
            }
        }
    }
}
