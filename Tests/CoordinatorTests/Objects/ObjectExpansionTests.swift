import BackupModel
import Foundation
import TestSupport
import Testing

@testable import Coordinator

@Suite("Batches, blueprints, tasks and functions in files")
struct ObjectExpansionTests {
    static let batch = """
        apiVersion: remora.dev/v1alpha1
        kind: BackupBatch
        metadata: {name: all, namespace: shop}
        spec:
          schedule: "0 3 * * *"
          repository: {name: main}
          members:
          - target: {ref: {name: orders}}
          - target: {ref: {name: orders}}
            alias: again

        """
    static let blueprint = """
        apiVersion: remora.dev/v1alpha1
        kind: BackupBlueprint
        metadata: {name: daily}
        spec:
          backend:
            local: {mountPath: /backups, subPath: "${TARGET_NAMESPACE}/${TARGET_NAME}"}
            storageSecretName: storage
          schedule: "@daily"

        """
    static let annotated = """
        apiVersion: remora.dev/v1alpha1
        kind: AppBinding
        metadata:
          name: users
          namespace: shop
          annotations: {remora.dev/blueprint: daily, params.remora.dev/parallelism: "2"}
        spec: {type: mongodb}

        """

    private func load(_ documents: String...) throws -> (objects: ObjectSet, problems: [String]) {
        let directory = try TestDirectory("expansion")
        defer { directory.remove() }
        try directory.write(documents.joined(separator: "---\n"), to: "all.yaml")
        let loaded = ObjectDirectory(path: directory.path).load()
        return (loaded.objects, loaded.problems.map { String($0.description.dropFirst(directory.path.count + 1)) })
    }

    @Test("the members of a batch are configurations in force")
    func batchExpands() throws {
        let (objects, problems) = try load(ObjectParserTests.repository, ObjectParserTests.binding, Self.batch)
        #expect(problems.isEmpty)
        #expect(objects.configurations.keys.sorted().map(\.description) == ["shop/all-again", "shop/all-orders"])
        #expect(objects.batches.count == 1)
    }

    @Test(
        "what is wrong with a member is told with the line where it stands in the batch",
        arguments: [
            (
                "alias: again", "alias: again\n    task: {name: mysql-backup}",
                "all.yaml:24: spec.members[1].task.name is 'mysql-backup'; allowed: mongodb-backup"
            ),
            (
                "  - target: {ref: {name: orders}}\n    alias: again", "  - target: {ref: {name: lost}}",
                "all.yaml:22: spec.members[1].target.ref.name names AppBinding shop/lost, which does not exist; "
                    + "there are: orders"
            ),
            (
                "0 3 * * *", "61 3 * * *",
                "all.yaml:18: spec.schedule '61' is not a minute"
            ),
            (
                "members:", "executionOrder: Sequential\n  members:",
                "all.yaml:20: spec.executionOrder is 'Sequential', which needs Kubernetes; from files members run all at "
                    + "once: Parallel"
            ),
            (
                "repository: {name: main}", "repository: {name: other}",
                "all.yaml:19: spec.repository.name names Repository shop/other, which does not exist; there are: main"
            ),
        ]
    )
    func batchProblems(old: String, new: String, expected: String) throws {
        let text = Self.batch.replacingOccurrences(of: old, with: new)
        let (_, problems) = try load(ObjectParserTests.repository, ObjectParserTests.binding, text)
        #expect(problems.count == 1 && problems.first?.hasPrefix(expected) == true, "\(problems)")
    }

    @Test("a configuration whose name a batch's member needs is told")
    func nameTaken() throws {
        let configuration = ObjectParserTests.configuration("").replacingOccurrences(
            of: "name: hourly",
            with: "name: all-orders"
        )
        let (_, problems) = try load(
            ObjectParserTests.repository,
            ObjectParserTests.binding,
            configuration,
            Self.batch
        )
        #expect(problems.count == 1)
        #expect(problems.first?.contains("BackupConfiguration shop/all-orders is given twice") == true, "\(problems)")
    }

    @Test("an AppBinding that names a blueprint gets its repository and configuration")
    func blueprintExpands() throws {
        let (objects, problems) = try load(Self.blueprint, Self.annotated)
        #expect(problems.isEmpty, "\(problems)")
        let key = ResourceKey(namespace: "shop", name: "users")
        #expect(objects.repositories[key]?.spec.backend.url == "/backups/shop/users")
        #expect(objects.configurations[key]?.spec.task?.params == [.init(name: "parallelism", value: "2")])
        #expect(objects.bindings.count == 1)
    }

    @Test("a blueprint that isn't there, and annotations that make no sense, are told at the AppBinding")
    func blueprintProblems() throws {
        let (_, lost) = try load(Self.annotated)
        #expect(
            lost == [
                "all.yaml:6: metadata.annotations remora.dev/blueprint names BackupBlueprint daily, which does not exist; "
                    + "there is none"
            ]
        )
        let many = Self.annotated.replacingOccurrences(of: "\"2\"", with: "many")
        let (_, problems) = try load(Self.blueprint, many)
        #expect(problems.count == 1)
        #expect(problems.first?.contains("make a configuration whose spec.task.params[0].value is 'many'") == true)
    }

    @Test("a task whose function is not there is told by who names it; Stash's own are accepted")
    func tasks() throws {
        let task = """
            apiVersion: remora.dev/v1alpha1
            kind: Task
            metadata: {name: mysql-backup}
            spec: {steps: [{name: mysql-backup}]}

            """
        let function = """
            apiVersion: remora.dev/v1alpha1
            kind: Function
            metadata: {name: mongodb-backup-6.0.5}
            spec: {image: "mongodb:1", args: ["backup-mongo"]}

            """
        let bad = function.replacingOccurrences(of: "mongodb-backup-6.0.5", with: "mysql-backup")
        let (_, problems) = try load(task, bad)
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("all.yaml:8: metadata.name is 'mysql-backup', which is not built in") == true)
        let good = task.replacingOccurrences(of: "mysql", with: "mongodb")
        let (objects, none) = try load(good, function)
        #expect(none.isEmpty)
        #expect(objects.tasks.count == 1 && objects.functions.count == 1)
    }
}
