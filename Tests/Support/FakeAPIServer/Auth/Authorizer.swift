import Kubernetes

extension ServerCore {
    static let rbacGroup = "rbac.authorization.k8s.io"
    /// What everybody may read, known or not.
    static let publicPaths = ["/healthz", "/livez", "/readyz", "/version", "/version/"]

    /// Refuses what nobody has allowed.
    ///
    /// - Throws: ``APIError`` 403.
    func authorize(_ info: RequestInfo, _ identity: Identity) throws {
        guard !isAllowed(info, identity) else { return }
        let subject = "User \"\(identity.username)\" cannot"
        guard info.isResource else {
            throw APIError(
                code: 403,
                reason: "Forbidden",
                message: "forbidden: \(subject) \(info.verb) path \"\(info.path)\"",
                details: [:]
            )
        }
        let resource = GroupResource(group: info.group, resource: info.resource)
        let what = info.subresource.isEmpty ? info.resource : "\(info.resource)/\(info.subresource)"
        let place = info.namespace.isEmpty ? "at the cluster scope" : "in the namespace \"\(info.namespace)\""
        throw APIError.forbidden(
            resource,
            info.name,
            "\(subject) \(info.verb) resource \"\(what)\" in API group \"\(info.group)\" \(place)"
        )
    }

    func isAllowed(_ info: RequestInfo, _ identity: Identity) -> Bool {
        if identity.groups.contains("system:masters") { return true }
        if !info.isResource, info.verb == "get", Self.publicPaths.contains(info.path) { return true }
        if !info.isResource, identity.username != "system:anonymous" {
            // As the role system:discovery lets everybody who is known.
            if info.verb == "get",
                ["/api", "/apis"].contains(info.path)
                    || ["/api/", "/apis/", "/openapi/"].contains(where: info.path.hasPrefix)
            {
                return true
            }
        }
        let selfReviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"]
        if info.verb == "create", selfReviews.contains(info.resource), identity.username != "system:anonymous" {
            return true
        }
        return rules(of: identity, in: info.namespace).contains { Self.covers($0, info) }
    }

    /// All rules that hold for somebody in a namespace, or for the whole cluster when it is empty.
    func rules(of identity: Identity, in namespace: String) -> [JSONTree] {
        store.read { state in
            var rules: [JSONTree] = []
            let all = { (resource: String) in state.all(GroupResource(group: Self.rbacGroup, resource: resource)) }
            let clusterRoles = all("clusterroles")
            for binding in all("clusterrolebindings").values where Self.binds(binding, identity) {
                let name = binding["roleRef"]?["name"]?.string ?? ""
                rules += Self.effectiveRules(clusterRoles[ObjectKey(namespace: "", name: name)], clusterRoles)
            }
            guard !namespace.isEmpty else { return rules }
            let roles = all("roles")
            for (key, binding) in all("rolebindings") where key.namespace == namespace && Self.binds(binding, identity)
            {
                let name = binding["roleRef"]?["name"]?.string ?? ""
                if binding["roleRef"]?["kind"]?.string == "ClusterRole" {
                    rules += Self.effectiveRules(clusterRoles[ObjectKey(namespace: "", name: name)], clusterRoles)
                } else {
                    rules += roles[ObjectKey(namespace: namespace, name: name)]?["rules"]?.array ?? []
                }
            }
            return rules
        }
    }

    private static func effectiveRules(_ role: JSONTree?, _ all: [ObjectKey: JSONTree]) -> [JSONTree] {
        guard let role else { return [] }
        guard let selectors = role["aggregationRule"]?["clusterRoleSelectors"]?.array else {
            return role["rules"]?.array ?? []
        }
        return all.values.filter { one in
            one.name != role.name && selectors.contains { LabelSelector($0).matches(one.labels) }
        }
        .flatMap { effectiveRules($0, all) }
    }

    private static func binds(_ binding: JSONTree, _ identity: Identity) -> Bool {
        (binding["subjects"]?.array ?? []).contains { subject in
            let name = subject["name"]?.string ?? ""
            return switch subject["kind"]?.string {
            case "User": name == identity.username
            case "Group": identity.groups.contains(name)
            case "ServiceAccount":
                identity.username
                    == "system:serviceaccount:\(subject["namespace"]?.string ?? binding.namespace):\(name)"
            default: false
            }
        }
    }

    static func covers(_ rule: JSONTree, _ info: RequestInfo) -> Bool {
        let list = { (key: String) in rule[key]?.array?.compactMap(\.string) ?? [] }
        let verbs = list("verbs")
        guard verbs.contains("*") || verbs.contains(info.verb) else { return false }
        guard info.isResource else {
            return list("nonResourceURLs").contains { url in
                url == "*" || url == info.path || (url.hasSuffix("*") && info.path.hasPrefix(url.dropLast()))
            }
        }
        let groups = list("apiGroups")
        guard groups.contains("*") || groups.contains(info.group) else { return false }
        let resource = info.subresource.isEmpty ? info.resource : "\(info.resource)/\(info.subresource)"
        let resources = list("resources")
        let isNamed =
            resources.contains("*") || resources.contains(resource)
            || (!info.subresource.isEmpty && resources.contains("*/\(info.subresource)"))
        guard isNamed else { return false }
        let names = list("resourceNames")
        return names.isEmpty || names.contains(info.name)
    }

    /// Nobody gives rights that he doesn't have himself, unless he may `escalate` or `bind`.
    func checkRoles(_ object: JSONTree, old: JSONTree?, _ type: ResourceType, _ call: Call) throws {
        guard options.enforcesRBAC, type.group == Self.rbacGroup, !call.identity.groups.contains("system:masters")
        else { return }
        var info = RequestInfo(method: "GET", path: "/", query: Query(""))
        info.isResource = true
        info.group = Self.rbacGroup
        let given: [JSONTree]
        if type.kind.hasSuffix("Binding") {
            let reference = object["roleRef"] ?? [:]
            info.verb = "bind"
            info.resource = reference["kind"]?.string == "ClusterRole" ? "clusterroles" : "roles"
            info.name = reference["name"]?.string ?? ""
            info.namespace = object.namespace
            let resource = GroupResource(group: Self.rbacGroup, resource: info.resource)
            let key = ObjectKey(namespace: info.resource == "roles" ? object.namespace : "", name: info.name)
            let (role, all) = store.read { ($0.object(resource, key), $0.all(resource)) }
            given = Self.effectiveRules(role, all)
        } else {
            info.verb = "escalate"
            info.resource = type.resource
            info.name = object.name
            info.namespace = object.namespace
            given = object["rules"]?.array ?? []
        }
        if let old, old["rules"] == object["rules"], old["subjects"] == object["subjects"] { return }
        if isAllowed(info, call.identity) { return }
        let own = rules(of: call.identity, in: object.namespace)
        let missing = given.filter { !Self.isCovered($0, by: own) }
        guard missing.isEmpty else {
            throw APIError.forbidden(
                type.groupResource,
                object.name,
                "user \"\(call.identity.username)\" (groups=\(call.identity.groups)) is attempting to grant RBAC permissions not currently held:\n\(missing.map(\.description).joined(separator: "\n"))"
            )
        }
    }

    /// Whether every single right of a rule is in one of the others.
    private static func isCovered(_ rule: JSONTree, by own: [JSONTree]) -> Bool {
        let list = { (key: String) in rule[key]?.array?.compactMap(\.string) ?? [] }
        var info = RequestInfo(method: "GET", path: "/", query: Query(""))
        for verb in list("verbs") {
            info.verb = verb
            for url in list("nonResourceURLs") {
                info.isResource = false
                info.path = url
                if !own.contains(where: { covers($0, info) }) { return false }
            }
            info.isResource = true
            for group in list("apiGroups") {
                for resource in list("resources") {
                    for name in list("resourceNames").isEmpty ? [""] : list("resourceNames") {
                        let parts = resource.split(separator: "/", maxSplits: 1).map(String.init)
                        info.group = group
                        info.resource = parts.first ?? ""
                        info.subresource = parts.count > 1 ? parts[1] : ""
                        info.name = name
                        if !own.contains(where: { covers($0, info) }) { return false }
                    }
                }
            }
        }
        return true
    }
}
