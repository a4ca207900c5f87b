import Kubernetes

/// What the API server refuses in one container.
enum ContainerValidation {
    static func check(
        _ container: JSONTree,
        _ field: String,
        _ spec: JSONTree,
        _ specPath: String,
        _ errors: inout [FieldError]
    ) {
        environment(container, field, &errors)
        mounts(container, field, spec, &errors)
        ports(container, field, &errors)
        Resources.check(container["resources"], "\(field).resources", &errors)
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            if let tree = container[probe] { self.probe(tree, "\(field).\(probe)", probe, &errors) }
        }
        for hook in ["postStart", "preStop"] {
            if let tree = container["lifecycle"]?[hook] { handler(tree, "\(field).lifecycle.\(hook)", &errors) }
        }
        let words: [(String, [String])] = [
            ("terminationMessagePolicy", ["FallbackToLogsOnError", "File"]),
            ("imagePullPolicy", ["Always", "IfNotPresent", "Never"]),
        ]
        for (key, allowed) in words {
            if let word = container[key]?.string, !allowed.contains(word) {
                errors.append(.notSupported("\(field).\(key)", .string(word), allowed))
            }
        }
        PodContexts.checkContainer(container["securityContext"] ?? [:], "\(field).securityContext", &errors)
        for (index, device) in (container["volumeDevices"]?.array ?? []).enumerated() {
            let name = device["name"]?.string ?? ""
            if !PodValidation.volumeNames(spec).contains(name) {
                errors.append(.notFound("\(field).volumeDevices[\(index)].name", .string(name)))
            }
        }
    }

    private static func environment(_ container: JSONTree, _ field: String, _ errors: inout [FieldError]) {
        for (index, variable) in (container["env"]?.array ?? []).enumerated() {
            let path = "\(field).env[\(index)]"
            let name = variable["name"]?.string ?? ""
            if name.isEmpty {
                errors.append(.required("\(path).name"))
            } else if name.contains("=") || !name.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) {
                errors.append(
                    .invalid(
                        "\(path).name",
                        .string(name),
                        "a valid environment variable name must consist only of printable ASCII characters other than '='"
                    )
                )
            }
            guard let source = variable["valueFrom"] else { continue }
            let count = (source.object ?? [:]).count
            if count == 0 {
                errors.append(
                    .invalid(
                        "\(path).valueFrom",
                        "",
                        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
                    )
                )
            }
            if !(variable["value"]?.string ?? "").isEmpty {
                errors.append(.invalid("\(path).valueFrom", "", "may not be specified when `value` is not empty"))
            } else if count > 1 {
                errors.append(.invalid("\(path).valueFrom", "", "may not have more than one field specified at a time"))
            }
            if let reference = source["fieldRef"] {
                DownwardAPI.check(reference, "\(path).valueFrom.fieldRef", DownwardAPI.environment, &errors)
            }
            if let reference = source["resourceFieldRef"] {
                DownwardAPI.checkResource(
                    reference,
                    "\(path).valueFrom.resourceFieldRef",
                    needsContainer: false,
                    &errors
                )
            }
            for key in ["secretKeyRef", "configMapKeyRef"] {
                guard let reference = source[key] else { continue }
                if (reference["name"]?.string ?? "").isEmpty {
                    errors.append(.required("\(path).valueFrom.\(key).name"))
                }
                if (reference["key"]?.string ?? "").isEmpty { errors.append(.required("\(path).valueFrom.\(key).key")) }
            }
        }
        for (index, source) in (container["envFrom"]?.array ?? []).enumerated() {
            if (source["configMapRef"] == nil) == (source["secretRef"] == nil) {
                errors.append(
                    .invalid("\(field).envFrom[\(index)]", "", "must specify one of: `configMapRef` or `secretRef`")
                )
            }
        }
    }

    private static func mounts(_ container: JSONTree, _ field: String, _ spec: JSONTree, _ errors: inout [FieldError]) {
        let volumes = PodValidation.volumeNames(spec)
        var paths: Set<String> = []
        for (index, mount) in (container["volumeMounts"]?.array ?? []).enumerated() {
            let path = "\(field).volumeMounts[\(index)]"
            let name = mount["name"]?.string ?? ""
            if name.isEmpty {
                errors.append(.required("\(path).name"))
            } else if !volumes.contains(name) {
                errors.append(.notFound("\(path).name", .string(name)))
            }
            let place = mount["mountPath"]?.string ?? ""
            if place.isEmpty {
                errors.append(.required("\(path).mountPath"))
            } else if !paths.insert(place).inserted {
                errors.append(.invalid("\(path).mountPath", .string(place), "must be unique"))
            }
            let (subPath, expression) = (mount["subPath"]?.string ?? "", mount["subPathExpr"]?.string ?? "")
            for (key, value) in [("subPath", subPath), ("subPathExpr", expression)] where !value.isEmpty {
                errors += localPath(value, "\(path).\(key)")
            }
            if !subPath.isEmpty, !expression.isEmpty {
                errors.append(
                    .invalid(
                        "\(path).subPathExpr",
                        .string(expression),
                        "subPathExpr and subPath are mutually exclusive"
                    )
                )
            }
            if let word = mount["mountPropagation"]?.string,
                !["None", "HostToContainer", "Bidirectional"].contains(word)
            {
                errors.append(
                    .notSupported(
                        "\(path).mountPropagation",
                        .string(word),
                        ["Bidirectional", "HostToContainer", "None"]
                    )
                )
            }
            if mount["mountPropagation"] == "Bidirectional", container["securityContext"]?["privileged"] != true {
                errors.append(
                    .forbidden(
                        "\(path).mountPropagation",
                        "Bidirectional mount propagation is available only to privileged containers"
                    )
                )
            }
        }
    }

    /// A relative path that doesn't climb.
    static func localPath(_ text: String, _ field: String) -> [FieldError] {
        if text.hasPrefix("/") { return [.invalid(field, .string(text), "must be a relative path")] }
        return text.split(separator: "/").contains("..")
            ? [.invalid(field, .string(text), "must not contain '..'")] : []
    }

    private static func ports(_ container: JSONTree, _ field: String, _ errors: inout [FieldError]) {
        var names: Set<String> = []
        for (index, port) in (container["ports"]?.array ?? []).enumerated() {
            let path = "\(field).ports[\(index)]"
            if let name = port["name"]?.string, !name.isEmpty {
                if name.wholeMatch(of: /[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?/) == nil || name.contains("--")
                    || !name.contains(where: \.isLetter)
                {
                    errors.append(
                        .invalid(
                            "\(path).name",
                            .string(name),
                            "must be no more than 15 characters, lower case alphanumeric or '-', with at least one letter"
                        )
                    )
                }
                if !names.insert(name).inserted { errors.append(.duplicate("\(path).name", .string(name))) }
            }
            let number = port["containerPort"]?.integer ?? 0
            if number == 0 {
                errors.append(.required("\(path).containerPort"))
            } else if !(1...65535).contains(number) {
                errors.append(
                    .invalid("\(path).containerPort", .integer(number), "must be between 1 and 65535, inclusive")
                )
            }
            if let word = port["protocol"]?.string, !["TCP", "UDP", "SCTP"].contains(word) {
                errors.append(.notSupported("\(path).protocol", .string(word), ["SCTP", "TCP", "UDP"]))
            }
        }
    }

    private static func probe(_ probe: JSONTree, _ field: String, _ name: String, _ errors: inout [FieldError]) {
        handler(probe, field, &errors, kinds: ["exec", "httpGet", "tcpSocket", "grpc"])
        for key in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
            if let number = probe[key]?.integer, number < 0 {
                errors.append(.invalid("\(field).\(key)", .integer(number), "must be greater than or equal to 0"))
            }
        }
        if name != "readinessProbe", let number = probe["successThreshold"]?.integer, number != 1 {
            errors.append(.invalid("\(field).successThreshold", .integer(number), "must be 1"))
        }
        if name == "readinessProbe", let seconds = probe["terminationGracePeriodSeconds"] {
            errors.append(
                .invalid("\(field).terminationGracePeriodSeconds", seconds, "must not be set for readinessProbes")
            )
        }
    }

    private static func handler(
        _ handler: JSONTree,
        _ field: String,
        _ errors: inout [FieldError],
        kinds: [String] = ["exec", "httpGet", "tcpSocket", "sleep"]
    ) {
        let given = kinds.filter { handler[$0] != nil }
        if given.isEmpty { errors.append(.required(field, "must specify a handler type")) }
        for extra in given.dropFirst() {
            errors.append(.forbidden("\(field).\(extra)", "may not specify more than 1 handler type"))
        }
        if let exec = handler["exec"], exec["command"]?.array?.isEmpty ?? true {
            errors.append(.required("\(field).exec.command"))
        }
        for kind in ["httpGet", "tcpSocket", "grpc"] {
            guard let target = handler[kind] else { continue }
            if let number = target["port"]?.integer, !(1...65535).contains(number) {
                errors.append(
                    .invalid("\(field).\(kind).port", .integer(number), "must be between 1 and 65535, inclusive")
                )
            }
        }
        if let scheme = handler["httpGet"]?["scheme"]?.string, !["HTTP", "HTTPS"].contains(scheme) {
            errors.append(.notSupported("\(field).httpGet.scheme", .string(scheme), ["HTTP", "HTTPS"]))
        }
    }
}

/// Requests and limits.
enum Resources {
    static func check(_ resources: JSONTree?, _ field: String, _ errors: inout [FieldError]) {
        let limits = resources?["limits"]?.object ?? [:]
        let requests = resources?["requests"]?.object ?? [:]
        for (list, values) in [("limits", limits), ("requests", requests)] {
            for (name, value) in values.sorted(by: { $0.key < $1.key }) {
                let path = "\(field).\(list)[\(name)]"
                let isStandard =
                    ["cpu", "memory", "ephemeral-storage"].contains(name) || name.hasPrefix("hugepages-")
                    || name.contains("/")
                if !isStandard {
                    errors.append(.invalid(path, .string(name), "must be a standard resource for containers"))
                }
                guard let quantity = value.string.flatMap(Quantity.init) else { continue }
                if quantity.isNegative { errors.append(.invalid(path, value, "must be greater than or equal to 0")) }
                if name.contains("/"), !quantity.isWhole { errors.append(.invalid(path, value, "must be an integer")) }
            }
        }
        for (name, value) in requests.sorted(by: { $0.key < $1.key }) {
            guard let request = value.string.flatMap(Quantity.init),
                let limit = limits[name]?.string.flatMap(Quantity.init), request > limit
            else { continue }
            errors.append(
                .invalid(
                    "\(field).requests",
                    value,
                    "must be less than or equal to \(name) limit of \(limits[name]?.string ?? "")"
                )
            )
        }
    }
}
