import Kubernetes

/// The mount with the database's files, as the agent gets it too.
struct DataVolume: Sendable {
    /// The agent's mount.
    let mount: JSONTree
    /// Variables that `subPathExpr` needs.
    let variables: [JSONTree]

    /// Finds the volume that the annotations ask for; nil when they ask for none.
    ///
    /// - Throws: `InjectionError` with code `.dataVolume`.
    init?(in pod: Pod, _ database: DatabaseContainer, _ request: InjectionRequest) throws(InjectionError) {
        guard request.dataMount != .none else { return nil }
        let container = database.container
        let found = try Self.find(container, database.preset, request)
        guard let volume = found["name"]?.string, let path = found["mountPath"]?.string else {
            throw InjectionError(.shape, "a mount of container '\(container.name)' has no name or no mountPath")
        }
        guard pod.volumes.contains(where: { $0["name"]?.string == volume }) else {
            throw InjectionError(
                .dataVolume,
                "container '\(container.name)' mounts '\(volume)', which is no volume of the pod"
            )
        }
        var mount: JSONTree = ["name": .string(volume), "mountPath": .string(path)]
        if request.dataMount == .readOnly { mount["readOnly"] = true }
        if let part = found["subPath"]?.string, !part.isEmpty { mount["subPath"] = .string(part) }
        var variables: [JSONTree] = []
        if let expression = found["subPathExpr"]?.string, !expression.isEmpty {
            mount["subPathExpr"] = .string(expression)
            variables = try Self.variables(of: expression, in: container)
        }
        self.mount = mount
        self.variables = variables
    }

    private static func find(
        _ container: Container,
        _ preset: EnginePreset,
        _ request: InjectionRequest
    ) throws(InjectionError) -> JSONTree {
        let option = preset.dataOption.flatMap { container.option($0) }
        let paths = option.map { [$0] } ?? preset.dataPaths
        let devices = container.tree["volumeDevices"]?.array ?? []
        if let wanted = request.dataVolume {
            let mounts = container.mounts.filter { $0["name"]?.string == wanted }
            if mounts.count == 1, let only = mounts.first { return only }
            if let holding = holder(of: paths, in: mounts) { return holding }
            let reason =
                devices.contains { $0["name"]?.string == wanted }
                ? "is a block device, which an agent can't share"
                : mounts.isEmpty
                    ? "isn't mounted in container '\(container.name)'"
                    : "is mounted in several places, none of which holds \(paths.joined(separator: " or "))"
            throw InjectionError(.dataVolume, "\(Annotation.dataVolume.name) is '\(wanted)', which \(reason)")
        }
        if let holding = holder(of: paths, in: container.mounts) { return holding }
        if paths.isEmpty {
            throw InjectionError(
                .dataVolume,
                "where \(preset.engine) keeps its data isn't known; name the volume with \(Annotation.dataVolume.name)"
            )
        }
        throw InjectionError(
            .dataVolume,
            devices.isEmpty
                ? "no volume of container '\(container.name)' holds \(paths.joined(separator: " or ")); name it with "
                    + Annotation.dataVolume.name
                : "container '\(container.name)' keeps its data on a block device, which an agent can't share; set "
                    + "\(Annotation.dataMount.name) to none"
        )
    }

    /// The deepest mount that holds the first of the paths that any mount holds.
    private static func holder(of paths: [String], in mounts: [JSONTree]) -> JSONTree? {
        for path in paths {
            let holding = mounts.filter { mount in
                guard let place = mount["mountPath"]?.string, !place.isEmpty else { return false }
                return Self.isBelow(path, place)
            }
            let deepest = holding.max {
                ($0["mountPath"]?.string ?? "").utf8.count < ($1["mountPath"]?.string ?? "").utf8.count
            }
            if let deepest { return deepest }
        }
        return nil
    }

    private static func isBelow(_ path: String, _ place: String) -> Bool {
        var place = place[...]
        while place.hasSuffix("/") { place.removeLast() }
        return path == place || path.hasPrefix(place + "/")
    }

    /// The variables that an expression names, as the database's container has them.
    ///
    /// Without them the kubelet couldn't start our container, and the database would wait for it.
    private static func variables(of expression: String, in container: Container) throws(InjectionError) -> [JSONTree] {
        var result: [JSONTree] = []
        var rest = expression[...]
        while let start = rest.firstRange(of: "$(") {
            let name = rest[start.upperBound...].prefix { $0 != ")" }
            rest = rest[name.endIndex...]
            if result.contains(where: { $0["name"]?.string == String(name) }) { continue }
            let known = container.tree["env"]?.array?.last { $0["name"]?.string == String(name) }
            guard let known, let copy = plain(known) else {
                throw InjectionError(
                    .dataVolume,
                    "the data's subPathExpr '\(expression)' needs \(name), which container '\(container.name)' doesn't "
                        + "get as a plain value or a field of the pod"
                )
            }
            result.append(copy)
        }
        return result
    }

    /// A variable that means the same in another container; nil when it may not.
    private static func plain(_ variable: JSONTree) -> JSONTree? {
        guard let name = variable["name"], name.string?.hasPrefix("REMORA_") == false else { return nil }
        if let field = variable[path: "valueFrom", "fieldRef"]?.object {
            return ["name": name, "valueFrom": ["fieldRef": .object(field)]]
        }
        guard let value = variable["value"]?.string, !value.contains("$(") else { return nil }
        return ["name": name, "value": .string(value)]
    }
}
