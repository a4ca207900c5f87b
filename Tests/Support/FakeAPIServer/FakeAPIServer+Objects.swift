import Foundation
public import Kubernetes
import Yams

extension FakeAPIServer {
    /// A stored object as it is; nil when there is none.
    public func object(_ resource: String, group: String = "", namespace: String = "", name: String) -> JSONTree? {
        core.store.read {
            $0.object(GroupResource(group: group, resource: resource), ObjectKey(namespace: namespace, name: name))
        }
    }

    /// All stored objects of a resource, sorted by namespace and name.
    ///
    /// - Parameters:
    ///   - resource: the plural name.
    ///   - group: its group.
    ///   - namespace: only those of this one.
    /// - Returns: the objects.
    public func objects(_ resource: String, group: String = "", namespace: String? = nil) -> [JSONTree] {
        core.store.read { $0.all(GroupResource(group: group, resource: resource)) }
            .filter { namespace == nil || $0.key.namespace == namespace }.sorted { $0.key < $1.key }.map(\.value)
    }

    /// What the server answered to a request that came without a connection.
    public struct Answer: Sendable {
        /// The status.
        public var status: Int
        /// The body; `null` when it is no JSON.
        public var body: JSONTree
        /// Texts of the `Warning` headers.
        public var warnings: [String]
        /// What admission recorded.
        public var audit: [String: String]
    }

    /// Carries out a request as if it had come by HTTP, watches excepted.
    ///
    /// - Parameters:
    ///   - method: the method, in capitals.
    ///   - target: path and query.
    ///   - body: what is sent.
    ///   - contentType: of the body; nil: what fits the method.
    ///   - identity: who asks.
    ///   - userAgent: the name of the program, which owns the fields it writes.
    /// - Returns: the answer.
    public func send(
        _ method: String,
        _ target: String,
        _ body: JSONTree? = nil,
        contentType: String? = nil,
        as identity: Identity = .admin,
        userAgent: String = "test"
    ) async -> Answer {
        let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
        let query = Query(parts.count > 1 ? parts[1] : "")
        let call = Call(
            info: RequestInfo(method: method, path: parts.first ?? "/", query: query),
            query: query,
            accept: "application/json",
            contentType: contentType ?? (method == "PATCH" ? "application/merge-patch+json" : "application/json"),
            userAgent: userAgent,
            identity: identity,
            body: body?.bytes ?? []
        )
        let reply = await core.respond(call)
        var answer = Answer(status: reply.status, body: .null, warnings: call.notes.warnings, audit: call.notes.audit)
        // What isn't JSON is told by its status.
        if case .bytes(let bytes) = reply.content, let tree = try? JSONTree(parsing: bytes) { answer.body = tree }
        return answer
    }

    /// Creates an object as an administrator would.
    ///
    /// - Returns: as it was stored.
    /// - Throws: ``FakeAPIServerError`` with what the server said.
    @discardableResult public func create(_ object: JSONTree, namespace: String? = nil) async throws -> JSONTree {
        let path = try collection(of: object, namespace)
        let answer = await send("POST", path, object)
        guard answer.status == 201 else {
            throw FakeAPIServerError(
                "\(object["kind"]?.string ?? "") \(object.name) was refused: \(answer.body["message"]?.string ?? "\(answer.status)")"
            )
        }
        return answer.body
    }

    /// Creates or changes the objects of a YAML text, as `kubectl apply --server-side` does.
    ///
    /// - Throws: ``FakeAPIServerError`` with what the server said.
    public func apply(yaml text: String, namespace: String? = nil) async throws {
        let nodes: [Node]
        do {
            nodes = try Array(Yams.compose_all(yaml: text))
        } catch {
            throw FakeAPIServerError("not YAML: \(error)")
        }
        for node in nodes {
            let object = try JSONTree(yaml: node)
            if object.isNull { continue }
            let path = try collection(of: object, namespace) + "/\(object.name)?fieldManager=test&force=true"
            let answer = await send("PATCH", path, object, contentType: "application/apply-patch+yaml")
            guard answer.status < 300 else {
                throw FakeAPIServerError(
                    "\(object["kind"]?.string ?? "") \(object.name) was refused: \(answer.body["message"]?.string ?? "\(answer.status)")"
                )
            }
        }
        await settle()
    }

    /// Applies every `.yaml` file of a directory, sorted by name, and waits until the CRDs among them are served.
    ///
    /// - Throws: ``FakeAPIServerError``.
    public func apply(directory: String) async throws {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: directory)
                .filter { $0.hasSuffix(".yaml") && $0 != "kustomization.yaml" }
                .sorted()
        } catch {
            throw FakeAPIServerError("\(directory) can't be read: \(error)")
        }
        for name in names {
            do {
                try await apply(yaml: try String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8))
            } catch {
                throw FakeAPIServerError("\(directory)/\(name): \(error)")
            }
        }
    }

    private func collection(of object: JSONTree, _ namespace: String?) throws -> String {
        let (version, kind) = (object["apiVersion"]?.string ?? "", object["kind"]?.string ?? "")
        guard let type = core.store.read({ $0.registry.type(apiVersion: version, kind: kind) }) else {
            throw FakeAPIServerError("no matches for kind \"\(kind)\" in version \"\(version)\"")
        }
        let root = type.group.isEmpty ? "/api/\(type.version)" : "/apis/\(type.group)/\(type.version)"
        guard type.isNamespaced else { return "\(root)/\(type.resource)" }
        let place = object.namespace.isEmpty ? namespace ?? "default" : object.namespace
        return "\(root)/namespaces/\(place)/\(type.resource)"
    }

    /// Lets the controllers of the control plane do what is to be done now: CRDs, garbage, namespaces.
    public func settle() async {
        for _ in 0..<4 { Controllers(core: core).step() }
    }

    /// Makes the pod that a stored StatefulSet's controller would make, through admission.
    ///
    /// - Parameters:
    ///   - name: of the StatefulSet.
    ///   - namespace: where it is.
    ///   - ordinal: the pod's number.
    /// - Returns: the pod as it was stored.
    /// - Throws: ``FakeAPIServerError`` with what the server said.
    @discardableResult public func createPod(
        fromStatefulSet name: String,
        namespace: String,
        ordinal: Int = 0
    ) async throws -> JSONTree {
        guard let set = object("statefulsets", group: "apps", namespace: namespace, name: name) else {
            throw FakeAPIServerError("there is no StatefulSet \(namespace)/\(name)")
        }
        var pod: JSONTree = ["apiVersion": "v1", "kind": "Pod"]
        let template = set["spec"]?["template"] ?? [:]
        pod["metadata"] = template["metadata"] ?? [:]
        pod["spec"] = template["spec"]
        pod.set("metadata", "creationTimestamp", to: nil)
        pod.set("metadata", "name", to: .string("\(name)-\(ordinal)"))
        pod.set("metadata", "generateName", to: .string("\(name)-"))
        pod.set("metadata", "labels", "statefulset.kubernetes.io/pod-name", to: .string("\(name)-\(ordinal)"))
        pod.set("metadata", "labels", "apps.kubernetes.io/pod-index", to: .string(String(ordinal)))
        pod.set(
            "metadata",
            "ownerReferences",
            to: [
                [
                    "apiVersion": "apps/v1", "kind": "StatefulSet", "name": .string(name), "uid": .string(set.uid),
                    "controller": true,
                    "blockOwnerDeletion": true,
                ]
            ]
        )
        pod.set("spec", "hostname", to: .string("\(name)-\(ordinal)"))
        if let service = set["spec"]?["serviceName"] { pod.set("spec", "subdomain", to: service) }
        var volumes = pod["spec"]?["volumes"]?.array ?? []
        for claim in set["spec"]?["volumeClaimTemplates"]?.array ?? [] {
            volumes.append([
                "name": .string(claim.name),
                "persistentVolumeClaim": ["claimName": .string("\(claim.name)-\(name)-\(ordinal)")],
            ])
        }
        if !volumes.isEmpty { pod.set("spec", "volumes", to: .array(volumes)) }
        return try await create(pod, namespace: namespace)
    }

    /// Stores objects as they are, without any check or admission: for tests that need thousands.
    ///
    /// - Parameter objects: with their namespaces; uid and time of creation are filled in.
    /// - Throws: ``FakeAPIServerError`` for a kind that isn't served.
    public func seed(_ objects: [JSONTree]) throws {
        let now = Times.text(core.now)
        for object in objects {
            let (version, kind) = (object["apiVersion"]?.string ?? "", object["kind"]?.string ?? "")
            try core.store.write { state in
                guard let type = state.registry.type(apiVersion: version, kind: kind) else {
                    throw FakeAPIServerError("no matches for kind \"\(kind)\" in version \"\(version)\"")
                }
                var object = object
                if object.uid.isEmpty { object.set("metadata", "uid", to: .string(UUID().uuidString.lowercased())) }
                object.set("metadata", "creationTimestamp", to: .string(now))
                state.put(object, type.storage)
            }
        }
    }

    /// Changes a stored object without any check, as only a test may; watchers see it.
    ///
    /// - Throws: ``FakeAPIServerError`` when there is none.
    public func alter(
        _ resource: String,
        group: String = "",
        namespace: String = "",
        name: String,
        _ change: (inout JSONTree) -> Void
    ) throws {
        let place = GroupResource(group: group, resource: resource)
        try core.store.write { state in
            guard var object = state.object(place, ObjectKey(namespace: namespace, name: name)) else {
                throw FakeAPIServerError("there is no \(resource) \(namespace)/\(name)")
            }
            change(&object)
            state.put(object, place)
        }
    }
}
