import BackupModel
import Testing

@testable import Coordinator

@Suite struct RestoreSourcesTests {
    private static func manifest() throws -> SessionManifest {
        var session = ClusterHarness()
        session.reachCut()
        for name in ["cfg", "rs-a", "rs-b"] { session.publish(name, cut: 30) }
        return try #require(ManifestMaker.make(session.state, writtenBy: "test"))
    }

    private func choose(_ groups: [GroupState], _ wanted: RestoreSources.Wanted = .init()) throws -> PreparedSources {
        try RestoreSources.choose(
            from: "latest",
            source: ResourceKey(namespace: "shop", name: "orders"),
            wanted: wanted,
            groups: groups,
            manifests: [try Self.manifest()]
        )
    }

    private func refusal(_ groups: [GroupState], _ wanted: RestoreSources.Wanted = .init()) throws -> String {
        do {
            _ = try choose(groups, wanted)
            return "not refused"
        } catch let failure as StorageFailure {
            return failure.description
        }
    }

    private func cluster(_ configServer: String, _ shards: [(set: String, name: String)]) -> [GroupState] {
        [GroupState(name: configServer, role: .configServer)]
            + shards.map { GroupState(name: $0.set, role: .shard, shard: $0.name) }
    }

    @Test("groups of the same names belong together, and shards are called as in the target")
    func sameNames() throws {
        let sources = try choose(cluster("cfg", [("rs-a", "x"), ("rs-b", "b")]))
        #expect(sources.groups.mapValues(\.group) == ["cfg": "cfg", "rs-a": "rs-a", "rs-b": "rs-b"])
        #expect(sources.shardNames == ["a": "x", "b": "b"])
    }

    @Test("other names need a mapping; the config server needs none")
    func mapped() throws {
        let groups = cluster("conf", [("s0", "zero"), ("s1", "one")])
        #expect(try refusal(groups).contains("has no group s0; it has cfg, rs-a, rs-b. Say which group goes where"))
        let sources = try choose(groups, .init(mapping: ["rs-a": "s1", "rs-b": "s0"]))
        #expect(sources.groups.mapValues(\.group) == ["conf": "cfg", "s0": "rs-b", "s1": "rs-a"])
        #expect(sources.shardNames == ["a": "one", "b": "zero"])
    }

    @Test("a mapping may swap names, but not take a group twice or a shard for a config server")
    func swapped() throws {
        let groups = cluster("cfg", [("rs-a", "a"), ("rs-b", "b")])
        let sources = try choose(groups, .init(mapping: ["rs-a": "rs-b", "rs-b": "rs-a"]))
        #expect(sources.groups["rs-a"]?.group == "rs-b")
        #expect(try refusal(groups, .init(mapping: ["rs-a": "rs-b"])).contains("has no group rs-a"))
        #expect(try refusal(groups, .init(mapping: ["cfg": "rs-b"])).contains("was the config server"))
    }

    @Test("the number of groups must fit")
    func numbers() throws {
        #expect(
            try refusal(cluster("cfg", [("rs-a", "a")])).contains(
                "has 3 groups (cfg, rs-a, rs-b) and the target 2 (cfg, rs-a): the numbers must be the same"
            )
        )
        #expect(try refusal([GroupState(name: "rs0")]).contains("name the group that is wanted (--group)"))
    }

    @Test("one group alone goes into a replica set, by its name or its shard's, and it is said what that lacks")
    func alone() throws {
        for name in ["rs-b", "b"] {
            let sources = try choose([GroupState(name: "rs0")], .init(group: name))
            #expect(sources.groups["rs0"]?.group == "rs-b")
            #expect(sources.shardNames == nil)
            #expect(sources.remarks.first?.contains("only group rs-b of cfg, rs-a, rs-b is restored") == true)
        }
        #expect(try refusal([GroupState(name: "rs0")], .init(group: "rs-z")).contains("has no group rs-z"))
    }
}
