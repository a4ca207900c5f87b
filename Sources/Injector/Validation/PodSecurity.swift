import Kubernetes

/// The Pod Security Standards, as they concern one container (Kubernetes, "Pod Security Standards").
///
/// What concerns volumes and the pod as a whole is left out: of volumes we add `emptyDir`, `secret` and `projected`
/// only, which every level allows, and of the pod nothing.
enum PodSecurity {
    /// The first rule that a container breaks; nil when it keeps them all.
    static func reasonAgainst(
        _ container: Container,
        in pod: Pod,
        _ level: NamespaceFacts.PodSecurityLevel
    ) -> String? {
        switch level {
        case .privileged: nil
        case .baseline: baselineReason(container)
        case .restricted: baselineReason(container) ?? restrictedReason(container, pod)
        }
    }

    private static let baselineCapabilities: Set<String> = [
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    ]
    private static let seLinuxTypes: Set<String> = [
        "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t",
    ]

    private static func baselineReason(_ container: Container) -> String? {
        if container.security("privileged")?.bool == true { return "is privileged" }
        let added = capabilities(container, "add")
        if let bad = added.first(where: { !baselineCapabilities.contains($0) }) { return "adds the capability \(bad)" }
        if let options = container.security("seLinuxOptions") {
            guard seLinuxTypes.contains(options["type"]?.string ?? ""), (options["user"]?.string ?? "").isEmpty,
                (options["role"]?.string ?? "").isEmpty
            else { return "has the database's SELinux options, which are not allowed there" }
        }
        if container.security("procMount")?.string.map({ $0 != "Default" }) == true { return "unmasks /proc" }
        if container.security("seccompProfile")?["type"]?.string == "Unconfined" { return "has no seccomp profile" }
        let ports = container.tree["ports"]?.array ?? []
        if ports.contains(where: { ($0["hostPort"]?.integer ?? 0) != 0 }) { return "has a port of the host" }
        return nil
    }

    private static func restrictedReason(_ container: Container, _ pod: Pod) -> String? {
        if container.security("allowPrivilegeEscalation")?.bool != false { return "may gain privileges" }
        let nonRoot = container.security("runAsNonRoot") ?? pod.security("runAsNonRoot")
        if nonRoot?.bool != true { return "may run as root" }
        if (container.security("runAsUser") ?? pod.security("runAsUser"))?.integer == 0 { return "runs as root" }
        let profile = container.security("seccompProfile") ?? pod.security("seccompProfile")
        guard ["RuntimeDefault", "Localhost"].contains(profile?["type"]?.string ?? "") else {
            return "has no seccomp profile"
        }
        if !capabilities(container, "drop").contains("ALL") { return "keeps capabilities" }
        if capabilities(container, "add").contains(where: { $0 != "NET_BIND_SERVICE" }) { return "adds capabilities" }
        return nil
    }

    private static func capabilities(_ container: Container, _ list: String) -> [String] {
        container.security("capabilities")?[list]?.array?.compactMap(\.string) ?? []
    }
}
