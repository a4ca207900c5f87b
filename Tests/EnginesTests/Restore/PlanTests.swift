import BSON
import BackupModel
import ObjectStorage
import Repository
import Testing

@testable import Engines

@Suite("Restore: the plan")
struct PlanTests {
    static func metadata(_ json: String) throws -> CollectionMetadata {
        try CollectionMetadata.parse(Array(json.utf8), path: "x.metadata.json")
    }

    private func catalog(_ collections: [(String, String)]) throws -> DumpedCatalog {
        var entries: [DumpDirectory.Entry] = []
        var metadata: [ExactText: CollectionMetadata] = [:]
        for (name, json) in collections {
            let namespace = try #require(Namespace(name))
            let path = "\(name).metadata.json"
            metadata[ExactText(path)] = try Self.metadata(json)
            entries.append(
                DumpDirectory.Entry(
                    database: namespace.database,
                    stem: namespace.collection,
                    metadataPath: path,
                    dataPath: json.contains("viewOn") || json.contains(#"{"timeseries"#) ? nil : "\(name).bson"
                )
            )
        }
        return try DumpedCatalog(entries: entries, metadata: metadata, promised: [:])
    }

    @Test("options are created as they were; what hurts the data comes later")
    func createCommand() throws {
        let metadata = try Self.metadata(
            #"""
            {"options":{"capped":true,"size":{"$numberInt":"4096"},"collation":{"locale":"de"},
             "expireAfterSeconds":{"$numberLong":"60"},"autoIndexId":false},
             "indexes":[{"v":{"$numberInt":"1"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_","ns":"a.b"},
              {"v":{"$numberInt":"2"},"key":{"x":{"$numberInt":"1"}},"name":"x_1","hidden":true},
              {"v":{"$numberInt":"1"},"key":{"y":{"$numberInt":"1"}},"name":"y_1","ns":"a.b"}],
             "uuid":"000102030405060708090a0b0c0d0e0f","collectionName":"c","type":"collection"}
            """#
        )
        #expect(
            metadata.createCommand(as: "d").description
                == #"{"create":"d","capped":true,"size":{"$numberInt":"4096"},"collation":{"locale":"de"},"#
                + #""idIndex":{"v":{"$numberInt":"1"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"}}"#
        )
        #expect(metadata.expiry == .int64(60))
        #expect(metadata.uuid == Array(0...15))
        #expect(
            metadata.secondaryIndexes.map(\.description) == [
                #"{"v":{"$numberInt":"2"},"key":{"x":{"$numberInt":"1"}},"name":"x_1","hidden":true,"#
                    + #""collation":{"locale":"simple"}}"#,
                #"{"v":{"$numberInt":"1"},"key":{"y":{"$numberInt":"1"}},"name":"y_1"}"#,
            ]
        )
    }

    @Test("a clustered index is not built again, a descending _id index is")
    func clustered() throws {
        let metadata = try Self.metadata(
            #"""
            {"options":{"clusteredIndex":{"v":2,"key":{"_id":1},"name":"_id_","unique":true}},
             "indexes":[{"v":2,"key":{"_id":1},"name":"_id_","unique":true,"clustered":true},
             {"v":2,"key":{"_id":-1},"name":"_id_-1"}]}
            """#
        )
        #expect(metadata.idIndex == nil)
        #expect(metadata.secondaryIndexes.map { $0["name"]?.string } == ["_id_-1"])
    }

    @Test("storage that refuses, is full or away is told as that, and only damage as damage")
    func unreadable() {
        let causes: [(ObjectStorageError, String, Bool)] = [
            (.init(.accessDenied, "because"), "storageAccessDenied", false),
            (.init(.noSpace, "because"), "storageFull", false),
            (.init(.unavailable, "because"), "storageUnavailable", true),
            // One call is tried again when bytes change on their way; a job is not.
            (.init(.corrupt, "because", isTransient: true), "repositoryDamaged", false),
            (.init(.unexpected, "because", isTransient: true), "storage", true),
        ]
        for (cause, code, isRetryable) in causes {
            let error = RepositoryError(.storage, "can't read a pack", cause: cause)
            let failure = RestoreFailure.unreadable(error)
            #expect(failure.code == code && failure.isRetryable == isRetryable)
            #expect(failure.message.contains("because"))
        }
        #expect(RestoreFailure.unreadable(RepositoryError(.missing, "a pack is gone")).code == "damagedSnapshot")
    }

    @Test("metadata that can't be read is named")
    func brokenMetadata() throws {
        let failure = try #require(throws: JobFailure.self) { _ = try Self.metadata("{\"options\":") }
        #expect(failure.code == "damagedSnapshot")
        #expect(failure.message.contains("x.metadata.json"))
        #expect(try Self.metadata(" \n") == .unknown)
    }

    @Test("a time series finds the documents of its buckets, views stand after what they read")
    func order() throws {
        let catalog = try catalog([
            ("d.a_view", #"{"options":{"viewOn":"b_view","pipeline":[]},"indexes":[],"type":"view"}"#),
            ("d.b_view", #"{"options":{"viewOn":"z","pipeline":[]},"indexes":[],"type":"view"}"#),
            ("d.z", #"{"indexes":[]}"#),
            ("d.ts", #"{"options":{"timeseries":{"timeField":"t"}},"indexes":[],"type":"timeseries"}"#),
            ("d.system.buckets.ts", #"{}"#),
            ("config.settings", "{}"), ("admin.system.version", "{}"), ("admin.mine", "{}"), ("d.system.profile", "{}"),
        ])
        let plan = try RestorePlan(catalog: catalog, map: NamespaceMap(NamespaceSelection()), usersAndRoles: true)
        #expect(plan.collections.map(\.source.description) == ["admin.mine", "d.ts", "d.z"])
        #expect(plan.collections[1].dataPath == "d.system.buckets.ts.bson")
        #expect(plan.collections[1].dataTarget.description == "d.system.buckets.ts")
        #expect(plan.views.map(\.source.collection) == ["b_view", "a_view"])
        #expect(plan.warnings.count == 1)
        #expect(plan.warnings[0].contains("config.settings"))
    }

    @Test("renames reach what views read")
    func viewRenames() throws {
        let view = #"""
            {"options":{"viewOn":"orders","pipeline":[{"$match":{"orders":1}},
             {"$lookup":{"from":"people","as":"p","pipeline":[{"$unionWith":"orders"}]}},
             {"$facet":{"x":[{"$graphLookup":{"from":"orders","as":"o"}}]}},{"$unionWith":{"coll":"other"}}]},"type":"view"}
            """#
        let catalog = try catalog([("s.v", view), ("s.orders", "{}"), ("s.people", "{}")])
        let map = try NamespaceMap(NamespaceSelection(renames: [.init(from: "s.*", to: "copy.*_1")]))
        let plan = try RestorePlan(catalog: catalog, map: map, usersAndRoles: false)
        #expect(
            plan.views[0].metadata.options.description
                == #"{"viewOn":"orders_1","pipeline":[{"$match":{"orders":{"$numberInt":"1"}}},"#
                + #"{"$lookup":{"from":"people_1","as":"p","pipeline":[{"$unionWith":"orders_1"}]}},"#
                + #"{"$facet":{"x":[{"$graphLookup":{"from":"orders_1","as":"o"}}]}},{"$unionWith":{"coll":"other_1"}}]}"#
        )
        let apart = try NamespaceMap(NamespaceSelection(renames: [.init(from: "s.orders", to: "copy.orders")]))
        let failure = try #require(throws: JobFailure.self) {
            _ = try RestorePlan(catalog: catalog, map: apart, usersAndRoles: false)
        }
        #expect(failure.message.contains("s.v"))
    }

    @Test(
        "renames that collide or make names that can't be are refused",
        arguments: [
            ([("a.x", "{}"), ("a.y", "{}")], "a.x", "a.y", "both become a.y"),
            ([("a.x", "{}")], "a.x", "admin.x", "belongs to the server"),
            ([("a.x", "{}")], "a.x", "a.system.x", "system."),
            ([("a.x", "{}")], "a.*", "a b.*", "space"),
        ]
    )
    func badRenames(collections: [(String, String)], from: String, to: String, words: String) throws {
        let map = try NamespaceMap(NamespaceSelection(renames: [.init(from: from, to: to)]))
        let catalog = try catalog(collections)
        let failure = try #require(throws: JobFailure.self) {
            _ = try RestorePlan(catalog: catalog, map: map, usersAndRoles: false)
        }
        #expect(failure.code == "badSelection")
        #expect(failure.message.contains(words))
    }

    @Test("a selection that matches nothing is refused and tells what there is")
    func nothingSelected() throws {
        let map = try NamespaceMap(NamespaceSelection(include: ["shop.*"]))
        let catalog = try catalog([("crm.people", "{}")])
        let failure = try #require(throws: JobFailure.self) {
            _ = try RestorePlan(catalog: catalog, map: map, usersAndRoles: true)
        }
        #expect(failure.message.contains("crm.people"))
    }

    @Test("a cut file name is read by its metadata and refused without")
    func cutNames() throws {
        let stem = String(repeating: "a", count: 206) + "%2%24" + String(repeating: "x", count: 27)
        let entry = DumpDirectory.Entry(database: "d", stem: stem, metadataPath: "m", dataPath: "d/x.bson")
        let known = try Self.metadata(#"{"collectionName":"long/name"}"#)
        let catalog = try DumpedCatalog(entries: [entry], metadata: [ExactText("m"): known], promised: [:])
        #expect(catalog.collections.map(\.namespace.description) == ["d.long/name"])
        #expect(throws: JobFailure.self) {
            _ = try DumpedCatalog(entries: [entry], metadata: [ExactText("m"): .unknown], promised: [:])
        }
    }
}
