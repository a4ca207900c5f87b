import BackupModel
import Foundation
import Kubernetes
import Synchronization
import TestSupport

@testable import RemoraCLI

/// An API server that answers from a table, a kubectl that leads to a coordinator behind TLS, and that coordinator.
///
/// Only what the program asks and how it takes the answers is tested with it: what a real server would refuse is the
/// business of `FakeAPIServer`.
final class ScriptedCluster: Sendable {
    private struct State {
        /// By method and path without query.
        var answers: [String: (status: Int, body: String)] = [:]
        var status = ClusterSamples.status()
        var onPatch: (@Sendable (ScriptedCluster, String) -> Void)?
    }

    private let state: Mutex<State>
    private let server: ScriptedServer
    private let coordinator: ScriptedServer
    private let directory: TestDirectory

    /// Starts all three; the coordinator's certificate is for `names`.
    static func start(
        in directory: TestDirectory,
        names: String = "DNS:remora-agents.remora-system.svc"
    ) async throws -> ScriptedCluster {
        let cluster = try ScriptedCluster(directory)
        try await cluster.makeCertificate(names)
        try cluster.writeFiles()
        try cluster.install()
        return cluster
    }

    private init(_ directory: TestDirectory) throws {
        self.directory = directory
        let box = Box()
        state = Mutex(State())
        server = try ScriptedServer { request, _ in box.cluster?.answer(request) ?? .init(status: 500, body: "{}") }
        coordinator = try ScriptedServer { request, _ in
            box.cluster?.coordinate(request) ?? .init(status: 500, body: "{}")
        }
        box.set(self)
    }

    /// Lets the servers find the cluster, which is made after them.
    private final class Box: Sendable {
        private let held = Mutex<Weak>(Weak())
        struct Weak: Sendable { weak var cluster: ScriptedCluster? }
        var cluster: ScriptedCluster? { held.withLock { $0.cluster } }
        func set(_ cluster: ScriptedCluster) { held.withLock { $0.cluster = cluster } }
    }

    // MARK: What a test says

    /// Has a path answer with an object; nil: there is none.
    func put(_ path: String, _ tree: JSONTree?, method: String = "GET") {
        state.withLock { $0.answers["\(method) \(path)"] = tree.map { (200, $0.description) } }
    }

    /// Has a path answer with a refusal.
    func refuse(_ path: String, _ status: Int, _ reason: String, _ message: String, method: String = "GET") {
        state.withLock { state in
            state.answers["\(method) \(path)"] = (status, Self.status(status, reason, message))
        }
    }

    /// What the coordinator says from now on.
    func say(_ change: (inout StatusView) -> Void) { state.withLock { change(&$0.status) } }

    /// Does something whenever an object was patched; it gets the path.
    func onPatch(_ action: @escaping @Sendable (ScriptedCluster, String) -> Void) {
        state.withLock { $0.onPatch = action }
    }

    /// Calls of the API, `METHOD path?query`.
    var calls: [String] { server.requests.map { "\($0.method) \($0.path)" } }

    /// Bodies of calls of a method.
    func bodies(_ method: String) throws -> [JSONTree] {
        try server.requests.filter { $0.method == method }.map { try JSONTree(parsing: $0.body) }
    }

    /// Calls of the coordinator.
    var coordinatorRequests: [RawRequest] { coordinator.requests }

    /// Variables with which `kubectl` is ours.
    var environment: [String: String] {
        [
            "PATH": "\(directory.path)/bin:/usr/local/bin:/usr/bin:/bin", "HOME": directory.path,
            "KUBECONFIG": kubeconfig,
        ]
    }

    var kubeconfig: String { directory.appending("kubeconfig") }

    /// The authority of the coordinator's certificate (PEM).
    func authority() throws -> String {
        try String(contentsOfFile: directory.appending("certificate.pem"), encoding: .utf8)
    }

    /// Has the commands ask another API server.
    func use(kubeconfig text: String) throws { try directory.write(text, to: "kubeconfig") }

    /// Ends all.
    func stop() {
        server.stop()
        coordinator.stop()
    }

    /// Process ids of the port-forwards that were started, by what the scripted kubectl noted.
    func forwards() throws -> [(pid: pid_t, arguments: String)] {
        let file = directory.appending("forwards")
        guard FileManager.default.fileExists(atPath: file) else { return [] }
        return try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").compactMap { line in
            let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
            return parts.count == 2 ? pid_t(parts[0]).map { ($0, parts[1]) } : nil
        }
    }

    // MARK: Answers

    private static func status(_ code: Int, _ reason: String, _ message: String) -> String {
        let tree: JSONTree = [
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": .string(reason),
            "message": .string(message), "code": .integer(Int64(code)),
        ]
        return tree.description
    }

    private func answer(_ request: RawRequest) -> ScriptedServer.Answer {
        let path = String(request.path.prefix { $0 != "?" })
        let (found, hook) = state.withLock { state in
            (state.answers["\(request.method) \(path)"], request.method == "PATCH" ? state.onPatch : nil)
        }
        if !request.path.contains("dryRun=All") { hook?(self, path) }
        if let found { return .init(status: found.status, body: found.body) }
        return .init(status: 404, body: Self.status(404, "NotFound", "\(path) not found"))
    }

    private func coordinate(_ request: RawRequest) -> ScriptedServer.Answer {
        guard request.path.hasPrefix(UserAPI.statusPath) else { return .init(status: 404, body: "{}") }
        let status = state.withLock(\.status)
        do { return .ok(try Samples.json(status)) } catch { return .init(status: 500, body: "{}") }
    }

    // MARK: Files

    private func makeCertificate(_ names: String) async throws {
        try await Command(
            Tools.openssl(),
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
                + ["-subj", "/CN=coordinator", "-addext", "subjectAltName=\(names)", "-keyout", "key.pem"]
                + ["-out", "certificate.pem"],
            directory: directory.path
        ).run()
    }

    private func writeFiles() throws {
        try directory.write(
            """
            apiVersion: v1
            kind: Config
            current-context: test
            clusters: [{name: test, cluster: {server: "\(server.url)"}}]
            users: [{name: me, user: {token: my-own-token}}]
            contexts: [{name: test, context: {cluster: test, user: me, namespace: shop}}]
            """,
            to: "kubeconfig"
        )
        _ = try directory.makeDirectory("bin")
        try replaceKubectl(Self.kubectl(directory.path, coordinator: coordinator.url))
    }

    /// Puts another program in kubectl's place.
    func replaceKubectl(_ text: String) throws {
        let script = try directory.write(text, to: "bin/kubectl")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script)
    }

    /// `kubectl port-forward` that ends at the coordinator, and puts TLS in front of it.
    private static func kubectl(_ directory: String, coordinator url: String) -> String {
        """
        #!/usr/bin/python3
        import os, socket, ssl, sys, threading
        with open("\(directory)/forwards", "a") as file:
            file.write("%d %s\\n" % (os.getpid(), " ".join(sys.argv[1:])))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("\(directory)/certificate.pem", "\(directory)/key.pem")
        listener = socket.create_server(("127.0.0.1", 0))
        print("Forwarding from 127.0.0.1:%d -> 8443" % listener.getsockname()[1], flush=True)
        def copy(source, sink):
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
            except OSError:
                pass
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        def serve(raw):
            try:
                client = context.wrap_socket(raw, server_side=True)
            except (OSError, ssl.SSLError):
                return
            server = socket.create_connection(("127.0.0.1", \(url.split(separator: ":").last ?? "0")))
            threading.Thread(target=copy, args=(client, server), daemon=True).start()
            copy(server, client)
        while True:
            raw, _ = listener.accept()
            print("Handling connection for 8443", flush=True)
            threading.Thread(target=serve, args=(raw,), daemon=True).start()
        """
    }

    /// What an installation has, in which nothing is wrong.
    private func install() throws {
        let system = "/api/v1/namespaces/remora-system"
        let pem = try authority()
        put("/version", ["gitVersion": "v1.36.0", "major": "1", "minor": "36"])
        put("\(system)/configmaps/remora-ca", ["data": ["ca.crt": .string(pem)]])
        let port: JSONTree = ["name": "agents", "port": 443, "targetPort": "https"]
        put("\(system)/services/remora-agents", ["spec": ["ports": [port]]])
        put("\(system)/pods", ["metadata": ["resourceVersion": "1"], "items": [ClusterSamples.coordinator()]])
        for account in ["remora-viewer", "remora-operator"] {
            put(
                "\(system)/serviceaccounts/\(account)/token",
                ["status": ["token": .string("token-of-\(account)"), "expirationTimestamp": "2026-08-22T10:10:00Z"]],
                method: "POST"
            )
        }
        for name in Install.definitions {
            put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/\(name).remora.dev", ClusterSamples.definition)
        }
        put("/apis/coordination.k8s.io/v1/namespaces/remora-system/leases/remora-coordinator", ClusterSamples.lease())
        put(
            "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/zz-remora-injector",
            ClusterSamples.webhook(bundle: pem)
        )
        put(
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            ["kind": "SubjectAccessReview", "status": ["allowed": true]],
            method: "POST"
        )
        installDatabase()
    }

    private func installDatabase() {
        let pod = ClusterSamples.pod()
        put("/api/v1/pods", ["metadata": ["resourceVersion": "1"], "items": [["metadata": pod["metadata"] ?? .null]]])
        put("/api/v1/namespaces/shop/pods", ["metadata": ["resourceVersion": "1"], "items": [pod]])
        put("/api/v1/namespaces/shop/pods/mongo-0", pod)
        var tried = ClusterSamples.pod("remora-doctor-x")
        tried["metadata"]?["creationTimestamp"] = "2026-08-22T10:00:00Z"
        put("/api/v1/namespaces/shop/pods", tried, method: "POST")
        put("/api/v1/namespaces/shop", ["metadata": ["name": "shop"]])
        let user = Data("backup".utf8).base64EncodedString()
        put(
            "/api/v1/namespaces/shop/secrets/mongo-backup",
            [
                "kind": "Secret",
                "data": [
                    "username": .string(user), "password": .string(Data("planted-password".utf8).base64EncodedString()),
                ],
            ]
        )
        let key = JSONTree.string(Data("planted-key".utf8).base64EncodedString())
        put(
            "/api/v1/namespaces/shop/secrets/storage",
            [
                "kind": "Secret",
                "data": ["RESTIC_PASSWORD": key, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": key],
            ]
        )
        let repositories: JSONTree = ["metadata": ["resourceVersion": "1"], "items": [ClusterSamples.repository]]
        put("/apis/remora.dev/v1alpha1/repositories", repositories)
        put("/apis/remora.dev/v1alpha1/namespaces/shop/repositories", repositories)
        put("/apis/apps/v1/namespaces/shop/statefulsets/mongo", ClusterSamples.statefulSet().object)
        put("/apis/apps/v1/namespaces/shop/statefulsets/mongo", ClusterSamples.statefulSet().object, method: "PATCH")
    }
}
