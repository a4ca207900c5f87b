import Kubernetes

/// What the API server refuses in a volume.
enum VolumeValidation {
    static func check(_ volume: JSONTree, _ field: String, _ errors: inout [FieldError]) {
        let sources = (volume.object ?? [:]).keys.filter { $0 != "name" }.sorted()
        if sources.isEmpty { errors.append(.required(field, "must specify a volume type")) }
        for extra in sources.dropFirst() {
            errors.append(.forbidden("\(field).\(extra)", "may not specify more than 1 volume type"))
        }
        if let directory = volume["emptyDir"] {
            if let limit = directory["sizeLimit"]?.string.flatMap(Quantity.init), limit.isNegative {
                errors.append(
                    .forbidden("\(field).emptyDir.sizeLimit", "SizeLimit field must be a valid resource quantity")
                )
            }
            if let medium = directory["medium"]?.string, !["", "Memory"].contains(medium),
                !medium.hasPrefix("HugePages")
            {
                errors.append(.notSupported("\(field).emptyDir.medium", .string(medium), ["Memory", ""]))
            }
        }
        if let path = volume["hostPath"], (path["path"]?.string ?? "").isEmpty {
            errors.append(.required("\(field).hostPath.path"))
        }
        if let secret = volume["secret"] {
            if (secret["secretName"]?.string ?? "").isEmpty { errors.append(.required("\(field).secret.secretName")) }
            mode(secret["defaultMode"], "\(field).secret.defaultMode", &errors)
            items(secret["items"], "\(field).secret.items", &errors)
        }
        if let map = volume["configMap"] {
            if (map["name"]?.string ?? "").isEmpty { errors.append(.required("\(field).configMap.name")) }
            mode(map["defaultMode"], "\(field).configMap.defaultMode", &errors)
            items(map["items"], "\(field).configMap.items", &errors)
        }
        if let claim = volume["persistentVolumeClaim"], (claim["claimName"]?.string ?? "").isEmpty {
            errors.append(.required("\(field).persistentVolumeClaim.claimName"))
        }
        if let downward = volume["downwardAPI"] { files(downward["items"], "\(field).downwardAPI.items", &errors) }
        if let projected = volume["projected"] { self.projected(projected, "\(field).projected", &errors) }
    }

    private static func mode(_ value: JSONTree?, _ field: String, _ errors: inout [FieldError]) {
        if let number = value?.integer, !(0...0o777).contains(number) {
            errors.append(
                .invalid(field, .integer(number), "must be a number between 0 and 0777 (octal), both inclusive")
            )
        }
    }

    private static func items(_ list: JSONTree?, _ field: String, _ errors: inout [FieldError]) {
        for (index, item) in (list?.array ?? []).enumerated() {
            if (item["key"]?.string ?? "").isEmpty { errors.append(.required("\(field)[\(index)].key")) }
            place(item["path"], "\(field)[\(index)].path", &errors)
            mode(item["mode"], "\(field)[\(index)].mode", &errors)
        }
    }

    private static func place(_ path: JSONTree?, _ field: String, _ errors: inout [FieldError]) {
        let text = path?.string ?? ""
        if text.isEmpty {
            errors.append(.required(field))
        } else if text.hasPrefix("..") {
            errors.append(.invalid(field, .string(text), "must not start with '..'"))
        } else {
            errors += ContainerValidation.localPath(text, field)
        }
    }

    private static func files(_ list: JSONTree?, _ field: String, _ errors: inout [FieldError]) {
        for (index, item) in (list?.array ?? []).enumerated() {
            let path = "\(field)[\(index)]"
            place(item["path"], "\(path).path", &errors)
            mode(item["mode"], "\(path).mode", &errors)
            switch (item["fieldRef"], item["resourceFieldRef"]) {
            case (let reference?, nil): DownwardAPI.check(reference, "\(path).fieldRef", DownwardAPI.volume, &errors)
            case (nil, let reference?):
                DownwardAPI.checkResource(reference, "\(path).resourceFieldRef", needsContainer: true, &errors)
            case (nil, nil):
                errors.append(.required("\(path).fieldRef", "one of fieldRef and resourceFieldRef is required"))
            default:
                errors.append(
                    .invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
                )
            }
        }
    }

    private static func projected(_ projected: JSONTree, _ field: String, _ errors: inout [FieldError]) {
        mode(projected["defaultMode"], "\(field).defaultMode", &errors)
        var paths: Set<String> = []
        for (index, source) in (projected["sources"]?.array ?? []).enumerated() {
            let path = "\(field).sources[\(index)]"
            let kinds = (source.object ?? [:]).keys.sorted()
            if kinds.isEmpty { errors.append(.required(path, "must specify a projected volume source")) }
            for extra in kinds.dropFirst() {
                errors.append(.forbidden("\(path).\(extra)", "may not specify more than 1 volume type per source"))
            }
            for kind in ["secret", "configMap"] {
                guard let tree = source[kind] else { continue }
                if (tree["name"]?.string ?? "").isEmpty { errors.append(.required("\(path).\(kind).name")) }
                items(tree["items"], "\(path).\(kind).items", &errors)
            }
            if let downward = source["downwardAPI"] { files(downward["items"], "\(path).downwardAPI.items", &errors) }
            if let token = source["serviceAccountToken"] {
                let seconds = token["expirationSeconds"]?.integer ?? 3600
                if seconds < 600 {
                    errors.append(
                        .invalid(
                            "\(path).serviceAccountToken.expirationSeconds",
                            .integer(seconds),
                            "may not specify a duration less than 10 minutes"
                        )
                    )
                }
                if seconds > 1 << 32 {
                    errors.append(
                        .invalid(
                            "\(path).serviceAccountToken.expirationSeconds",
                            .integer(seconds),
                            "may not specify a duration larger than 2^32 seconds"
                        )
                    )
                }
                place(token["path"], "\(path).serviceAccountToken.path", &errors)
            }
            for name in names(source) where !paths.insert(name).inserted {
                errors.append(.invalid(path, .string(name), "conflicting duplicate paths"))
            }
        }
    }

    private static func names(_ source: JSONTree) -> [String] {
        let items = ["secret", "configMap", "downwardAPI"].flatMap { source[$0]?["items"]?.array ?? [] }
        return items.compactMap { $0["path"]?.string }
            + [source["serviceAccountToken"]?["path"]?.string].compactMap { $0 }
    }
}

/// Fields of a pod that containers may be told.
enum DownwardAPI {
    static let environment = [
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs", "status.podIP", "status.podIPs",
    ]
    static let volume = [
        "metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid",
    ]
    private static let resources = [
        "limits.cpu", "limits.memory", "limits.ephemeral-storage", "requests.cpu", "requests.memory",
        "requests.ephemeral-storage",
    ]

    static func check(_ reference: JSONTree, _ field: String, _ allowed: [String], _ errors: inout [FieldError]) {
        let path = reference["fieldPath"]?.string ?? ""
        if path.isEmpty {
            errors.append(.required("\(field).fieldPath"))
            return
        }
        if let match = path.wholeMatch(of: /metadata\.(labels|annotations)\['(.*)'\]/) {
            errors += Names.problemsOfQualifiedName(String(match.2).lowercased()).map {
                .invalid("\(field).fieldPath", .string(path), $0)
            }
            return
        }
        let known = Set(environment + volume + ["spec.restartPolicy", "status.phase"])
        if !known.contains(path) {
            errors.append(
                .invalid(
                    "\(field).fieldPath",
                    .string(path),
                    "error converting fieldPath: field label not supported: \(path)"
                )
            )
        } else if !allowed.contains(path) {
            errors.append(.notSupported("\(field).fieldPath", .string(path), allowed.sorted()))
        }
    }

    static func checkResource(
        _ reference: JSONTree,
        _ field: String,
        needsContainer: Bool,
        _ errors: inout [FieldError]
    ) {
        if needsContainer, (reference["containerName"]?.string ?? "").isEmpty {
            errors.append(.required("\(field).containerName"))
        }
        let resource = reference["resource"]?.string ?? ""
        if resource.isEmpty {
            errors.append(.required("\(field).resource"))
        } else if !resources.contains(resource), !resource.contains("hugepages-") {
            errors.append(.notSupported("\(field).resource", .string(resource), resources))
        }
    }
}

/// Security contexts.
enum PodContexts {
    private static func numbers(_ context: JSONTree, _ field: String, _ keys: [String], _ errors: inout [FieldError]) {
        for key in keys {
            if let number = context[key]?.integer, !(0...2_147_483_647).contains(number) {
                errors.append(
                    .invalid("\(field).\(key)", .integer(number), "must be between 0 and 2147483647, inclusive")
                )
            }
        }
        if let profile = context["seccompProfile"] {
            let type = profile["type"]?.string ?? ""
            if type.isEmpty {
                errors.append(.required("\(field).seccompProfile.type"))
            } else if !["Localhost", "RuntimeDefault", "Unconfined"].contains(type) {
                errors.append(
                    .notSupported(
                        "\(field).seccompProfile.type",
                        .string(type),
                        ["Localhost", "RuntimeDefault", "Unconfined"]
                    )
                )
            }
            if type == "Localhost", profile["localhostProfile"] == nil {
                errors.append(
                    .required("\(field).seccompProfile.localhostProfile", "must be set when seccomp type is Localhost")
                )
            }
        }
    }

    static func check(_ context: JSONTree, _ field: String, _ errors: inout [FieldError]) {
        numbers(context, field, ["runAsUser", "runAsGroup", "fsGroup"], &errors)
        if let word = context["fsGroupChangePolicy"]?.string, !["OnRootMismatch", "Always"].contains(word) {
            errors.append(.notSupported("\(field).fsGroupChangePolicy", .string(word), ["Always", "OnRootMismatch"]))
        }
    }

    static func checkContainer(_ context: JSONTree, _ field: String, _ errors: inout [FieldError]) {
        numbers(context, field, ["runAsUser", "runAsGroup"], &errors)
        if context["allowPrivilegeEscalation"] == false {
            if context["privileged"] == true {
                errors.append(
                    .invalid(field, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
                )
            }
            if context["capabilities"]?["add"]?.array?.contains("CAP_SYS_ADMIN") ?? false {
                errors.append(
                    .invalid(
                        field,
                        context,
                        "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
                    )
                )
            }
        }
        if let word = context["procMount"]?.string, !["Default", "Unmasked"].contains(word) {
            errors.append(.notSupported("\(field).procMount", .string(word), ["Default", "Unmasked"]))
        }
    }
}
