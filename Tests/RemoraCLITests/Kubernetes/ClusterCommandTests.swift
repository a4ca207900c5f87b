import ArgumentParser
import BackupModel
import Foundation
import Glibc
import Injector
import Kubernetes
import Synchronization
import TestSupport
import Testing

@testable import RemoraCLI

@Suite("Commands in a scripted cluster", .timeLimit(.minutes(3)))
struct ClusterCommandTests {
    private func withCluster(
        names: String = "DNS:remora-agents.remora-system.svc",
        _ body: (ScriptedCluster, TestDirectory) async throws -> Void
    ) async throws {
        try await withTestDirectory("cluster") { directory in
            let cluster = try await ScriptedCluster.start(in: directory, names: names)
            defer { cluster.stop() }
            try await body(cluster, directory)
        }
    }

    private func run(
        _ arguments: [String],
        in cluster: ScriptedCluster,
        answering answer: Bool? = nil
    ) async -> (screen: Screen, ended: Ending) {
        let screen = Screen()
        var surroundings = Surroundings(console: screen.console(), clock: .fixed, environment: cluster.environment)
        surroundings.isPlugin = true
        if let answer { surroundings.ask = { _ in answer } }
        let ended = await Surroundings.$current.withValue(surroundings) { await RemoraProgram.run(arguments) }
        return (screen, ended)
    }

    // MARK: The way to the coordinator

    @Test(
        "as a plugin the coordinator is reached by a port-forward to the leader, with a viewer's token, and the forward ends with the command"
    )
    func status() async throws {
        try await withCluster { cluster, _ in
            let (screen, ended) = await run(["status", "-o", "json"], in: cluster)
            #expect(ended == .succeeded, "\(screen.error)")
            #expect(screen.output.contains("\"mongo-0\""))
            #expect(cluster.coordinatorRequests.first?.field("authorization") == "Bearer token-of-remora-viewer")
            let forwards = try cluster.forwards()
            #expect(
                forwards.map(\.arguments)
                    == ["port-forward --address 127.0.0.1 -n remora-system pod/remora-coordinator-1 :8443"]
            )
            let token = try #require(try cluster.bodies("POST").first)
            #expect(token[path: "spec", "audiences"] == ["remora.dev"])
            #expect(token[path: "spec", "expirationSeconds"] == 600)
            let pid = try #require(forwards.first?.pid)
            try await eventually("the port-forward ends") { kill(pid, 0) != 0 }
        }
    }

    @Test("what changes something is done with an operator's token")
    func operatorToken() async throws {
        try await withCluster { cluster, _ in
            let (screen, ended) = await run(["backup", "nightly"], in: cluster)
            // The scripted coordinator knows no backups.
            #expect(ended == .unreachable, "\(screen.error)")
            let tokens = cluster.coordinatorRequests.map { $0.field("authorization") }
            #expect(tokens == ["Bearer token-of-remora-viewer", "Bearer token-of-remora-operator"])
        }
    }

    @Test("a certificate of another name is not the coordinator's")
    func otherName() async throws {
        try await withCluster(names: "DNS:remora-agents.elsewhere.svc,IP:127.0.0.1") { cluster, _ in
            let (screen, ended) = await run(["status"], in: cluster)
            #expect(ended == .unreachable)
            #expect(screen.error.contains("no trusted connection"))
            #expect(screen.error.contains("kubectl remora doctor"))
            #expect(cluster.coordinatorRequests.isEmpty)
        }
    }

    @Test(
        "each thing that is missing has its own sentence",
        arguments: [
            (
                "GET /api/v1/namespaces/remora-system/configmaps/remora-ca", "ConfigMap 'remora-ca'",
                "is Remora installed there?"
            ),
            (
                "GET /api/v1/namespaces/remora-system/services/remora-agents", "Service 'remora-agents'",
                "--system-namespace"
            ),
            (
                "POST /api/v1/namespaces/remora-system/serviceaccounts/remora-viewer/token",
                "no service account remora-system/remora-viewer", "--system-namespace"
            ),
        ]
    )
    func missing(_ call: String, _ message: String, _ hint: String) async throws {
        try await withCluster { cluster, _ in
            let parts = call.split(separator: " ").map(String.init)
            cluster.put(parts[1], nil, method: parts[0])
            let (screen, ended) = await run(["status"], in: cluster)
            #expect(ended == .kubernetes)
            #expect(screen.error.contains(message))
            #expect(screen.error.contains(hint))
        }
    }

    @Test("no leader, no right to make tokens and no kubectl are told from each other")
    func obstacles() async throws {
        try await withCluster { cluster, directory in
            let path = "/api/v1/namespaces/remora-system/serviceaccounts/remora-viewer/token"
            cluster.refuse(path, 403, "Forbidden", "serviceaccounts \"remora-viewer\" is forbidden", method: "POST")
            let forbidden = await run(["status"], in: cluster)
            #expect(forbidden.ended == .kubernetes)
            #expect(
                forbidden.screen.error.contains(
                    "you may not make a token of service account remora-system/remora-viewer"
                )
            )
            #expect(forbidden.screen.error.contains("--role=remora-viewer-access"))

            cluster.put(
                "/api/v1/namespaces/remora-system/pods",
                ["metadata": ["resourceVersion": "1"], "items": []]
            )
            let leaderless = await run(["status"], in: cluster)
            #expect(leaderless.ended == .unreachable)
            #expect(leaderless.screen.error.contains("no coordinator leads in namespace remora-system"))

            let screen = Screen()
            var environment = cluster.environment
            environment["PATH"] = directory.path
            #expect(await screen.run(["status", "--via-kubernetes"], environment: environment) == .kubernetes)
            #expect(screen.error.contains("there is no kubectl on PATH"))
        }
    }

    @Test("a port-forward that gives up tells why, in kubectl's words")
    func brokenForward() async throws {
        try await withCluster { cluster, _ in
            try cluster.replaceKubectl("#!/bin/sh\necho 'error: pods is forbidden' >&2\nexit 1\n")
            let (screen, ended) = await run(["status"], in: cluster)
            #expect(ended == .kubernetes)
            #expect(screen.error.contains("gave up: error: pods is forbidden"))
            #expect(screen.error.contains("pods/portforward"))
        }
    }

    @Test("a way is used again while it is open, and found anew when it broke or led to one who doesn't lead any more")
    func newLeader() async throws {
        try await withCluster { cluster, _ in
            let surroundings = Surroundings(
                console: Screen().console(),
                clock: .fixed,
                environment: cluster.environment
            )
            let route = KubernetesRoute(try Cluster.open(try ClusterOptions.parse([]), surroundings), surroundings)
            let first = try await route.way(for: .reading).url
            #expect(try await route.way(for: .changing).url == first)
            #expect(try cluster.forwards().count == 1)
            kill(try #require(try cluster.forwards().first?.pid), SIGTERM)
            try await eventually("the way is found again") { try await route.way(for: .reading).url != first }
            #expect(try cluster.forwards().count == 2)
            await route.leaderIsElsewhere()
            _ = try await route.way(for: .reading)
            #expect(try cluster.forwards().count == 3)
            await surroundings.atEnd.run()
            for forward in try cluster.forwards() {
                try await eventually("it ends") { kill(forward.pid, 0) != 0 }
            }
        }
    }

    @Test("however the program ends, its port-forward ends too", arguments: [SIGINT, SIGTERM, SIGKILL])
    func ended(_ signal: Int32) async throws {
        try await withCluster { cluster, directory in
            let pidFile = directory.appending("pid")
            // It never gets through: the program waits for it.
            try cluster.replaceKubectl(
                "#!/bin/sh\necho $$ >\(pidFile).new; mv \(pidFile).new \(pidFile); exec sleep 1000\n"
            )
            let program = Server(
                "remora",
                program: try Program.path(),
                arguments: ["status", "--via-kubernetes"],
                environment: cluster.environment.mapValues { Optional($0) },
                logPath: directory.appending("log")
            )
            try await program.launch()
            let pid = try await eventually("the port-forward runs") {
                FileManager.default.contents(atPath: pidFile).flatMap {
                    pid_t(String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
                }
            }
            program.process?.send(signal: signal)
            _ = await program.process?.wait(atMost: .seconds(30))
            try await eventually("the port-forward ends") { kill(pid, 0) != 0 }
        }
    }

    // MARK: Doctor

    @Test("the doctor finds nothing in a cluster in which nothing is wrong, and keeps nothing it made")
    func healthy() async throws {
        try await withCluster { cluster, _ in
            let (screen, ended) = await run(["doctor"], in: cluster)
            #expect(ended == .succeeded, "\(screen.output)\(screen.error)")
            #expect(screen.output.hasSuffix("\nAll is well\n"))
            let made = cluster.calls.filter { $0.hasPrefix("POST") && $0.contains("/pods") }
            #expect(made == ["POST /api/v1/namespaces/shop/pods?dryRun=All"])
            #expect(!cluster.calls.contains { $0.hasPrefix("PATCH") || $0.hasPrefix("PUT") || $0.hasPrefix("DELETE") })
            #expect(!(screen.output + screen.error).contains("planted"))
        }
    }

    @Test("the doctor goes on where it may not look, fails where something is broken, and says so in JSON")
    func broken() async throws {
        try await withCluster { cluster, _ in
            cluster.refuse("/api/v1/namespaces/shop/secrets/mongo-backup", 403, "Forbidden", "secrets is forbidden")
            cluster.put("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/zz-remora-injector", nil)
            let (screen, ended) = await run(["doctor", "-o", "json"], in: cluster)
            #expect(ended == .failed)
            let findings = try WireJSON.decode([Finding].self, from: Array(screen.output.utf8))
            let bad = findings.filter { $0.level != .ok }
            #expect(bad.map(\.check) == ["webhook", "credentials"])
            #expect(bad.map(\.level) == [.fail, .warn])
            #expect(screen.error.contains("1 thing is broken"))
        }
    }

    // MARK: Enroll

    @Test("enroll tries the patch, shows it, asks, and sends it guarded by what was read")
    func enroll() async throws {
        try await withCluster { cluster, _ in
            let arguments = [
                "enroll", "statefulset/mongo", "--credentials-secret", "backup", "--set", "memory-limit=1Gi",
            ]
            let (screen, ended) = await run(arguments, in: cluster, answering: true)
            #expect(ended == .succeeded, "\(screen.error)")
            #expect(screen.output.contains("  + remora.dev/credentials-secret: backup\n"))
            #expect(screen.output.contains("this restarts 3 pods, one after the other, the highest number first\n"))
            let path = "/apis/apps/v1/namespaces/shop/statefulsets/mongo"
            #expect(
                cluster.calls.filter { $0.hasPrefix("PATCH") }
                    == ["PATCH \(path)?dryRun=All", "PATCH \(path)?fieldManager=remora-cli"]
            )
            let patch = try #require(try cluster.bodies("PATCH").last)
            #expect(patch[path: "metadata", "resourceVersion"] == "17")
            let annotations: JSONTree = [
                "remora.dev/inject": "true", "remora.dev/credentials-secret": "backup",
                "remora.dev/memory-limit": "1Gi",
            ]
            #expect(patch[path: "spec", "template", "metadata", "annotations"] == annotations)
        }
    }

    @Test("without a person to ask, or with one who says no, nothing is changed; --print only prints")
    func notChanged() async throws {
        try await withCluster { cluster, _ in
            let asked = await run(["enroll", "mongo"], in: cluster)
            #expect(asked.ended == .usage && asked.screen.error.contains("--yes"))
            let refused = await run(["enroll", "mongo"], in: cluster, answering: false)
            #expect(refused.ended == .cancelled)
            let printed = await run(["enroll", "mongo", "--print"], in: cluster)
            #expect(printed.ended == .succeeded)
            #expect(printed.screen.output.contains("        remora.dev/inject: \"true\"\n"))
            #expect(cluster.calls.filter { $0.hasPrefix("PATCH") }.allSatisfy { $0.contains("dryRun=All") })
        }
    }

    @Test("annotations that make no sense are refused in the injector's words, unknown ones by the table")
    func refused() async throws {
        try await withCluster { cluster, _ in
            let wrong = await run(["enroll", "mongo", "--tls-mode", "verify-full", "--yes"], in: cluster)
            #expect(wrong.ended == .refused)
            #expect(
                wrong.screen.error.contains("remora.dev/tls-mode is 'verify-full', which needs remora.dev/tls-secret")
            )
            let unknown = await run(["enroll", "mongo", "--set", "memory=1Gi", "--yes"], in: cluster)
            #expect(unknown.ended == .usage && unknown.screen.error.contains("there is no annotation 'memory'"))
            let missing = await run(["enroll", "deployment/other", "--yes"], in: cluster)
            #expect(missing.ended == .notFound)
            #expect(!cluster.calls.contains { $0.hasPrefix("PATCH") })
        }
    }

    @Test("unenroll takes our annotations out, and does nothing where there are none")
    func unenroll() async throws {
        try await withCluster { cluster, _ in
            let nothing = await run(["unenroll", "mongo", "--yes"], in: cluster)
            #expect(nothing.ended == .succeeded && nothing.screen.output.contains("nothing changes"))
            let enrolled = ClusterSamples.statefulSet(annotations: [Annotation.inject.name: "true", "note": "x"])
            cluster.put("/apis/apps/v1/namespaces/shop/statefulsets/mongo", enrolled.object)
            let done = await run(["unenroll", "mongo", "--yes", "-o", "json"], in: cluster)
            #expect(done.ended == .succeeded, "\(done.screen.error)")
            let answer = try WireJSON.decode(TemplateChangeOptions.Answer.self, from: Array(done.screen.output.utf8))
            #expect(answer.isApplied && answer.changes.map(\.annotation) == ["remora.dev/inject"])
            let patch = try #require(try cluster.bodies("PATCH").last)
            #expect(patch[path: "spec", "template", "metadata", "annotations"] == ["remora.dev/inject": .null])
        }
    }

    // MARK: Agents

    @Test("an agent gets its new image, and the command waits until the coordinator hears from it again")
    func upgrade() async throws {
        try await withCluster { cluster, _ in
            cluster.put("/api/v1/namespaces/shop/pods/mongo-0", ClusterSamples.pod(), method: "PATCH")
            cluster.onPatch { cluster, path in
                guard path.hasSuffix("/pods/mongo-0") else { return }
                let status: JSONTree = [
                    "name": "remora-agent", "ready": true, "restartCount": 1,
                    "state": ["running": ["startedAt": "2026-08-22T10:00:00Z"]],
                ]
                let pod = ClusterSamples.pod().with("status", "initContainerStatuses", value: [status])
                cluster.put("/api/v1/namespaces/shop/pods/mongo-0", pod)
                cluster.say {
                    $0.targets[0].agents[0].version = "0.2.0"
                    $0.targets[0].agents[0].lastSeen = Samples.moment("10:00:05")
                }
            }
            let arguments = ["agents", "upgrade", "--image", "new:1", "--yes", "-o", "json"]
            let (screen, ended) = await run(arguments, in: cluster)
            #expect(ended == .succeeded, "\(screen.error)")
            let answer = try WireJSON.decode(AgentsUpgradeCommand.Answer.self, from: Array(screen.output.utf8))
            #expect(
                answer.upgraded == [
                    AgentUpgrade.Outcome(pod: "shop/mongo-0", from: ClusterSamples.image, to: "new:1", version: "0.2.0")
                ]
            )
            let patch = try #require(try cluster.bodies("PATCH").last)
            #expect(
                patch == [
                    ["op": "test", "path": "/spec/initContainers/1/name", "value": "remora-agent"],
                    ["op": "replace", "path": "/spec/initContainers/1/image", "value": "new:1"],
                ]
            )
        }
    }

    @Test("what new pods get is found by a dry run, and --plan changes nothing")
    func upgradePlan() async throws {
        try await withCluster { cluster, _ in
            let (screen, ended) = await run(["agents", "upgrade", "--plan"], in: cluster)
            #expect(ended == .succeeded, "\(screen.error)")
            #expect(screen.output == "nothing to do: 1 agent run \(ClusterSamples.image)\n")
            let list = await run(["agents"], in: cluster)
            #expect(list.ended == .succeeded && list.screen.output.contains("mongo-0"))
            #expect(!cluster.calls.contains { $0.hasPrefix("PATCH") })
        }
    }

    // MARK: Report

    @Test("a report holds what explains a failure, and no planted secret")
    func report() async throws {
        try await withCluster { cluster, directory in
            let file = directory.appending("report.tar")
            let logs = "/api/v1/namespaces/shop/pods/mongo-0/log"
            cluster.put(logs, .string("opened with planted-password and planted-key"))
            cluster.put(
                "/apis/events.k8s.io/v1/namespaces/shop/events",
                ["metadata": ["resourceVersion": "1"], "items": [["note": "used planted-password", "reason": "X"]]]
            )
            let (screen, ended) = await run(["report", "--file", file, "-o", "json"], in: cluster)
            #expect(ended == .succeeded, "\(screen.error)")
            let answer = try WireJSON.decode(ReportCommand.Answer.self, from: Array(screen.output.utf8))
            for name in ["versions.json", "doctor.txt", "status.json", "pods.json", "secrets.json", "events/shop.json"]
            {
                #expect(answer.contents.contains(name))
            }
            #expect(answer.contents.contains("logs/shop/mongo-0.log"))
            #expect(answer.gaps.contains { $0.hasPrefix("objects/tasks.json") })
            let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
            let text = String(decoding: bytes, as: UTF8.self)
            for planted in [
                "planted", "hunter22", "my-own-token", "token-of-", Data("planted-key".utf8).base64EncodedString(),
            ] {
                #expect(!text.contains(planted))
            }
            #expect(text.contains("opened with (redacted) and (redacted)"))
            #expect(text.contains("RESTIC_PASSWORD"))
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            let again = await run(["report", "--file", file], in: cluster)
            #expect(again.ended == .usage && again.screen.error.contains("it exists"))
        }
    }
}
