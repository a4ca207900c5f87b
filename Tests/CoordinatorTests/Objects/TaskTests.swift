import BackupModel
import Foundation
import TestSupport
import Testing

@testable import Coordinator

@Suite("From a task's name to what agents run")
struct TaskTests {
    static let functions = """
        apiVersion: remora.dev/v1alpha1
        kind: Function
        metadata: {name: mysql-dump}
        spec:
          stream: Backup
          command: [mariadb-dump, --single-transaction]
          args: ["--host=${HOST}", "--user=${USERNAME}", "--databases", "${PARAM_database}"]
          env: [{name: MYSQL_PWD, value: "${PASSWORD}"}]
          file: dump.sql
          check: "-- Dump completed"
          timeOut: 90m
        ---
        apiVersion: remora.dev/v1alpha1
        kind: Function
        metadata: {name: mysql-load}
        spec:
          stream: Restore
          command: [mariadb]
          file: dump.sql
        ---
        apiVersion: remora.dev/v1alpha1
        kind: Task
        metadata: {name: mysql-backup}
        spec: {steps: [{name: mysql-dump, params: [{name: database, value: all}]}, {name: update-status}]}
        ---
        apiVersion: remora.dev/v1alpha1
        kind: Task
        metadata: {name: mysql-restore}
        spec: {steps: [{name: mysql-load}]}

        """
    static let binding = """
        apiVersion: remora.dev/v1alpha1
        kind: AppBinding
        metadata: {name: orders, namespace: shop}
        spec: {type: mysql}

        """

    private func load(_ documents: String...) throws -> (objects: ObjectSet, problems: [String]) {
        let directory = try TestDirectory("tasks")
        defer { directory.remove() }
        try directory.write(([ObjectParserTests.repository] + documents).joined(separator: "---\n"), to: "all.yaml")
        let loaded = ObjectDirectory(path: directory.path).load()
        return (loaded.objects, loaded.problems.map { String($0.description.dropFirst(directory.path.count + 1)) })
    }

    private static func configuration(_ task: String) -> String {
        """
        apiVersion: remora.dev/v1alpha1
        kind: BackupConfiguration
        metadata: {name: nightly, namespace: shop}
        spec: {repository: {name: main}, target: {ref: {name: orders}}\(task)}

        """
    }

    private func plan(_ objects: ObjectSet) throws -> SessionPlan {
        try PlanMaker.backup(
            ResourceKey(namespace: "shop", name: "nightly"),
            objects: objects,
            consistency: nil,
            trigger: .manual,
            requestedBy: nil
        )
    }

    @Test("a configuration's task becomes a recipe in the job's spec, its parameters over those of the task")
    func backup() throws {
        let task = ", task: {name: mysql-backup, params: [{name: database, value: shop}]}"
        let (objects, problems) = try load(Self.functions, Self.binding, Self.configuration(task))
        #expect(problems.isEmpty, "\(problems)")
        let plan = try plan(objects)
        let recipe = try #require(plan.backup?.command)
        #expect(plan.engine == "mysql" && recipe.function == "mysql-dump" && recipe.parameters == ["database": "shop"])
        #expect(recipe.timeOutSeconds == 5400 && recipe.environment.first?.value == "${PASSWORD}")
        let (plain, none) = try load(Self.functions, Self.binding, Self.configuration(", task: {name: mysql-backup}"))
        #expect(none.isEmpty)
        #expect(try self.plan(plain).backup?.command?.parameters == ["database": "all"])
    }

    @Test("a restore's task becomes a recipe likewise, and takes a backup as a whole")
    func restore() throws {
        let configuration = Self.configuration(", task: {name: mysql-backup}")
        let (objects, problems) = try load(Self.functions, Self.binding, configuration)
        #expect(problems.isEmpty, "\(problems)")
        var spec = RestoreSessionSpec(target: "orders", conflict: .dropCollections)
        func plan() throws -> SessionPlan {
            try PlanMaker.restore(spec, namespace: "shop", objects: objects, requestedBy: nil)
        }
        let missing = try #require(throws: RequestError.self) { try plan() }
        #expect(
            missing.message
                == "this restore makes no sense: task.name is missing: nothing is built in for mysql, so name a Task of yours; "
                + "there are: mysql-restore"
        )
        spec.task = TaskReference(name: "mysql-restore")
        #expect(try plan().restore?.command?.program == "mariadb")
        spec.include = ["shop.*"]
        #expect(try #require(throws: RequestError.self) { try plan() }.message.contains("takes a backup as a whole"))
    }

    @Test(
        "a task that leads nowhere is told at the configuration, with what there is",
        arguments: [
            (
                "",
                "spec.task.name is missing: nothing is built in for mysql, so name a Task of yours; there are: mysql-backup"
            ),
            (
                ", task: {name: mongodb-backup}",
                "spec.task.name is 'mongodb-backup', which is for mongodb, and the target's type is mysql: name a Task of "
                    + "yours; there are: mysql-backup"
            ),
            (
                ", task: {name: mysql-bakcup}",
                "spec.task.name names Task mysql-bakcup, which does not exist or is wrong; there are: mysql-backup"
            ),
            (
                ", task: {name: mysql-restore}",
                "spec.task.name names Task mysql-restore, whose Function mysql-load has stream Restore, and this needs Backup; "
                    + "there are: mysql-backup"
            ),
            (
                ", task: {name: mysql-backup, params: [{name: db, value: x}]}",
                "spec.task.params[0].name is 'db', which is no parameter of Function mysql-dump; it has: database"
            ),
            (", task: {name: My}", "spec.task.name 'My' is not a name"),
        ]
    )
    func nowhere(task: String, expected: String) throws {
        let (_, problems) = try load(Self.functions, Self.binding, Self.configuration(task))
        #expect(problems.count == 1)
        #expect(problems.first?.contains(expected) == true, "\(problems)")
    }

    @Test("what is built in stays as it is, and takes no task of another kind of database")
    func builtIn() throws {
        let mongodb = Self.binding.replacingOccurrences(of: "mysql", with: "mongodb")
        let (objects, none) = try load(Self.functions, mongodb, Self.configuration(""))
        #expect(none.isEmpty)
        #expect(try plan(objects).backup?.command == nil)
        let (_, problems) = try load(Self.functions, mongodb, Self.configuration(", task: {name: mysql-backup}"))
        #expect(problems.first?.contains("spec.task.name is 'mysql-backup'; allowed: mongodb-backup") == true)
    }

    @Test("a function or a value that is missing is told at the configuration")
    func missing() throws {
        let task = """
            apiVersion: remora.dev/v1alpha1
            kind: Task
            metadata: {name: other}
            spec: {steps: [{name: gone}]}
            ---
            apiVersion: remora.dev/v1alpha1
            kind: Task
            metadata: {name: bare}
            spec: {steps: [{name: mysql-dump}]}

            """
        let named = { (name: String) in Self.configuration(", task: {name: \(name)}") }
        let (_, gone) = try load(Self.functions, task, Self.binding, named("other"))
        #expect(gone.first?.contains("names Task other, whose Function gone does not exist or is wrong") == true)
        let (_, bare) = try load(Self.functions, task, Self.binding, named("bare"))
        #expect(
            bare.first?.contains("spec.task.params must give a value to database: Function mysql-dump uses it") == true,
            "\(bare)"
        )
    }
}
