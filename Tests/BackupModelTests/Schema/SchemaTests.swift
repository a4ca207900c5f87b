import BackupModel
import Testing

/// The definitions in `manifests/crds` and the Swift types say the same.
@Suite struct SchemaTests {
    private func differences<Spec: ResourceSpec>(_ plural: String, _ type: Spec.Type) throws -> [String] {
        let definition = try Schema.definition(plural)
        #expect(definition.kind == Spec.kind)
        #expect(definition.apiVersion == ResourceGroup.apiVersion)
        #expect(definition.scope == (Spec.isNamespaced ? "Namespaced" : "Cluster"))
        let root = definition.root
        #expect(root.required == ["spec"])
        let spec = try #require(root.properties["spec"])
        let status = try #require(root.properties["status"])
        return spec.differences(from: try Shape.of(Spec.self))
            + status.differences(from: try Shape.of(Spec.Status.self))
    }

    @Test("schema and type have the same fields, types, values and obligations")
    func agree() throws {
        #expect(try differences("repositories", RepositorySpec.self) == [])
        #expect(try differences("appbindings", AppBindingSpec.self) == [])
        #expect(try differences("backupconfigurations", BackupConfigurationSpec.self) == [])
        #expect(try differences("backupsessions", BackupSessionSpec.self) == [])
        #expect(try differences("restoresessions", RestoreSessionSpec.self) == [])
        #expect(try differences("backupbatches", BackupBatchSpec.self) == [])
        #expect(try differences("backupblueprints", BackupBlueprintSpec.self) == [])
        #expect(try differences("tasks", TaskSpec.self) == [])
        #expect(try differences("functions", FunctionSpec.self) == [])
    }

    @Test("a difference is noticed, whatever it is")
    func notices() throws {
        struct Other: Decodable {
            struct Inner: Decodable { var prune: String? }
            var schedule: String
            var paused: Int?
            var extra: [String: Bool]
            var retentionPolicy: Inner?
            var concurrencyPolicy: Consistency?
        }
        let spec = try #require(try Schema.definition("backupconfigurations").root.properties["spec"])
        let found = spec.differences(from: try Shape.of(Other.self))
        for expected in [
            "BackupConfiguration.spec.schedule is required by the type only",
            "BackupConfiguration.spec.paused is boolean, the type integer",
            "BackupConfiguration.spec.extra is in the type only",
            "BackupConfiguration.spec.retentionPolicy.prune is boolean, the type text",
            "BackupConfiguration.spec.retentionPolicy.keepLast is in the schema only",
            "BackupConfiguration.spec.concurrencyPolicy allows [\"Skip\"], the type [\"lock\", \"none\", \"oplog\", \"snapshot\"]",
        ] { #expect(found.contains(expected), "\(found)") }
    }

    @Test(
        "rules can be checked at a bounded cost: every text, list, map and number of a spec has a limit",
        arguments: Schema.plurals
    )
    func isBounded(_ plural: String) throws {
        let root = try Schema.definition(plural).root
        for node in try #require(root.properties["spec"]).all + #require(root.properties["status"]).all {
            let isBounded =
                switch node.type {
                case "string": node.choices != nil || node.node["maxLength"] != nil || node.node["format"] != nil
                case "array": node.node["maxItems"] != nil
                case "integer": node.node["minimum"] != nil && node.node["maximum"] != nil
                case "object": node.values == nil || node.node["maxProperties"] != nil
                case nil: node.isAnything
                default: true
                }
            #expect(isBounded, "\(node.path)")
        }
    }
}
