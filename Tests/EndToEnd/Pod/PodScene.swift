import Foundation
import Injector
import Kubernetes
import TestSupport

/// The pod, the coordinator beside it, and their names for podman.
struct PodScene {
    let podman: Podman
    let deployment: Deployment
    let pod: PlayKube
    /// The database's address for its administrator.
    let uri: String
    let coordinator: String
    let agent = "shop-0-remora-agent"
    let database = "shop-0-mongod"

    static func begin(_ podman: Podman, _ storage: SeaweedFS, _ user: MongoUser) async throws -> PodScene {
        let directory = podman.directory
        let certificates = try await Certificates.make(in: directory)
        let deployment = try Deployment(
            in: directory,
            binaries: Binaries(folder: Podman.release),
            repository: s3Backend(storage),
            storageSecret: storage.environment,
            certificates: certificates
        )
        let port = try Ports.free()
        let pod = try inject(port: port, deployment, in: directory)
        let address = "127.0.0.1:\(port)"
        let scene = PodScene(
            podman: podman,
            deployment: deployment,
            pod: pod,
            uri: "mongodb://\(MongoUser.admin.name):\(MongoUser.admin.password)@\(address)/?authSource=admin",
            coordinator: "coordinator"
        )
        try await scene.startCoordinator(certificates)
        try scene.fillVolumes(certificates, user)
        try directory.write(pod.pod.description, to: "pod.yaml")
        try await podman.run("podman", "play", "kube", directory.appending("pod.yaml"))
        try await scene.makeUsers(at: address, user)
        try await scene.waitUntilHealthy()
        try await eventually("the agent is connected", within: .seconds(60), every: .milliseconds(200)) {
            try await deployment.connectedAgents().count == 1
        }
        return scene
    }

    /// A pod as its owner writes it, with what the webhook answers.
    private static func inject(port: UInt16, _ deployment: Deployment, in directory: TestDirectory) throws -> PlayKube {
        let written: JSONTree = [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": "shop-0", "namespace": "demo", "uid": "11111111-2222-3333-4444-555555555555",
                "annotations": [
                    "remora.dev/inject": "true", "remora.dev/cluster": "shop",
                    "remora.dev/credentials-secret": "backup-user", "remora.dev/data-mount": "ro",
                    "remora.dev/memory-limit": "200Mi",
                ],
            ],
            "spec": [
                "hostNetwork": true, "nodeName": "node-1", "restartPolicy": "Always",
                "containers": [
                    [
                        "name": "mongod", "image": "localhost/mongod:test",
                        "command": [
                            "mongod", "--auth", "--bind_ip", "127.0.0.1", "--port", .string("\(port)"), "--dbpath",
                            "/data/db", "--wiredTigerCacheSizeGB", "0.25", "--nounixsocket",
                        ],
                        "securityContext": ["runAsUser": 999, "runAsGroup": 999],
                        "volumeMounts": [["name": "data", "mountPath": "/data/db"]],
                    ]
                ],
                "volumes": [["name": "data", "emptyDir": [:]]],
            ],
        ]
        let settings = InjectorSettings(
            image: "localhost/remora-agent:\(try version())",
            coordinatorURL: deployment.url,
            version: try version()
        )
        let decision = AgentInjector(settings).decide(written, in: NamespaceFacts(name: "demo"))
        guard decision.outcome == .injected else {
            throw TestSupportError("nothing was injected: \(decision.outcome) \(decision.warnings)")
        }
        return try PlayKube(try decision.patch.applied(to: written), in: directory)
    }

    private static func version() throws -> String {
        let text = try String(
            contentsOfFile: "\(Tools.packageRoot)/Sources/BackupModel/RemoraVersion.swift",
            encoding: .utf8
        )
        guard let version = text.split(separator: "\"").dropFirst().first else {
            throw TestSupportError("RemoraVersion.swift names no version")
        }
        return String(version)
    }

    private func startCoordinator(_ certificates: Certificates) async throws {
        let directory = podman.directory
        // What belongs to the container's user; it is told the same places as a coordinator on this host.
        let places = ["objects", "secrets", "state", "enrolment.token", "certificates"].map { directory.appending($0) }
        try await Command("/bin/chown", ["-R", "65532:65532"] + places).run()
        try await podman.runAll(
            ["podman", "run", "--detach", "--name", coordinator, "--network", "host", "--read-only"]
                + ["--cap-drop", "all", "--security-opt", "no-new-privileges"]
                + places.flatMap { ["--volume", "\($0):\($0)"] } + [
                    "localhost/remora-coordinator:\(try Self.version())"
                ]
                + deployment.coordinator.arguments
        )
        try await eventually("the coordinator is ready", within: .seconds(60), every: .milliseconds(200)) {
            guard try await podman.inspect(coordinator, ".State.Running") == "true" else {
                throw FatalWaitError("its container ended")
            }
            let arguments = ["-fsS", "-m", "2", "-o", "/dev/null", "--cacert", certificates.caFile]
            return try await Command("/usr/bin/curl", arguments + ["\(deployment.url)/readyz"]).output().status
                .succeeded
        }
    }

    /// What the kubelet would do before it starts the containers.
    private func fillVolumes(_ certificates: Certificates, _ user: MongoUser) throws {
        let token = try String(contentsOfFile: podman.directory.appending("enrolment.token"), encoding: .utf8)
        try pod.write(token, to: "token", of: "remora-agent-identity")
        try pod.write(
            try String(contentsOfFile: certificates.caFile, encoding: .utf8),
            to: "ca.crt",
            of: "remora-agent-identity"
        )
        try pod.write(user.name, to: "username", of: "remora-agent-credentials")
        try pod.write(user.password, to: "password", of: "remora-agent-credentials")
        for name in ["remora-agent-state", "remora-agent-tmp", "data"] {
            guard let folder = pod.folders[name] else { throw TestSupportError("the pod has no volume \(name)") }
            // As the kubelet makes an emptyDir.
            chmod(folder, 0o777)
        }
    }

    private func makeUsers(at address: String, _ user: MongoUser) async throws {
        try await eventually("mongod answers", within: .seconds(60), every: .milliseconds(100)) {
            _ = try await MongoClient("mongodb://\(address)/?serverSelectionTimeoutMS=2000").command(#"{"hello": 1}"#)
            return true
        }
        try await MongoClient("mongodb://\(address)/").command(
            """
            {"createUser": \(quoted(MongoUser.admin.name)), "pwd": \(quoted(MongoUser.admin.password)), "roles": ["root"]}
            """
        )
        try await MongoClient(uri).command(
            """
            {"createUser": \(quoted(user.name)), "pwd": \(quoted(user.password)), "mechanisms": ["SCRAM-SHA-256"],
             "roles": ["backup", "restore", "readWriteAnyDatabase", "clusterMonitor", "hostManager"]}
            """
        )
    }

    /// Runs the probe's command in the agent's container, as the kubelet would.
    func waitUntilHealthy() async throws {
        guard let probe = pod.probes["remora-agent"] else { throw TestSupportError("the agent has no liveness probe") }
        try await eventually("the agent is healthy", within: .seconds(60), every: .milliseconds(300)) {
            let answer = try await podman.output("podman", ["exec", agent] + probe)
            return answer.status.succeeded
                && answer.errorText.contains("healthy: the agent works; the database answers")
        }
    }

    /// What changes when a container starts again.
    func life(of container: String) async throws -> String {
        try await podman.inspect(container, ".Id") + podman.inspect(container, ".State.StartedAt")
    }
}
