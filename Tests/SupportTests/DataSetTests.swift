import TestSupport
import Testing

@Suite("Data set and comparison")
struct DataSetTests {
    @Test("it loads into a set, every member holds the same, and every kind of change shows as one sentence")
    func fingerprint() async throws {
        try await withTestDirectory("dataset") { directory in
            let set = try await ReplicaSet.start(in: directory)
            let summary = try await DataSet.small.load(into: set.uri())
            #expect(summary.collections > 80 && summary.databases > 9 && summary.documents > 5_500)
            try await set.waitUntilInSync()
            let client = try set.client()
            let before = try await ClusterFingerprint.read(client)
            // Two time-series have a collection of buckets each.
            #expect(before.collections.count == summary.collections + 2)
            #expect(before.users.count > 5 && before.roles.count > 3)
            for member in set.members {
                #expect(try await before.differences(from: .read(member.client())) == [])
            }
            let changes = [
                (
                    "shop",
                    #"{"update": "orders", "updates": [{"q": {"number": 1000003}, "u": {"$set": {"note": "x"}}}]}"#,
                    "shop.orders should have content with the hash"
                ),
                (
                    "shop", #"{"delete": "orders", "deletes": [{"q": {"number": 1000003}, "limit": 1}]}"#,
                    "shop.orders should have a document count of 1000, and has 999"
                ),
                (
                    "shop", #"{"insert": "metrics", "documents": [{"at": {"$date": "2030-01-01T00:00:00Z"}, "v": 1}]}"#,
                    "shop.system.buckets.metrics should have a document count of 12, and has 13"
                ),
                ("shop", #"{"dropIndexes": "orders", "index": "open"}"#, "index of shop.orders open is missing"),
                (
                    "shop", #"{"collMod": "products", "index": {"name": "sku_1", "hidden": false}}"#,
                    "index of shop.products sku_1 should be"
                ),
                (
                    "options", #"{"collMod": "validated strict", "validationLevel": "off"}"#,
                    "options.validated strict should have the options"
                ),
                (
                    "shop", #"{"collMod": "open orders", "viewOn": "customers", "pipeline": []}"#,
                    "shop.open orders should have the options"
                ),
                ("odd-names", #"{"drop": "u\u0308mlaut"}"#, #"odd-names.u\u{308}mlaut is missing"#),
                ("shop", #"{"create": "new"}"#, "shop.new is there, and should not be"),
                ("shop", #"{"updateUser": "app", "pwd": "other"}"#, "user shop.app should be"),
                ("shop", #"{"dropRole": "chief clerk"}"#, "role shop.chief clerk is missing"),
            ]
            let touched: @Sendable (String) -> Bool = { ["shop", "options", "odd-names"].contains($0) }
            var last = try await ClusterFingerprint.read(client, databases: touched)
            for (database, command, sentence) in changes {
                try await client.command(command, on: database)
                let now = try await ClusterFingerprint.read(client, databases: touched)
                let differences = last.differences(from: now)
                #expect(differences.contains { $0.hasPrefix(sentence) }, "\(sentence): \(differences)")
                // Dropping a role takes it away from its users as well.
                #expect(differences.count == (command.contains("dropRole") ? 2 : 1), "\(differences)")
                last = now
            }

            try await DataSet.drop(from: set.uri())
            let left = try await ClusterFingerprint.read(client)
            #expect(left.collections.isEmpty)
            #expect(left.users.keys.sorted() == ["admin.admin", "admin.remora"])
            await set.kill()
        }
    }

    @Test("the order of a capped collection shows, though its content is the same")
    func cappedOrder() async throws {
        let mongo = try await SharedServers.standalone()
        let client = try mongo.client()
        func fingerprint(_ order: [Int]) async throws -> ClusterFingerprint {
            try await client.command(#"{"create": "capped", "capped": true, "size": 4096}"#, on: "capped-order")
            let documents = order.map { number in TestDocument { $0.int32("_id", Int32(number)) } }
            try await client.insert(documents, into: "capped", of: "capped-order")
            let result = try await ClusterFingerprint.read(client) { $0 == "capped-order" }
            try await client.command(#"{"dropDatabase": 1}"#, on: "capped-order")
            return result
        }
        let differences = try await fingerprint([1, 2, 3]).differences(from: fingerprint([1, 3, 2]))
        #expect(differences.count == 1)
        #expect(differences.first?.hasPrefix("capped-order.capped should have its documents in an order") == true)
    }

    @Test("a workload writes through the loss of a primary and contradicts itself nowhere; half a transfer shows")
    func workload() async throws {
        try await withTestDirectory("workload") { directory in
            var options = ReplicaSetOptions()
            options.electionTimeoutMilliseconds = 2000
            let set = try await ReplicaSet.start(options, in: directory)
            let workload = Workload(uri: set.uri())
            try await workload.start()
            let primary = try await set.primary()
            await primary.kill()
            let before = workload.progress.transactions
            try await eventually("it goes on") { workload.progress.transactions > before + 5 }
            let report = try await workload.stop()
            #expect(report.errors > 0)
            let client = try set.client()
            #expect(try await Workload.contradictions(in: client) == [])
            try await client.command(
                #"{"update": "accounts", "updates": [{"q": {"_id": 0}, "u": {"$inc": {"balance": 5}}}]}"#,
                on: "workload"
            )
            try await client.command(
                #"{"delete": "log", "deletes": [{"q": {"writer": 0, "n": 2}, "limit": 1}]}"#,
                on: "workload"
            )
            #expect(try await Workload.contradictions(in: client).count == 2)
            await set.kill()
        }
    }
}
