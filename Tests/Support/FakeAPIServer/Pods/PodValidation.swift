import Kubernetes

/// What the API server refuses in a pod's specification.
struct PodValidation {
    private(set) var errors: [FieldError] = []
    let path: String
    let spec: JSONTree

    static func errors(_ spec: JSONTree, path: String = "spec", isTemplate: Bool = false) -> [FieldError] {
        var validation = PodValidation(path: path, spec: spec)
        validation.check(isTemplate: isTemplate)
        return validation.errors
    }

    private init(path: String, spec: JSONTree) {
        self.path = path
        self.spec = spec
    }

    mutating func add(_ error: FieldError) { errors.append(error) }
    mutating func add(_ problems: [String], _ field: String, _ value: String) {
        errors += problems.map { .invalid(field, .string(value), $0) }
    }

    private mutating func check(isTemplate: Bool) {
        checkVolumes()
        let containers = spec["containers"]?.array ?? []
        let inits = spec["initContainers"]?.array ?? []
        if containers.isEmpty { add(.required("\(path).containers")) }
        var names: Set<String> = []
        for (index, container) in containers.enumerated() {
            check(container, "\(path).containers[\(index)]", isInit: false, &names)
        }
        for (index, container) in inits.enumerated() {
            check(container, "\(path).initContainers[\(index)]", isInit: true, &names)
        }
        checkPorts(containers + inits.filter { $0["restartPolicy"] == "Always" })
        checkWords()
        let context = spec["securityContext"] ?? [:]
        PodContexts.check(context, "\(path).securityContext", &errors)
        if let seconds = spec["activeDeadlineSeconds"]?.integer, seconds < 1 {
            add(
                .invalid(
                    "\(path).activeDeadlineSeconds",
                    .integer(seconds),
                    "must be between 1 and 2147483647, inclusive"
                )
            )
        }
        if let seconds = spec["terminationGracePeriodSeconds"]?.integer, seconds < 0 {
            add(
                .invalid(
                    "\(path).terminationGracePeriodSeconds",
                    .integer(seconds),
                    "must be greater than or equal to 0"
                )
            )
        }
        for (key, problems) in [
            ("serviceAccountName", Names.problemsOfSubdomain), ("nodeName", Names.problemsOfSubdomain),
            ("hostname", Names.problemsOfLabel), ("subdomain", Names.problemsOfLabel),
        ] {
            if let name = spec[key]?.string, !name.isEmpty { add(problems(name), "\(path).\(key)", name) }
        }
        errors += MetaValidation.labelErrors(spec["nodeSelector"], "\(path).nodeSelector")
        if isTemplate, let policy = spec["restartPolicy"]?.string, policy != "Always" {
            add(.notSupported("\(path).restartPolicy", .string(policy), ["Always"]))
        }
    }

    private mutating func checkWords() {
        let words: [(String, [String])] = [
            ("restartPolicy", ["Always", "OnFailure", "Never"]),
            ("dnsPolicy", ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]),
        ]
        for (key, allowed) in words {
            if let word = spec[key]?.string, !allowed.contains(word) {
                add(.notSupported("\(path).\(key)", .string(word), allowed))
            }
        }
        if spec["shareProcessNamespace"] == true, spec["hostPID"] == true {
            add(
                .invalid(
                    "\(path).shareProcessNamespace",
                    true,
                    "ShareProcessNamespace and HostPID cannot both be enabled"
                )
            )
        }
        for (index, toleration) in (spec["tolerations"]?.array ?? []).enumerated() {
            let field = "\(path).tolerations[\(index)]"
            if let word = toleration["operator"]?.string, !["Equal", "Exists"].contains(word) {
                add(.notSupported("\(field).operator", .string(word), ["Equal", "Exists"]))
            }
            if let word = toleration["effect"]?.string,
                !["NoSchedule", "PreferNoSchedule", "NoExecute", ""].contains(word)
            {
                add(.notSupported("\(field).effect", .string(word), ["NoSchedule", "PreferNoSchedule", "NoExecute"]))
            }
        }
    }

    /// Host ports, and names of ports, of all containers together.
    private mutating func checkPorts(_ containers: [JSONTree]) {
        var hostPorts: Set<String> = []
        for (index, container) in containers.enumerated() {
            for (place, port) in (container["ports"]?.array ?? []).enumerated() {
                guard let number = port["hostPort"]?.integer, number > 0 else { continue }
                let key = "\(port["protocol"]?.string ?? "TCP")/\(port["hostIP"]?.string ?? "0.0.0.0")/\(number)"
                if !hostPorts.insert(key).inserted {
                    add(.duplicate("\(path).containers[\(index)].ports[\(place)].hostPort", .string(key)))
                }
            }
        }
    }

    private mutating func check(_ container: JSONTree, _ field: String, isInit: Bool, _ names: inout Set<String>) {
        let name = container["name"]?.string ?? ""
        if name.isEmpty {
            add(.required("\(field).name"))
        } else {
            add(Names.problemsOfLabel(name), "\(field).name", name)
            if !names.insert(name).inserted { add(.duplicate("\(field).name", .string(name))) }
        }
        let image = container["image"]?.string ?? ""
        if image.isEmpty { add(.required("\(field).image")) }
        if image != image.trimmed {
            add(.invalid("\(field).image", .string(image), "must not have leading or trailing whitespace"))
        }
        let restart = container["restartPolicy"]?.string
        let isSidecar = isInit && restart == "Always"
        if let restart {
            if !isInit {
                add(.forbidden("\(field).restartPolicy", "may not be set for non-init containers"))
            } else if restart != "Always" {
                add(.notSupported("\(field).restartPolicy", .string(restart), ["Always"]))
            }
        }
        if isInit, !isSidecar {
            for key in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] where container[key] != nil {
                add(.forbidden("\(field).\(key)", "may not be set for init containers without restartPolicy=Always"))
            }
        }
        ContainerValidation.check(container, field, spec, path, &errors)
    }

    private mutating func checkVolumes() {
        var names: Set<String> = []
        for (index, volume) in (spec["volumes"]?.array ?? []).enumerated() {
            let field = "\(path).volumes[\(index)]"
            let name = volume["name"]?.string ?? ""
            if name.isEmpty {
                add(.required("\(field).name"))
            } else {
                add(Names.problemsOfLabel(name), "\(field).name", name)
                if !names.insert(name).inserted { add(.duplicate("\(field).name", .string(name))) }
            }
            VolumeValidation.check(volume, field, &errors)
        }
    }

    /// The names of volumes that may be mounted; claims from templates count in a StatefulSet's template.
    static func volumeNames(_ spec: JSONTree) -> Set<String> {
        Set((spec["volumes"]?.array ?? []).compactMap { $0["name"]?.string })
    }
}
