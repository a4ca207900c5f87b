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
              spec: {members: []}
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
            "BackupBatch demo/all: is left out: write one BackupConfiguration for each of its members",
            "BackupSession demo/nightly-1: is left out: it is a run that was",
            "RestoreSession demo/old: is left out: it is a restore that was",
            "RestoreSession demo/new: spec.target.rules[0].snapshots 0b96fcc8 is not carried over",
            "Secret demo/s: is left as it is",
            "3 of 4 objects could not be converted",
        ] { #expect(screen.error.contains(part), "\(part) is not in \(screen.error)") }
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
