import Foundation
import Kubernetes

extension ServerCore {
    /// Answers what is asked and not stored.
    func review(_ call: Call, _ type: ResourceType) throws -> Reply {
        var object = try decode(call, type)
        switch type.kind {
        case "TokenReview": object["status"] = tokenStatus(object["spec"] ?? [:])
        case "SelfSubjectReview": object["status"] = ["userInfo": call.identity.tree]
        case "SelfSubjectAccessReview": object["status"] = try accessStatus(object["spec"] ?? [:], call.identity, type)
        case "SubjectAccessReview", "LocalSubjectAccessReview":
            let spec = object["spec"] ?? [:]
            let groups = spec["groups"]?.array?.compactMap(\.string) ?? []
            let user = spec["user"]?.string ?? ""
            guard !user.isEmpty || !groups.isEmpty else {
                throw APIError.invalid(
                    type.groupKind,
                    "",
                    [.invalid("spec.user", "", "at least one of user or group must be specified")]
                )
            }
            // Groups aren't made up: who asks says which the user has.
            var identity = Identity(username: user)
            identity.groups = groups
            object["status"] = try accessStatus(spec, identity, type)
        default:
            let rules = rules(of: call.identity, in: object["spec"]?["namespace"]?.string ?? "")
            object["status"] = [
                "resourceRules": .array(rules.filter { $0["resources"] != nil }),
                "nonResourceRules": .array(rules.filter { $0["nonResourceURLs"] != nil }), "incomplete": false,
            ]
        }
        object["metadata"] = object["metadata"] ?? [:]
        return .json(object, status: 201)
    }

    private func tokenStatus(_ spec: JSONTree) -> JSONTree {
        let asked = spec["audiences"]?.array?.compactMap(\.string) ?? []
        let audiences = asked.isEmpty ? [TokenBook.apiAudience] : asked
        let token = spec["token"]?.string ?? ""
        guard !token.isEmpty else { return ["user": [:], "error": "no token was given"] }
        switch tokens.bearer(token, audiences: audiences, store: store) {
        case .success(let (identity, common)):
            return [
                "authenticated": true, "user": identity.tree, "audiences": .array(common.map { .string($0) }),
            ]
        case .failure(let refusal): return ["user": [:], "error": .string("[\(refusal.text)]")]
        }
    }

    private func accessStatus(_ spec: JSONTree, _ identity: Identity, _ type: ResourceType) throws -> JSONTree {
        var info = RequestInfo(method: "GET", path: "/", query: Query(""))
        let (resource, path) = (spec["resourceAttributes"], spec["nonResourceAttributes"])
        guard (resource == nil) != (path == nil) else {
            throw APIError.invalid(
                type.groupKind,
                "",
                [
                    .invalid(
                        "spec.resourceAttributes",
                        .null,
                        "exactly one of nonResourceAttributes or resourceAttributes must be specified"
                    )
                ]
            )
        }
        let text = { (key: String) in resource?[key]?.string ?? "" }
        if let path {
            info.isResource = false
            info.path = path["path"]?.string ?? ""
            info.verb = path["verb"]?.string ?? ""
        } else {
            info.isResource = true
            (info.verb, info.group, info.resource) = (text("verb"), text("group"), text("resource"))
            (info.subresource, info.namespace, info.name) = (text("subresource"), text("namespace"), text("name"))
        }
        return ["allowed": .bool(isAllowed(info, identity))]
    }

    /// `serviceaccounts/token`, `pods/eviction` and `scale`.
    func subresource(_ call: Call, _ type: ResourceType) async throws -> Reply {
        if call.info.subresource == "scale" { return try await scale(call, type) }
        guard call.info.verb == "create" else {
            throw APIError.methodNotAllowed("the server does not allow this method on the requested resource")
        }
        return call.info.subresource == "token" ? try requestToken(call) : try await evict(call, type)
    }

    private func requestToken(_ call: Call) throws -> Reply {
        let kind = ResourceType(
            group: "authentication.k8s.io",
            version: "v1",
            resource: "tokenrequests",
            kind: "TokenRequest",
            singular: "tokenrequest",
            schema: BuiltinSchemas.object("TokenRequest")
        )
        var request = try decode(call, kind)
        let key = ObjectKey(namespace: call.info.namespace, name: call.info.name)
        let accounts = GroupResource(group: "", resource: "serviceaccounts")
        guard let account = store.read({ $0.object(accounts, key) }) else {
            throw APIError.notFound(accounts, key.name)
        }
        let seconds = request["spec"]?["expirationSeconds"]?.integer ?? 3600
        guard seconds >= 600 else {
            throw APIError.invalid(
                kind.groupKind,
                "",
                [
                    .invalid(
                        "spec.expirationSeconds",
                        .integer(seconds),
                        "may not specify a duration less than 10 minutes"
                    )
                ]
            )
        }
        guard seconds <= 1 << 32 else {
            throw APIError.invalid(
                kind.groupKind,
                "",
                [
                    .invalid(
                        "spec.expirationSeconds",
                        .integer(seconds),
                        "may not specify a duration larger than 2^32 seconds"
                    )
                ]
            )
        }
        let asked = request["spec"]?["audiences"]?.array?.compactMap(\.string) ?? []
        let audiences = asked.isEmpty ? [TokenBook.apiAudience] : asked
        var claims = TokenBook.Claims(
            namespace: key.namespace,
            account: key.name,
            accountUID: account.uid,
            audiences: audiences,
            issued: now,
            expires: now.addingTimeInterval(Double(seconds)),
            id: UUID().uuidString.lowercased()
        )
        if let bound = request["spec"]?["boundObjectRef"] { try bind(&claims, bound, key) }
        request.set("spec", "audiences", to: .array(audiences.map { .string($0) }))
        request.set("spec", "expirationSeconds", to: .integer(seconds))
        request["status"] = [
            "token": .string(tokens.issue(claims)), "expirationTimestamp": .string(Times.text(claims.expires)),
        ]
        request.set("metadata", "name", to: .string(key.name))
        request.set("metadata", "namespace", to: .string(key.namespace))
        return .json(request, status: 201)
    }

    private func bind(_ claims: inout TokenBook.Claims, _ bound: JSONTree, _ key: ObjectKey) throws {
        guard bound["kind"]?.string == "Pod" else {
            throw APIError.badRequest(
                "cannot bind token for serviceaccount \"\(key.name)\" to object of kind \"\(bound["kind"]?.string ?? "")\""
            )
        }
        let pods = GroupResource(group: "", resource: "pods")
        let name = bound["name"]?.string ?? ""
        guard let pod = store.read({ $0.object(pods, ObjectKey(namespace: key.namespace, name: name)) }) else {
            throw APIError.notFound(pods, name)
        }
        if let uid = bound["uid"]?.string, !uid.isEmpty, uid != pod.uid {
            throw APIError.conflict(
                pods,
                name,
                "the UID in the bound object reference (\(uid)) does not match the UID in record. The object might have been deleted and then recreated"
            )
        }
        guard pod["spec"]?["serviceAccountName"]?.string == key.name else {
            throw APIError.badRequest(
                "cannot bind token for serviceaccount \"\(key.name)\" to pod running with different serviceaccount name."
            )
        }
        claims.pod = (name, pod.uid)
        if let node = pod["spec"]?["nodeName"]?.string, !node.isEmpty {
            let nodes = GroupResource(group: "", resource: "nodes")
            claims.node = (node, store.read { $0.object(nodes, ObjectKey(namespace: "", name: node))?.uid } ?? "")
        }
    }

    private func evict(_ call: Call, _ type: ResourceType) async throws -> Reply {
        let key = ObjectKey(namespace: call.info.namespace, name: call.info.name)
        let time = now
        _ = try store.write { state in try Self.delete(key, type, DeleteOptions(), &state, now: time) }
        return .json(
            ["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "code": 201],
            status: 201
        )
    }
}
