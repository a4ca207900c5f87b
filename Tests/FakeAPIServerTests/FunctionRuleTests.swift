import FakeAPIServer
import Foundation
import Kubernetes
import TestSupport
import Testing

@Suite("our definitions: samples, and what Function, Task and AppBinding refuse when they are applied")
struct FunctionRuleTests {
    private static let manifests = "\(Tools.packageRoot)/manifests"

    private func withDefinitions(_ body: (FakeAPIServer) async throws -> Void) async throws {
        try await FakeAPIServer.withShop { server in
            try await server.apply(directory: "\(Self.manifests)/crds")
            try await body(server)
        }
    }

    @Test("a sample is taken as a whole", arguments: ["standalone", "replica-set", "sharded-cluster", "mysql"])
    func samples(name: String) async throws {
        try await withDefinitions { server in
            let file = "\(Self.manifests)/samples/\(name).yaml"
            try await server.apply(yaml: try String(contentsOfFile: file, encoding: .utf8))
            #expect(server.objects("backupconfigurations", group: "remora.dev").count == 1)
        }
    }

    @Test("a function that can't be is refused with the sentence of its rule")
    func functions() async throws {
        let good: JSONTree = [
            "stream": "Backup", "command": ["mariadb-dump"], "args": ["--host=${HOST}"], "file": "dump.sql",
            "env": [["name": "MYSQL_PWD", "value": "${PASSWORD}"]], "check": "-- Dump completed", "timeOut": "90m",
        ]
        let cases: [(String, (inout JSONTree) -> Void, String)] = [
            ("mysql-dump", { _ in }, ""),
            ("mongodb-backup-6.0", { $0 = ["image": "m", "args": ["-p${PASSWORD}"]] }, ""),
            ("mysql-dump", { $0["stream"] = nil }, "is not built in"), ("mongodb-backup", { _ in }, "is built in"),
            ("mysql-dump", { $0["command"] = nil }, "with stream it needs command"),
            ("mysql-dump", { $0["command"] = [] }, "with stream it needs command"),
            ("mysql-dump", { $0["command"] = ["/bin/sh"] }, "command[0] must be the bare name of a program"),
            ("mysql-dump", { $0["args"] = ["a", "-p${PASSWORD}"] }, "could be seen by every process of the host"),
            ("mysql-dump", { $0["command"] = ["a", "${PASSWORD}"] }, "could be seen by every process of the host"),
            ("mysql-dump", { $0["stream"] = "Restore" }, "check is for a stream that is a Backup"),
            ("mysql-dump", { $0["image"] = "mysql" }, "agents bring what they run with them"),
            ("mysql-dump", { $0["file"] = "a/b" }, "should match"), ("mysql-dump", { $0["stream"] = "Both" }, "Backup"),
        ]
        try await withDefinitions { server in
            for (number, (name, change, words)) in cases.enumerated() {
                var spec = good
                change(&spec)
                let object: JSONTree = [
                    "apiVersion": "remora.dev/v1alpha1", "kind": "Function", "metadata": ["name": .string(name)],
                    "spec": spec,
                ]
                let answer = await server.send("POST", "/apis/remora.dev/v1alpha1/functions?dryRun=All", object)
                #expect(answer.status == (words.isEmpty ? 201 : 422), "case \(number): \(answer.body)")
                #expect(words.isEmpty || "\(answer.body)".contains(words), "case \(number): \(answer.body)")
            }
        }
    }

    @Test("names that are built in and those of one's own don't mix in a task")
    func tasks() async throws {
        let cases: [(name: String, steps: [String], status: Int)] = [
            ("mongodb-backup-4.2", ["mongodb-backup-4.2", "update-status"], 201), ("mysql-backup", ["mysql-dump"], 201),
            ("mysql-backup", ["mysql-dump", "update-status"], 201), ("mysql-backup", ["mongodb-backup"], 422),
            ("mongodb-backup", ["mysql-dump"], 422), ("mysql-backup", ["a", "b"], 422),
            ("mysql-backup", ["update-status"], 422), ("mysql-backup", ["Dump"], 422),
        ]
        try await withDefinitions { server in
            for (name, steps, status) in cases {
                let object: JSONTree = [
                    "apiVersion": "remora.dev/v1alpha1", "kind": "Task", "metadata": ["name": .string(name)],
                    "spec": ["steps": .array(steps.map { ["name": .string($0)] })],
                ]
                let answer = await server.send("POST", "/apis/remora.dev/v1alpha1/tasks?dryRun=All", object)
                #expect(answer.status == status, "\(name) \(steps): \(answer.body)")
            }
            for (type, status) in [("mysql", 201), ("kubedb.com/mongodb", 201), ("MySQL", 422), ("a.b", 422)] {
                let object: JSONTree = [
                    "apiVersion": "remora.dev/v1alpha1", "kind": "AppBinding", "metadata": ["name": "a"],
                    "spec": ["type": .string(type)],
                ]
                let path = "/apis/remora.dev/v1alpha1/namespaces/shop/appbindings?dryRun=All"
                #expect(await server.send("POST", path, object).status == status, "\(type)")
            }
        }
    }
}
