import BSON
import BackupModel
import Testing

@testable import Engines

@Suite("Restore: the oplog, without a server")
struct OplogTests {
    private static let uuidA = [UInt8](repeating: 0xA, count: 16)
    private static let uuidB = [UInt8](repeating: 0xB, count: 16)

    /// Scans entries and runs them through a model; returns what would be applied, as text.
    private func replay(
        _ log: OplogWriter,
        collections: [(name: String, uuid: [UInt8]?)] = [("d.a", nil)],
        selection: NamespaceSelection = NamespaceSelection(),
        kept: Set<[UInt8]> = [],
        users: Bool = false,
        cut: ClusterTime? = nil
    ) throws -> (steps: [String], model: ReplayModel, scan: OplogScan) {
        var scan = OplogScan(cut: cut)
        for entry in log.entries { try scan.take(entry.bytes.span.bytes, at: 0..<entry.bytes.count) }
        var catalog = try DumpedCatalog(entries: [], metadata: [:], promised: [:])
        var uuids: [Namespace: [UInt8]] = [:]
        for (name, uuid) in collections {
            let namespace = try #require(Namespace(name))
            uuids[namespace] = uuid
            catalog.collections.append(
                DumpedCollection(namespace: namespace, metadata: .unknown, dataPath: nil, promised: nil)
            )
        }
        let map = try NamespaceMap(selection)
        var model = ReplayModel(
            plan: try RestorePlan(catalog: catalog, map: map, usersAndRoles: false),
            map: map,
            scan: scan,
            uuids: uuids,
            kept: kept,
            taken: [],
            userStores: users ? UserRestorer.stores : nil
        )
        var steps: [String] = []
        for entry in log.entries {
            let parsed = try OplogEntry(entry.bytes.span.bytes, at: 0)
            guard scan.isInside(parsed.operation.time) else { continue }
            var operations = [parsed.operation]
            if parsed.operation.kind == .command, case .operations(let packed) = try OplogCommand(parsed.operation) {
                operations =
                    scan.ledger.happened(parsed)
                    ? try OplogCommand.unpack(packed.array, time: parsed.operation.time) : []
            }
            for operation in operations {
                for step in try model.steps(for: operation) {
                    let object = try BSONDocument(validating: step.object)
                    let ui = step.uuid == nil ? "" : " ui"
                    let kind = String(UnicodeScalar(step.kind.rawValue)) + (step.isDirect ? "!" : "")
                    steps.append("\(kind) \(step.namespace)\(ui) \(object)")
                }
            }
        }
        return (steps, model, scan)
    }

    private func scan(_ entries: [BSONDocument]) throws {
        var scan = OplogScan()
        for entry in entries { try scan.take(entry.bytes.span.bytes, at: 0..<entry.bytes.count) }
    }

    @Test("documents are mapped and keep their UUID only where the target has it")
    func documents() throws {
        var log = OplogWriter()
        log.note()
        log.insert("d.a", ["_id": 1], ui: Self.uuidA)
        log.delete("d.a", 1, ui: Self.uuidA)
        log.insert("config.transactions", ["_id": 1])
        log.insert("local.x", ["_id": 1])
        log.insert("admin.system.keys", ["_id": 1])
        let one = #"{"_id":{"$numberInt":"1"}}"#
        let kept = try replay(log, collections: [("d.a", Self.uuidA)], kept: [Self.uuidA])
        #expect(kept.steps == ["i d.a ui \(one)", "d d.a ui \(one)"])
        #expect(try replay(log, collections: [("d.a", Self.uuidA)]).steps == ["i d.a \(one)", "d d.a \(one)"])
        let renamed = NamespaceSelection(renames: [.init(from: "d.*", to: "copy.*_x")])
        #expect(
            try replay(log, collections: [("d.a", nil)], selection: renamed).steps == [
                "i copy.a_x \(one)", "d copy.a_x \(one)",
            ]
        )
    }

    @Test("a namespace that nothing explains fails the replay")
    func unknownNamespace() throws {
        var log = OplogWriter()
        log.insert("d.b", ["_id": 1])
        let failure = try #require(throws: JobFailure.self) { _ = try replay(log) }
        #expect(failure.code == "badOplog")
        #expect(failure.message.contains("d.b"))
        let excluded = try replay(log, selection: NamespaceSelection(exclude: ["d.b"]))
        #expect(excluded.steps.isEmpty)
    }

    @Test("what is dropped later needn't be there, and what is created later may be there already")
    func laterData() throws {
        var log = OplogWriter()
        log.insert("d.gone", ["_id": 1], ui: Self.uuidB)
        log.command("d", ["drop": "gone"], ui: Self.uuidB)
        log.command("d", ["create": "a", "idIndex": ["v": 2, "key": ["_id": 1], "name": "_id_"]], ui: Self.uuidA)
        log.insert("d.a", ["_id": 2], ui: Self.uuidA)
        let result = try replay(log, collections: [("d.a", Self.uuidA)])
        #expect(result.steps == [#"i d.a {"_id":{"$numberInt":"2"}}"#])
        #expect(result.model.collections.map(\.description) == ["d.a"])
    }

    @Test("collections that are created, renamed and dropped are followed")
    func collections() throws {
        var log = OplogWriter()
        log.command("d", ["create": "b", "capped": true, "expireAfterSeconds": 5], ui: Self.uuidB)
        log.insert("d.b", ["_id": 1], ui: Self.uuidB)
        log.command(
            "d",
            ["renameCollection": "d.b", "to": "d.a", "dropTarget": .binary(subtype: 4, bytes: Self.uuidA)],
            ui: Self.uuidB
        )
        log.insert("d.a", ["_id": 2], ui: Self.uuidB)
        log.command("d", ["drop": "a"], ui: Self.uuidB)
        let result = try replay(log, collections: [("d.a", Self.uuidA)], kept: [Self.uuidA])
        #expect(
            result.steps == [
                #"c d.$cmd ui {"create":"b","capped":true}"#,
                #"i d.b ui {"_id":{"$numberInt":"1"}}"#,
                #"c! admin.$cmd {"renameCollection":"d.b","to":"d.a","dropTarget":true}"#,
                #"i d.a ui {"_id":{"$numberInt":"2"}}"#,
                #"c! d.$cmd {"drop":"a"}"#,
            ]
        )
        #expect(result.model.collections.isEmpty)
    }

    @Test("a rename that has happened in the data already is passed over")
    func renameAlreadyThere() throws {
        var log = OplogWriter()
        log.insert("d.old", ["_id": 1], ui: Self.uuidA)
        log.command("d", ["renameCollection": "d.old", "to": "d.a"], ui: Self.uuidA)
        log.insert("d.a", ["_id": 2], ui: Self.uuidA)
        let result = try replay(log, collections: [("d.a", Self.uuidA)])
        #expect(result.steps == [#"i d.a {"_id":{"$numberInt":"1"}}"#, #"i d.a {"_id":{"$numberInt":"2"}}"#])
    }

    @Test("indexes are gathered, not built: created, dropped, hidden, renamed with their collection")
    func indexes() throws {
        var log = OplogWriter()
        log.command("d", ["createIndexes": "a", "v": 2, "key": ["x": 1], "name": "x_1", "expireAfterSeconds": 5])
        log.command("d", ["startIndexBuild": "a", "indexes": [["v": 2, "key": ["y": 1], "name": "y_1"]]])
        log.command("d", ["commitIndexBuild": "a", "indexes": [["v": 2, "key": ["y": 1], "name": "y_1"]]])
        log.command("d", ["createIndexes": "a", "v": 2, "key": ["z": 1], "name": "z_1"])
        log.command("d", ["dropIndexes": "a", "index": "z_1"])
        log.command("d", ["collMod": "a", "index": ["name": "x_1", "expireAfterSeconds": 9, "hidden": true]])
        log.command("d", ["collMod": "a", "validator": ["q": 1], "expireAfterSeconds": 7])
        log.command("d", ["renameCollection": "d.a", "to": "d.b"])
        let result = try replay(log)
        #expect(
            result.steps == [
                #"c! d.$cmd {"collMod":"a","validator":{"q":{"$numberInt":"1"}}}"#,
                #"c! admin.$cmd {"renameCollection":"d.a","to":"d.b","dropTarget":true}"#,
            ]
        )
        let b = Namespace(database: "d", collection: "b")
        #expect(
            result.model.indexes.indexes(of: b).map(\.description) == [
                #"{"v":{"$numberInt":"2"},"key":{"x":{"$numberInt":"1"}},"name":"x_1","expireAfterSeconds":"#
                    + #"{"$numberInt":"9"},"hidden":true}"#,
                #"{"v":{"$numberInt":"2"},"key":{"y":{"$numberInt":"1"}},"name":"y_1"}"#,
            ]
        )
        #expect(result.model.expiries[b] == 7)
    }

    @Test("a time series is created as one, and its indexes in its own terms")
    func timeSeries() throws {
        var log = OplogWriter()
        let series: BSONDocument = ["timeField": "t"]
        log.command(
            "d",
            [
                "create": "system.buckets.ts", "validator": ["v": 1], "clusteredIndex": true,
                "timeseries": .document(series),
            ],
            ui: Self.uuidB
        )
        log.insert("d.system.views", ["_id": "d.ts", "viewOn": "system.buckets.ts", "pipeline": []])
        log.insert("d.system.buckets.ts", ["_id": 1], ui: Self.uuidB)
        log.command(
            "d",
            [
                "createIndexes": "system.buckets.ts", "v": 2, "key": ["control.min.z": 1], "name": "z_1",
                "originalSpec": ["key": ["z": 1], "name": "z_1", "v": 2],
            ],
            ui: Self.uuidB
        )
        let result = try replay(log)
        #expect(
            result.steps == [
                #"c! d.$cmd {"create":"ts","timeseries":{"timeField":"t"}}"#,
                #"i d.system.buckets.ts {"_id":{"$numberInt":"1"}}"#,
            ]
        )
        let ts = Namespace(database: "d", collection: "ts")
        #expect(result.model.indexes.indexes(of: ts).map { $0["key"]?.document } == [["z": 1]])
        #expect(result.model.indexes.indexes(of: ts.buckets).isEmpty)
        #expect(result.model.views.isEmpty)
    }

    @Test("views come to what the oplog last said of them")
    func views() throws {
        var log = OplogWriter()
        log.insert("d.system.views", ["_id": "d.v", "viewOn": "a", "pipeline": []])
        log.add(
            OplogWriter.operation(
                "u",
                "d.system.views",
                ["_id": "d.v", "viewOn": "a", "pipeline": [["$limit": 1]]],
                key: ["_id": "d.v"]
            )
        )
        log.insert("d.system.views", ["_id": "d.w", "viewOn": "v", "pipeline": []])
        log.delete("d.system.views", "d.w")
        let result = try replay(log)
        #expect(result.steps.isEmpty)
        #expect(result.model.views.keys.map(\.description) == ["d.v"])
        #expect(result.model.views[Namespace(database: "d", collection: "v")]??["pipeline"]?.array?.count == 1)
    }

    @Test("transactions are taken whole or not at all")
    func transactions() throws {
        func operations(_ ids: Int..., more: [(String, BSONValue)] = []) -> BSONDocument {
            BSONDocument(
                [("applyOps", .array(ids.map { OplogWriter.inner("i", "d.a", ["_id": .integer($0)]) }))] + more
            )
        }
        var log = OplogWriter()
        log.transaction(1, operations(1, 2), previous: false)
        log.transaction(2, operations(3, more: [("partialTxn", true)]), previous: false)
        log.insert("d.a", ["_id": 100])
        log.transaction(2, operations(4, more: [("count", 2)]), previous: true)
        log.transaction(3, operations(5, more: [("prepare", true)]), previous: false)
        log.transaction(3, ["commitTransaction": 1, "commitTimestamp": .timestamp(1)], previous: true)
        log.transaction(4, operations(6, more: [("prepare", true)]), previous: false)
        log.transaction(4, ["abortTransaction": 1], previous: true)
        log.transaction(5, operations(7, more: [("prepare", true)]), previous: false)
        log.transaction(6, operations(8, more: [("partialTxn", true)]), previous: false)
        let result = try replay(log)
        let ids = result.steps.compactMap { $0.split(separator: "\"").dropLast().last }
        #expect(ids == ["1", "2", "3", "100", "4", "5"])
        #expect(result.scan.ledger.committed == 2)
        #expect(result.scan.ledger.unfinished == 2)
    }

    @Test("at a cut, a transaction counts by its commit timestamp and not by where its commit lies")
    func commitTimestamps() throws {
        func prepare(_ id: Int) -> BSONDocument {
            ["applyOps": [OplogWriter.inner("i", "d.a", ["_id": .integer(id)])], "prepare": true]
        }
        func commit(_ time: ClusterTime) -> BSONDocument {
            ["commitTransaction": 1, "commitTimestamp": .timestamp(time.bits)]
        }
        var log = OplogWriter()
        log.transaction(1, prepare(1), previous: false)
        log.transaction(2, prepare(2), previous: false)
        log.transaction(3, prepare(3), previous: false)
        log.insert("d.a", ["_id": 10])
        let cut = try log.last()
        log.insert("d.a", ["_id": 11])
        // Committed by the cut, and told behind it; committed behind it; never decided.
        log.transaction(1, commit(cut), previous: true)
        log.transaction(2, commit(ClusterTime(t: cut.t, i: cut.i + 1)), previous: true)
        // A head that lies behind the cut, too, is nobody's business.
        log.transaction(4, ["applyOps": [OplogWriter.inner("i", "d.a", ["_id": 4])], "count": 2], previous: true)
        let result = try replay(log, cut: cut)
        let ids = result.steps.compactMap { $0.split(separator: "\"").dropLast().last }
        #expect(ids == ["1", "10"])
        #expect(result.scan.ledger.committed == 1)
        #expect(result.scan.ledger.unfinished == 2)
        #expect(result.scan.entries == 8)
    }

    @Test("a transaction whose beginning is not in the oplog is refused")
    func headless() throws {
        var log = OplogWriter()
        log.transaction(1, ["applyOps": [OplogWriter.inner("i", "d.a", ["_id": 1])], "count": 2], previous: true)
        #expect(throws: JobFailure.self) { _ = try replay(log) }
        var commit = OplogWriter()
        commit.transaction(1, ["commitTransaction": 1], previous: true)
        #expect(throws: JobFailure.self) { _ = try replay(commit) }
    }

    @Test("vectored writes and nested applyOps are unpacked where they stand")
    func nested() throws {
        var log = OplogWriter()
        let inner: BSONDocument = ["applyOps": [OplogWriter.inner("i", "d.a", ["_id": 2])]]
        log.command(
            "admin",
            ["applyOps": [OplogWriter.inner("i", "d.a", ["_id": 1]), OplogWriter.inner("c", "admin.$cmd", inner)]]
        )
        log.add(
            [("lsid", ["id": 1]), ("txnNumber", .int64(9))]
                + OplogWriter.operation("c", "admin.$cmd", ["applyOps": [OplogWriter.inner("i", "d.a", ["_id": 3])]])
                + [("prevOpTime", ["ts": .timestamp(77), "t": 1]), ("multiOpType", 1)]
        )
        #expect(try replay(log).steps.count == 3)
    }

    @Test(
        "what nobody taught us fails before anything is written",
        arguments: [
            ["refineCollectionShardKey": "a"], ["importCollection": "a"], ["modifyCollectionShardingIndexCatalog": "a"],
            ["somethingNew": 1],
        ] as [BSONDocument]
    )
    func unknownCommands(command: BSONDocument) throws {
        var log = OplogWriter()
        log.command("d", command)
        let failure = try #require(throws: JobFailure.self) { _ = try replay(log) }
        #expect(failure.message.contains(command.keys[0]))
        var kinds = OplogWriter()
        kinds.add(OplogWriter.operation("xx", "d.a", ["_id": 1]))
        #expect(throws: JobFailure.self) { _ = try replay(kinds) }
        kinds = OplogWriter()
        kinds.add(OplogWriter.operation("z", "d.a", ["_id": 1]))
        #expect(throws: JobFailure.self) { _ = try replay(kinds) }
    }

    @Test("entries out of order and entries that are no entries are refused")
    func malformed() throws {
        var log = OplogWriter()
        log.insert("d.a", ["_id": 1])
        log.insert("d.a", ["_id": 2])
        #expect(throws: JobFailure.self) { try scan([log.entries[1], log.entries[0]]) }
        for entry: BSONDocument in [["op": "i"], ["ts": .timestamp(1), "op": "i", "ns": "x", "o": [:]], [:]] {
            #expect(throws: JobFailure.self) { try scan([entry]) }
        }
    }

    @Test("a database that is dropped takes what the oplog doesn't create again")
    func dropDatabase() throws {
        var log = OplogWriter()
        log.insert("d.b", ["_id": 0], ui: Self.uuidB)
        log.command("d", ["dropDatabase": 1])
        log.command("d", ["create": "a"], ui: Self.uuidA)
        let result = try replay(log, collections: [("d.a", Self.uuidA), ("d.old", nil)])
        #expect(result.steps == [#"c! d.$cmd {"drop":"old"}"#])
        #expect(result.model.collections.map(\.description) == ["d.a"])
    }

    @Test("a rename across the border of the selection is refused")
    func crossing() throws {
        var log = OplogWriter()
        log.command("d", ["renameCollection": "d.b", "to": "d.c"])
        let selection = NamespaceSelection(exclude: ["d.b"])
        let failure = try #require(throws: JobFailure.self) { _ = try replay(log, selection: selection) }
        #expect(failure.message.contains("d.b"))
        let inner = NamespaceSelection(exclude: ["d.c"])
        #expect(throws: JobFailure.self) { _ = try replay(log, collections: [("d.b", nil)], selection: inner) }
    }

    @Test(
        "a collection that the oplog makes under another name and renames into the selection is followed from its begin"
    )
    func adoption() throws {
        var log = OplogWriter()
        log.command("d", ["create": "tmp"], ui: Self.uuidB)
        log.insert("d.tmp", ["_id": 1], ui: Self.uuidB)
        log.command("d", ["renameCollection": "d.tmp", "to": "d.tmp2"], ui: Self.uuidB)
        log.insert("d.tmp2", ["_id": 2], ui: Self.uuidB)
        log.command("d", ["renameCollection": "d.tmp2", "to": "d.a", "dropTarget": true], ui: Self.uuidB)
        log.insert("d.a", ["_id": 3], ui: Self.uuidB)
        log.command("d", ["create": "other"], ui: Self.uuidA)
        log.insert("d.other", ["_id": 4], ui: Self.uuidA)
        let selection = NamespaceSelection(include: ["d.a"])
        let result = try replay(log, selection: selection)
        #expect(
            result.steps.filter { !$0.contains("create") }.map {
                $0.split(separator: " ").prefix(2).joined(separator: " ")
            }
                == ["i d.tmp", "c! admin.$cmd", "i d.tmp2", "c! admin.$cmd", "i d.a"]
        )
        #expect(result.model.collections.map(\.description) == ["d.a"])
        #expect(result.model.adoptedNames.map(\.description).sorted() == ["d.tmp", "d.tmp2"])

        // Once it has arrived it is one of the selected, and may not leave.
        log.command("d", ["renameCollection": "d.a", "to": "d.tmp"], ui: Self.uuidB)
        #expect(throws: JobFailure.self) { _ = try replay(log, selection: selection) }
    }

    @Test("changes of users go to the place where users are gathered")
    func users() throws {
        var log = OplogWriter()
        log.insert("admin.system.users", ["_id": "admin.x"], ui: Self.uuidB)
        log.delete("admin.system.roles", "admin.r")
        let with = try replay(log, users: true)
        #expect(
            with.steps == [
                #"i admin.remora_restore_users {"_id":"admin.x"}"#, #"d admin.remora_restore_roles {"_id":"admin.r"}"#,
            ]
        )
        #expect(try replay(log).steps.isEmpty)
    }
}
