import Kubernetes

/// Pod Security admission: `pod-security.kubernetes.io/enforce` and `warn` of the namespace.
enum PodSecurityAdmission {
    private static let prefix = "pod-security.kubernetes.io/"

    static func check(_ pod: JSONTree, _ admission: Admission) throws {
        let labels = admission.namespaceObject?.labels ?? [:]
        if let level = labels[prefix + "enforce"] {
            let violations = PodSecurity.violations(pod["spec"] ?? [:], level)
            if !violations.isEmpty {
                let version = labels[prefix + "enforce-version"] ?? "latest"
                throw APIError.forbidden(
                    admission.type.groupResource,
                    pod.name,
                    "violates PodSecurity \"\(level):\(version)\": \(violations.joined(separator: ", "))"
                )
            }
        }
        if let level = labels[prefix + "warn"] {
            let violations = PodSecurity.violations(pod["spec"] ?? [:], level)
            if !violations.isEmpty {
                admission.call.notes.warn(
                    "would violate PodSecurity \"\(level):latest\": \(violations.joined(separator: ", "))"
                )
            }
        }
    }
}

/// The levels `baseline` and `restricted` of the Pod Security Standards.
enum PodSecurity {
    private static let capabilities: Set<String> = [
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID",
        "SETPCAP", "SETUID", "SYS_CHROOT",
    ]
    private static let volumes: Set<String> = [
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
    ]

    /// What violates a level; an unknown one is as strict as the strictest.
    static func violations(_ spec: JSONTree, _ level: String) -> [String] {
        if level == "privileged" { return [] }
        return baseline(spec) + (level == "baseline" ? [] : restricted(spec))
    }

    private static func containers(_ spec: JSONTree) -> [JSONTree] {
        (spec["initContainers"]?.array ?? []) + (spec["containers"]?.array ?? [])
            + (spec["ephemeralContainers"]?.array ?? [])
    }

    private static func named(_ spec: JSONTree, _ isBad: (JSONTree) -> Bool) -> String? {
        let names = containers(spec).filter(isBad).map { "\"\($0["name"]?.string ?? "")\"" }
        if names.isEmpty { return nil }
        return names.count == 1 ? "container \(names[0])" : "containers \(names.joined(separator: ", "))"
    }

    private static func baseline(_ spec: JSONTree) -> [String] {
        var found: [String] = []
        let host = ["hostNetwork", "hostPID", "hostIPC"].filter { spec[$0] == true }
        if !host.isEmpty { found.append("host namespaces (\(host.map { "\($0)=true" }.joined(separator: ", ")))") }
        if let who = named(spec, { $0["securityContext"]?["privileged"] == true }) {
            found.append("privileged (\(who) must not set securityContext.privileged=true)")
        }
        if let who = named(
            spec,
            { container in
                (container["securityContext"]?["capabilities"]?["add"]?.array ?? []).contains {
                    !capabilities.contains($0.string ?? "")
                }
            }
        ) {
            found.append(
                "non-default capabilities (\(who) must not include additional capabilities in securityContext.capabilities.add)"
            )
        }
        let paths = (spec["volumes"]?.array ?? []).filter { $0["hostPath"] != nil }.map {
            "\"\($0["name"]?.string ?? "")\""
        }
        if !paths.isEmpty {
            found.append("hostPath volumes (volume\(paths.count > 1 ? "s" : "") \(paths.joined(separator: ", ")))")
        }
        let ports = containers(spec).flatMap { $0["ports"]?.array ?? [] }.compactMap { $0["hostPort"]?.integer }.filter
        { $0 > 0 }
        if !ports.isEmpty {
            found.append("hostPort (uses hostPorts \(ports.map(String.init).joined(separator: ", ")))")
        }
        if let who = named(spec, { ($0["securityContext"]?["procMount"]?.string ?? "Default") != "Default" }) {
            found.append("procMount (\(who) must not set securityContext.procMount)")
        }
        if seccomp(spec["securityContext"]) == "Unconfined"
            || named(spec, { seccomp($0["securityContext"]) == "Unconfined" }) != nil
        {
            found.append("seccompProfile (must not set securityContext.seccompProfile.type to \"Unconfined\")")
        }
        let hooks = named(spec) { container in
            ["livenessProbe", "readinessProbe", "startupProbe"].contains {
                !(container[$0]?["httpGet"]?["host"]?.string ?? "").isEmpty
                    || !(container[$0]?["tcpSocket"]?["host"]?.string ?? "").isEmpty
            }
        }
        if let hooks { found.append("hostProbesAndHostLifecycle (\(hooks) must not set a host in probes)") }
        return found
    }

    private static func seccomp(_ context: JSONTree?) -> String? { context?["seccompProfile"]?["type"]?.string }

    private static func restricted(_ spec: JSONTree) -> [String] {
        var found: [String] = []
        if let who = named(spec, { $0["securityContext"]?["allowPrivilegeEscalation"] != false }) {
            found.append(
                "allowPrivilegeEscalation != false (\(who) must set securityContext.allowPrivilegeEscalation=false)"
            )
        }
        if let who = named(
            spec,
            { container in
                let drop = container["securityContext"]?["capabilities"]?["drop"]?.array ?? []
                let add = container["securityContext"]?["capabilities"]?["add"]?.array ?? []
                return !drop.contains("ALL") || add.contains { $0 != "NET_BIND_SERVICE" }
            }
        ) {
            found.append("unrestricted capabilities (\(who) must set securityContext.capabilities.drop=[\"ALL\"])")
        }
        let bad = (spec["volumes"]?.array ?? []).filter { volume in
            (volume.object ?? [:]).keys.contains { $0 != "name" && $0 != "hostPath" && !volumes.contains($0) }
        }
        if !bad.isEmpty {
            found.append(
                "restricted volume types (volume \(bad.map { "\"\($0["name"]?.string ?? "")\"" }.joined(separator: ", ")))"
            )
        }
        let pod = spec["securityContext"] ?? [:]
        let isRooted = named(spec) { container in
            let own = container["securityContext"]?["runAsNonRoot"]?.bool
            return own == false || (own == nil && pod["runAsNonRoot"] != true)
        }
        if let isRooted {
            found.append("runAsNonRoot != true (pod or \(isRooted) must set securityContext.runAsNonRoot=true)")
        }
        if pod["runAsUser"] == 0 || named(spec, { $0["securityContext"]?["runAsUser"] == 0 }) != nil {
            found.append("runAsUser=0 (pod or containers must not set runAsUser=0)")
        }
        let allowed: Set = ["RuntimeDefault", "Localhost"]
        if let who = named(
            spec,
            { container in
                !allowed.contains(seccomp(container["securityContext"]) ?? seccomp(pod) ?? "")
            }
        ) {
            found.append(
                "seccompProfile (pod or \(who) must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"
            )
        }
        return found
    }
}
