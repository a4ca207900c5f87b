import BackupModel
import Foundation
import TestSupport
import Testing

@testable import Coordinator

@Suite struct ObjectParserTests {
    static let repository = """
        apiVersion: remora.dev/v1alpha1
        kind: Repository
        metadata: {name: main, namespace: shop}
        spec:
          backend:
            local: {mountPath: /backups}
            storageSecretName: main

        """
    static let binding = """
        apiVersion: remora.dev/v1alpha1
        kind: AppBinding
        metadata: {name: orders, namespace: shop}
        spec: {type: mongodb, version: "6.0"}

        """

    static func configuration(_ lines: String) -> String {
        """
        apiVersion: remora.dev/v1alpha1
        kind: BackupConfiguration
        metadata: {name: hourly, namespace: shop}
        spec:
          repository: {name: main}
          target: {ref: {kind: AppBinding, name: orders}}
        \(lines)

        """
    }

    static func all(_ lines: String) -> String {
        [repository, binding, configuration(lines)].joined(separator: "---\n")
    }

    private func problems(_ text: String) throws -> [String] {
        let directory = try TestDirectory("objects")
        defer { directory.remove() }
        try directory.write(text, to: "all.yaml")
        return ObjectDirectory(path: directory.path).load().problems.map {
            String($0.description.dropFirst(directory.path.count + 1))
        }
    }

    @Test("good objects are read, Stash's unused fields and all")
    func good() throws {
        let directory = try TestDirectory("objects")
        defer { directory.remove() }
        let lines = """
              schedule: "0 */6 * * *"
              timeZone: Europe/Berlin
              task: {name: mongodb-backup, params: [{name: consistency, value: oplog}]}
              timeOut: 2h
              retryConfig: {maxRetry: 3, delay: 10s}
              paused: false
              backupHistoryLimit: 5
              retentionPolicy: {name: last, keepLast: 5, prune: true}
              interimVolumeTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
              runtimeSettings: {container: {nice: {adjustment: 5}}}
            """
        try directory.write(Self.all(lines), to: "all.yaml")
        let loaded = ObjectDirectory(path: directory.path).load()
        #expect(loaded.problems.isEmpty)
        let object = try #require(loaded.objects.configurations[ResourceKey(namespace: "shop", name: "hourly")])
        #expect(object.spec.timeOut == GoDuration(seconds: 7200))
        #expect(object.spec.notices.count == 2)
    }

    @Test(
        "what is wrong with a configuration is told in one sentence with line and field",
        arguments: [
            ("  shedule: x", "all.yaml:20: spec.shedule is not a known field; allowed: backupHistoryLimit, "),
            ("  schedule: \"61 * * * *\"", "all.yaml:20: spec.schedule '61' is not a minute"),
            ("  timeZone: Mars/Base", "all.yaml:20: spec.timeZone 'Mars/Base' is not a time zone"),
            ("  timeOut: 2 hours", "all.yaml:20: spec.timeOut '2 hours' is not a duration"),
            ("  paused: maybe", "all.yaml:20: spec.paused must be true or false, not 'maybe'"),
            ("  backupHistoryLimit: \"5\"", "all.yaml:20: spec.backupHistoryLimit must be a whole number, not a text"),
            ("  backupHistoryLimit: 0", "all.yaml:20: spec.backupHistoryLimit is 0; allowed: 1 to 1000"),
            ("  timeZone: 5", "all.yaml:20: spec.timeZone must be a text (write it in quotes), not '5'"),
            ("  concurrencyPolicy: Forbid", "all.yaml:20: spec.concurrencyPolicy is 'Forbid'; allowed: Skip"),
            ("  retryConfig: [1]", "all.yaml:20: spec.retryConfig must be a map, not a list"),
            ("  task: {params: []}", "all.yaml:20: spec.task.name is missing; given here: params"),
            ("  task: {nam: x}", "all.yaml:20: spec.task.name is missing; given here: nam"),
            (
                "  task:\n    name: mongodb-backup\n    params:\n    - {name: consistency, value: maybe}",
                "all.yaml:23: spec.task.params[0].value is 'maybe'; consistency allows lock, snapshot, oplog, none"
            ),
            ("  retentionPolicy: {keepLast: 0}", "all.yaml:20: spec.retentionPolicy.keepLast or another keep…"),
            ("  hooks: {preBackup: {}}", "all.yaml:20: spec.hooks is not a known field"),
        ]
    )
    func configurationProblems(lines: String, expected: String) throws {
        let found = try problems(Self.all(lines))
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix(expected) == true, "\(found)")
    }

    @Test("unknown kinds, broken YAML, doubles and loose ends are told with their place")
    func otherProblems() throws {
        let kind = Self.repository.replacingOccurrences(of: "kind: Repository", with: "kind: Repo")
        #expect(
            try problems(kind) == [
                "all.yaml:2: kind is 'Repo'; allowed: Repository, AppBinding, BackupConfiguration, BackupSession, RestoreSession, "
                    + "BackupBatch, BackupBlueprint, Task, Function"
            ]
        )
        let version = Self.repository.replacingOccurrences(of: "remora.dev", with: "stash.appscode.com")
        #expect(
            try problems(version)
                == ["all.yaml:1: apiVersion must be remora.dev/v1alpha1, not 'stash.appscode.com/v1alpha1'"]
        )
        #expect(try problems("a: [").first?.contains("this is not YAML") == true)
        #expect(try problems(Self.repository + "---\n\tx: y").first?.hasPrefix("all.yaml:9: this is not YAML") == true)
        #expect(try problems("kind: a\nkind: b").first?.contains("the same field is given twice: kind") == true)
        #expect(
            try problems("just a text") == [
                "all.yaml:1: a document must be a map with apiVersion, kind, metadata and spec"
            ]
        )
        let twice = try problems(Self.repository + "---\n" + Self.repository)
        #expect(twice.count == 1)
        #expect(
            twice.first?.hasPrefix("all.yaml:11: metadata.name Repository shop/main is given twice; the first is in")
                == true
        )
        #expect(
            try problems(Self.configuration("")) == [
                "all.yaml:6: spec.target.ref.name names AppBinding shop/orders, which does not exist; there is none",
                "all.yaml:5: spec.repository.name names Repository shop/main, which does not exist; there is none",
            ]
        )
    }

    @Test("a repository of another namespace needs its leave")
    func namespaces() throws {
        let elsewhere = Self.repository.replacingOccurrences(of: "namespace: shop", with: "namespace: backup")
        let text = [elsewhere, Self.binding, Self.configuration("")].joined(separator: "---\n")
            .replacingOccurrences(of: "repository: {name: main}", with: "repository: {name: main, namespace: backup}")
        #expect(try problems(text).first?.contains("may be used from its own namespace only") == true)
        let allowed = text.replacingOccurrences(
            of: "  backend:\n",
            with: "  usagePolicy: {allowedNamespaces: {from: All}}\n  backend:\n"
        )
        #expect(try problems(allowed).isEmpty)
    }

    @Test("a directory that isn't there is a problem, an empty one isn't")
    func directories() throws {
        #expect(
            ObjectDirectory(path: "/nowhere/at/all").load().problems.first?.message.contains("can't be listed") == true
        )
        #expect(try problems("").isEmpty)
        #expect(try problems("---\n# nothing\n").isEmpty)
    }
}
