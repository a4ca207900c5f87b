import BackupModel
import FakeAPIServer
import Foundation
import Kubernetes
import TestSupport
import Testing

@testable import Coordinator

@Suite struct ListedKindsTests {
    /// How the last list went, how many seconds ago, and what is named now.
    struct Case: Sendable {
        var outcome: Listing.Outcome
        var age: Int
        var wanted: Set<String> = []
        var isDue: Bool
    }

    private static let cases = [
        Case(outcome: .listed(["a"], asked: []), age: 119, isDue: false),
        Case(outcome: .listed(["a"], asked: []), age: 120, isDue: true),
        Case(outcome: .listed(["a"], asked: ["a"]), age: 19, wanted: ["a"], isDue: false),
        Case(outcome: .listed(["a"], asked: ["a"]), age: 20, wanted: ["a"], isDue: true),
        // Named for the first time and missing: soon. Missing for long: as often as the rest.
        Case(outcome: .listed(["a"], asked: []), age: 1, wanted: ["b"], isDue: false),
        Case(outcome: .listed(["a"], asked: []), age: 2, wanted: ["b"], isDue: true),
        Case(outcome: .listed(["a"], asked: ["b"]), age: 2, wanted: ["b"], isDue: false),
        Case(outcome: .listed(["a"], asked: ["b"]), age: 20, wanted: ["b"], isDue: true),
        Case(outcome: .failed, age: 19, wanted: ["a"], isDue: false),
        Case(outcome: .failed, age: 20, isDue: true),
        Case(outcome: .absent, age: 599, wanted: ["a"], isDue: false),
        Case(outcome: .absent, age: 600, isDue: true),
    ]

    @Test("a kind is listed as often as it is needed, and no oftener", arguments: cases)
    func due(of one: Case) {
        #expect(ListTiming().isDue((one.outcome, .seconds(one.age)), wanted: one.wanted) == one.isDue)
    }

    @Test("what was never listed is due") func first() { #expect(ListTiming().isDue(nil, wanted: [])) }

    @Test("eight watches; the rest is listed from the API server's memory, and an absent API is asked for once")
    func quiet() async throws {
        try await KubernetesHarness.run { harness in
            var lists = ListTiming()
            lists.unused = .milliseconds(100)
            try await harness.lead(lists: lists) { _ in
                try await harness.fake.waitForWatches(count: 8)
                @Sendable func listed(_ plural: String) -> [LoggedRequest] {
                    harness.fake.requests.filter { $0.verb == "list" && $0.path.hasSuffix("/\(plural)") }
                }
                try await harness.fake.waitForRequest("a third list of blueprints") { _ in
                    listed("backupblueprints").count >= 3
                }
                for plural in ["backupblueprints", "tasks", "functions"] {
                    #expect(listed(plural).allSatisfy { $0.query.contains("resourceVersion=0") }, "\(plural)")
                }
                let catalog = harness.fake.requests.filter { $0.path.contains("appcatalog.appscode.com") }
                #expect(catalog.count == 1)
                #expect(catalog.first?.status == 404)
                #expect(harness.fake.openWatches() == 8)
            }
        }
    }
}
