import Foundation
import TestSupport
import Testing

@testable import RemoraCLI

@Suite("Stash's YAML becomes ours")
struct ConvertTests {
    private func convert(_ text: String) async throws -> (screen: Screen, ended: Ending) {
        try await withTestDirectory("convert") { directory in
            let file = try directory.write(text, to: "stash.yaml")
            let screen = Screen()
            return (screen, await screen.run(["convert", file]))
        }
    }

    @Test("a repository and a configuration keep what means the same, and every other field is told with its line")
    func configuration() async throws {
        let (screen, ended) = try await convert(
            """
            apiVersion: stash.appscode.com/v1alpha1
            kind: Repository
            metadata:
              name: main
              namespace: demo
              uid: 42
              annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
            spec:
              backend:
                s3: {endpoint: s3.amazonaws.com, bucket: b, region: us-west-2, prefix: /demo}
                storageSecretName: s3-secret
              wipeOut: true
            ---
            apiVersion: stash.appscode.com/v1beta1
            kind: BackupConfiguration
            metadata: {name: nightly, namespace: demo}
            spec:
              schedule: "0 3 * * *"
              task:
                name: mongodb-backup-4.2.3
                params:
                - {name: args, value: "--gzip"}
                - {name: parallelism, value: "4"}
              repository: {name: main}
              target:
                alias: host-0
                ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: shop}
              hooks: {preBackup: {exec: {command: [ls]}}}
              retentionPolicy: {name: five, keepLast: 5, keepTags: [a]}
              surprise: 1
            """
        )
        #expect(ended == .succeeded, "\(screen.error)")
        #expect(
            screen.output == """
                apiVersion: remora.dev/v1alpha1
                kind: Repository
                metadata:
                  name: main
                  namespace: demo
                spec:
                  backend:
                    s3:
                      endpoint: s3.amazonaws.com
                      bucket: b
                      region: us-west-2
                      prefix: /demo
                    storageSecretName: s3-secret
                ---
                apiVersion: remora.dev/v1alpha1
                kind: BackupConfiguration
                metadata:
                  name: nightly
                  namespace: demo
                spec:
                  schedule: "0 3 * * *"
                  task:
                    name: mongodb-backup-4.2.3
                    params:
                    - name: parallelism
                      value: "4"
                  repository:
                    name: main
                  target:
                    ref:
                      kind: AppBinding
                      name: shop
                  retentionPolicy:
                    name: five
                    keepLast: 5

                """
        )
        for line in [
            "line 12: Repository demo/main: spec.wipeOut is not carried over",
            "line 22: BackupConfiguration demo/nightly: spec.task.params args is not carried over",
            "line 28: BackupConfiguration demo/nightly: spec.hooks is not carried over: hooks are not run yet",
            "line 29: BackupConfiguration demo/nightly: spec.retentionPolicy.keepTags is not carried over",
            "line 30: BackupConfiguration demo/nightly: spec.surprise is not carried over: it is not known",
        ] { #expect(screen.error.contains("stash.yaml: \(line)"), "\(line) is not in \(screen.error)") }
        #expect(screen.error.split(separator: "\n").count == 5, "\(screen.error)")
    }

    @Test("what can't become anything is counted and said, with what to do instead; the rest is written all the same")
    func losses() async throws {
        let (screen, ended) = try await convert(
            """
            apiVersion: v1
            kind: List
            items:
            - apiVersion: stash.appscode.com/v1alpha1
              kind: Repository
              metadata: {name: bucket, namespace: demo}
              spec: {backend: {gcs: {bucket: b}, storageSecretName: s}}
            - apiVersion: stash.appscode.com/v1beta1
              kind: BackupConfiguration
              metadata: {name: files, namespace: demo}
              spec:
                repository: {name: main}
                target: {ref: {apiVersion: apps/v1, kind: Deployment, name: web}, paths: [/data]}
            - apiVersion: stash.appscode.com/v1beta1
              kind: BackupBatch
              metadata: {name: all, namespace: demo}
              spec: {members: [], repository: {name: main}}
            - apiVersion: stash.appscode.com/v1beta1
              kind: BackupSession
              metadata: {name: nightly-1, namespace: demo}
              spec: {invoker: {kind: BackupConfiguration, name: nightly}}
            - apiVersion: stash.appscode.com/v1beta1
              kind: RestoreSession
              metadata: {name: old, namespace: demo}
              spec: {target: {ref: {kind: AppBinding, name: shop}}}
              status: {phase: Succeeded}
            - apiVersion: stash.appscode.com/v1beta1
              kind: RestoreSession
              metadata: {name: new, namespace: demo}
              spec:
                target: {ref: {kind: AppBinding, name: shop}, rules: [{snapshots: [0b96fcc8]}]}
            - apiVersion: v1
              kind: Secret
              metadata: {name: s, namespace: demo}
            """
        )
        #expect(ended == .refused, "\(ended)")
        #expect(screen.output.hasPrefix("apiVersion: remora.dev/v1alpha1\nkind: RestoreSession\n"), "\(screen.output)")
        #expect(!screen.output.contains("---") && !screen.output.contains("0b96fcc8"), "\(screen.output)")
        for part in [
            "Repository demo/bucket: spec.backend.gcs is not carried over: this kind of storage is not supported yet",
            "BackupConfiguration demo/files: is left out: its target is a Deployment",
            "BackupBatch demo/all: is left out: spec.members is empty; at least one is needed",
            "BackupSession demo/nightly-1: is left out: it is a run that was",
            "RestoreSession demo/old: is left out: it is a restore that was",
            "RestoreSession demo/new: spec.target.rules[0].snapshots 0b96fcc8 is not carried over",
            "Secret demo/s: is left as it is",
            "3 of 4 objects could not be converted",
        ] { #expect(screen.error.contains(part), "\(part) is not in \(screen.error)") }
    }

    @Test("a batch keeps its databases, and a restore of several targets becomes one restore for each")
    func batches() async throws {
        let (screen, ended) = try await convert(
            """
            apiVersion: stash.appscode.com/v1beta1
            kind: BackupBatch
            metadata: {name: all, namespace: demo}
            spec:
              schedule: "@daily"
              executionOrder: Sequential
              repository: {name: main}
              hooks: {preBackup: {exec: {command: [ls]}}}
              members:
              - target: {alias: shop, ref: {apiVersion: v1, kind: AppBinding, name: orders}}
                task: {name: mongodb-backup-4.2.3}
              - target: {alias: files, ref: {apiVersion: apps/v1, kind: Deployment, name: web}}
            ---
            apiVersion: stash.appscode.com/v1beta1
            kind: RestoreBatch
            metadata: {name: back, namespace: demo}
            spec:
              executionOrder: Sequential
              repository: {name: main}
              members:
              - target: {alias: shop, ref: {kind: AppBinding, name: orders}, rules: [{snapshots: [latest]}]}
              - target: {ref: {kind: AppBinding, name: users}}
                hooks: {preRestore: {}}
              - target: {ref: {kind: StatefulSet, name: web}}
            """
        )
        #expect(ended == .refused, "\(ended)")
        #expect(
            screen.output == """
                apiVersion: remora.dev/v1alpha1
                kind: BackupBatch
                metadata:
                  name: all
                  namespace: demo
                spec:
                  schedule: "@daily"
                  executionOrder: Sequential
                  repository:
                    name: main
                  members:
                  - target:
                      ref:
                        kind: AppBinding
                        name: orders
                    task:
                      name: mongodb-backup-4.2.3
                    alias: shop
                ---
                apiVersion: remora.dev/v1alpha1
                kind: RestoreSession
                metadata:
                  name: back-shop
                  namespace: demo
                spec:
                  repository:
                    name: main
                  target:
                    ref:
                      kind: AppBinding
                      name: orders
                ---
                apiVersion: remora.dev/v1alpha1
                kind: RestoreSession
                metadata:
                  name: back-users
                  namespace: demo
                spec:
                  repository:
                    name: main
                  target:
                    ref:
                      kind: AppBinding
                      name: users

                """
        )
        for line in [
            "line 8: BackupBatch demo/all: spec.hooks is not carried over: hooks are not run yet",
            "line 12: BackupBatch demo/all: spec.members[1] is left out: its target is a Deployment",
            "line 18: RestoreBatch demo/back: spec.executionOrder is not carried over: each member is a RestoreSession",
            "line 23: RestoreBatch demo/back: spec.members[1].hooks is not carried over",
            "line 24: RestoreBatch demo/back: spec.members[2] is left out: its target is a StatefulSet",
            "1 of 4 objects could not be converted",
        ] { #expect(screen.error.contains(line), "\(line) is not in \(screen.error)") }
    }

    @Test("a blueprint and the annotations that ask for it are carried over; tasks and functions aren't needed")
    func blueprints() async throws {
        let (screen, ended) = try await convert(
            """
            apiVersion: stash.appscode.com/v1beta1
            kind: BackupBlueprint
            metadata: {name: daily}
            spec:
              backupNamespace: backups
              repoNamespace: backups
              backend:
                s3: {bucket: b, prefix: "x/${TARGET_NAMESPACE}/${TARGET_NAME}"}
                storageSecretName: s
              usagePolicy: {allowedNamespaces: {from: Selector, selector: {matchLabels: {a: b}}}}
              schedule: "@daily"
              retentionPolicy: {name: five, keepLast: 5}
            ---
            apiVersion: appcatalog.appscode.com/v1alpha1
            kind: AppBinding
            metadata:
              name: orders
              namespace: demo
              annotations:
                stash.appscode.com/backup-blueprint: daily
                stash.appscode.com/schedule: "@hourly"
                params.stash.appscode.com/parallelism: "2"
                params.stash.appscode.com/args: "--gzip"
                own: x
            spec: {type: mongodb}
            ---
            apiVersion: stash.appscode.com/v1beta1
            kind: Task
            metadata: {name: mongodb-backup-4.2.3}
            spec: {steps: [{name: mongodb-backup-4.2.3}]}
            ---
            apiVersion: stash.appscode.com/v1beta1
            kind: Function
            metadata: {name: pg-backup}
            spec: {image: "pg:1"}
            """
        )
        #expect(ended == .succeeded, "\(screen.error)")
        #expect(
            screen.output == """
                apiVersion: remora.dev/v1alpha1
                kind: BackupBlueprint
                metadata:
                  name: daily
                spec:
                  repoNamespace: backups
                  backend:
                    s3:
                      bucket: b
                      prefix: "x/${TARGET_NAMESPACE}/${TARGET_NAME}"
                    storageSecretName: s
                  usagePolicy:
                    allowedNamespaces:
                      from: Selector
                      selector:
                        matchLabels:
                          a: b
                  schedule: "@daily"
                  retentionPolicy:
                    name: five
                    keepLast: 5
                ---
                apiVersion: remora.dev/v1alpha1
                kind: AppBinding
                metadata:
                  name: orders
                  namespace: demo
                  annotations:
                    remora.dev/blueprint: daily
                    remora.dev/schedule: "@hourly"
                    params.remora.dev/parallelism: "2"
                    own: x
                spec:
                  type: mongodb

                """
        )
        for line in [
            "line 5: BackupBlueprint daily: spec.backupNamespace is not carried over: a BackupConfiguration is made in its",
            "params.stash.appscode.com/args is not carried over: parameters are consistency,",
            "Task mongodb-backup-4.2.3: is left out: agents bring what they run with them",
            "Function pg-backup: is left out: agents of this version run only mongodb-backup and mongodb-restore",
        ] { #expect(screen.error.contains(line), "\(line) is not in \(screen.error)") }
    }

    @Test("the sample of moving from Stash is what the converter makes of it")
    func sample() async throws {
        let directory = "\(Tools.packageRoot)/manifests/samples/from-stash"
        let screen = Screen()
        #expect(await screen.run(["convert", "\(directory)/stash.yaml"]) == .succeeded, "\(screen.error)")
        #expect(screen.output == (try String(contentsOfFile: "\(directory)/remora.yaml", encoding: .utf8)))
    }

    @Test("what isn't YAML, or isn't there, is one sentence, and nothing is written")
    func badInput() async throws {
        let (screen, _) = try await convert("kind: Repository\nspec: [1,\nmore")
        #expect(screen.output.isEmpty)
        #expect(screen.error.contains("stash.yaml: line "), "\(screen.error)")
        #expect(screen.error.contains("is not YAML"), "\(screen.error)")
        let missing = Screen()
        let ended = await missing.run(["convert", "/nowhere/stash.yaml"])
        #expect(ended != .succeeded && missing.error.contains("/nowhere/stash.yaml can't be read"), "\(missing.error)")
        let twice = Screen()
        _ = await twice.run(["convert", "-", "-"])
        #expect(twice.error.contains("can be given only once"), "\(twice.error)")
    }
}
