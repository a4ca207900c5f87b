import Foundation
import Kubernetes

/// Admission of one write: who may change the object, and who may refuse it.
struct Admission: Sendable {
    enum Operation: String, Sendable {
        case create = "CREATE"
        case update = "UPDATE"
        case delete = "DELETE"
    }

    let core: ServerCore
    let call: Call
    let type: ResourceType
    let operation: Operation
    let old: JSONTree?

    var isPod: Bool { type.group.isEmpty && type.resource == "pods" && call.info.subresource.isEmpty }

    /// The object as the mutating plugins, webhooks and a test's own mutators leave it.
    func mutate(_ given: JSONTree) async throws -> JSONTree {
        if isExempt { return given }
        var object = given
        if isPod, operation == .create {
            object = try PodAdmission.admit(object, in: call.info.namespace, core)
        }
        object = try core.mutators.apply(.before, object, self)
        object = try await MutatingWebhooks(admission: self).run(object)
        object = try core.mutators.apply(.after, object, self)
        // Once more, since containers may have come.
        if isPod, operation == .create {
            object = LimitRanger(core, namespace: call.info.namespace).admit(object)
            object = try ServiceAccountAdmission.admit(object, core)
        }
        return object
    }

    /// Refuses what policies don't allow.
    func validate(_ object: JSONTree) async throws {
        if isExempt { return }
        if isPod, operation == .create {
            try LimitRanger(core, namespace: call.info.namespace).check(object)
            try QuotaAdmission.check(object, namespace: call.info.namespace, core)
        }
        if isPod, operation == .create || old?["spec"] != object["spec"] {
            try PodSecurityAdmission.check(object, self)
        }
        try await ValidatingPolicies(admission: self).check(object)
        try await ValidatingWebhooks(admission: self).check(object)
    }

    func validateDelete() async throws {
        if isExempt { return }
        try await ValidatingPolicies(admission: self).check(nil)
        try await ValidatingWebhooks(admission: self).check(nil)
    }

    /// What steers admission isn't subject to it.
    private var isExempt: Bool { type.group == "admissionregistration.k8s.io" }

    /// The namespace of the object, as it is stored.
    var namespaceObject: JSONTree? {
        let isNamespace = type.group.isEmpty && type.resource == "namespaces"
        let name = isNamespace ? call.info.name : call.info.namespace
        guard !name.isEmpty else { return nil }
        return core.store.read {
            $0.object(GroupResource(group: "", resource: "namespaces"), ObjectKey(namespace: "", name: name))
        }
    }

    /// Whether a selector of namespaces fits; what has no namespace always does.
    func fitsNamespace(_ selector: JSONTree?, _ object: JSONTree?) -> Bool {
        guard let selector, !(selector.object ?? [:]).isEmpty else { return true }
        if type.group.isEmpty, type.resource == "namespaces" {
            return LabelSelector(selector).matches((object ?? old ?? [:]).labels)
        }
        guard type.isNamespaced else { return true }
        return LabelSelector(selector).matches(namespaceObject?.labels ?? [:])
    }

    func fitsObject(_ selector: JSONTree?, _ object: JSONTree?) -> Bool {
        guard let selector, !(selector.object ?? [:]).isEmpty else { return true }
        let selector2 = LabelSelector(selector)
        return [object, old].contains { $0.map { selector2.matches($0.labels) } ?? false }
    }

    /// Whether one of the rules names the request.
    func fitsRules(_ rules: JSONTree?) -> Bool {
        let resource = call.info.subresource.isEmpty ? type.resource : "\(type.resource)/\(call.info.subresource)"
        return (rules?.array ?? []).contains { rule in
            let has = { (key: String, value: String) in
                let list = rule[key]?.array?.compactMap(\.string) ?? []
                return list.contains("*") || list.contains(value)
            }
            let resources = rule["resources"]?.array?.compactMap(\.string) ?? []
            let fitsResource = resources.contains { pattern in
                pattern == "*/*" || pattern == resource || (pattern == "*" && call.info.subresource.isEmpty)
                    || (pattern.hasSuffix("/*") && pattern.dropLast(2) == type.resource)
                    || (pattern.hasPrefix("*/") && pattern.dropFirst(2) == call.info.subresource)
            }
            let names = rule["resourceNames"]?.array?.compactMap(\.string) ?? []
            let scope = rule["scope"]?.string ?? "*"
            let fitsScope = scope == "*" || (scope == "Namespaced") == type.isNamespaced
            return has("operations", operation.rawValue) && has("apiGroups", type.group)
                && has("apiVersions", type.version)
                && fitsResource && fitsScope && (names.isEmpty || names.contains(call.info.name))
        }
    }

    /// The request as reviews and expressions see it.
    func requestTree(_ object: JSONTree?, uid: String) -> JSONTree {
        let kind: JSONTree = [
            "group": .string(type.group), "version": .string(type.version), "kind": .string(type.kind),
        ]
        let resource: JSONTree = [
            "group": .string(type.group), "version": .string(type.version), "resource": .string(type.resource),
        ]
        var tree: JSONTree = [
            "uid": .string(uid), "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
            "name": .string(call.info.name.isEmpty ? object?.name ?? "" : call.info.name),
            "operation": .string(operation.rawValue),
            "userInfo": call.identity.tree, "object": object ?? .null, "oldObject": old ?? .null,
            "dryRun": .bool(call.isDryRun),
            "options": [
                "apiVersion": "meta.k8s.io/v1",
                "kind": .string(
                    operation == .create ? "CreateOptions" : operation == .update ? "UpdateOptions" : "DeleteOptions"
                ),
            ],
        ]
        if !call.info.namespace.isEmpty { tree["namespace"] = .string(call.info.namespace) }
        if !call.info.subresource.isEmpty {
            tree["subResource"] = .string(call.info.subresource)
            tree["requestSubResource"] = .string(call.info.subresource)
        }
        return tree
    }

    /// What conditions and policies may name.
    func variables(_ object: JSONTree?) -> [String: CELValue] {
        var request = requestTree(object, uid: "")
        request["object"] = nil
        request["oldObject"] = nil
        request["uid"] = nil
        for key in ["subResource", "requestSubResource", "namespace", "name"] where request[key] == nil {
            request[key] = ""
        }
        return [
            "object": object.map { CELValue($0, nil) } ?? .null, "oldObject": old.map { CELValue($0, nil) } ?? .null,
            "request": CELValue(request, nil),
            "authorizer": .opaque(.authorizer(AuthorizerStep(source: authorizer, identity: call.identity))),
            "authorizer.requestResource": .null,
        ]
    }

    /// Answers what an expression asks of `authorizer`.
    private var authorizer: AuthorizerStep.Source {
        AuthorizerStep.Source { [core] step, verb in
            var info = RequestInfo(method: "GET", path: step.path, query: Query(""))
            info.isResource = step.path.isEmpty
            info.verb = verb
            (info.group, info.resource, info.subresource) = (step.group, step.resource, step.subresource)
            (info.namespace, info.name) = (step.namespace, step.name)
            return core.isAllowed(info, step.identity)
        }
    }
}

/// The types of what conditions and policies may name.
enum AdmissionTypes {
    static let condition: [String: CELType] = [
        "object": .dyn, "oldObject": .dyn, "request": .object(request),
        "authorizer": .opaque("kubernetes.authorization.Authorizer"),
    ]

    static let policy = condition.merging(["namespaceObject": .dyn, "params": .dyn, "variables": .dyn]) { first, _ in
        first
    }

    private static let groupKind = CELType.object(
        CELObjectType(
            name: "kubernetes.GroupVersionKind",
            fields: ["group": .string, "version": .string, "kind": .string]
        )
    )
    private static let groupResource = CELType.object(
        CELObjectType(
            name: "kubernetes.GroupVersionResource",
            fields: ["group": .string, "version": .string, "resource": .string]
        )
    )
    private static let request = CELObjectType(
        name: "kubernetes.AdmissionRequest",
        fields: [
            "kind": groupKind, "resource": groupResource, "subResource": .string, "requestKind": groupKind,
            "requestResource": groupResource, "requestSubResource": .string, "name": .string, "namespace": .string,
            "operation": .string, "dryRun": .bool, "options": .dyn,
            "userInfo": .object(
                CELObjectType(
                    name: "kubernetes.UserInfo",
                    fields: [
                        "username": .string, "uid": .string, "groups": .list(.string),
                        "extra": .map(.string, .list(.string)),
                    ]
                )
            ),
        ]
    )
}
