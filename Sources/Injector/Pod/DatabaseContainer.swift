/// Which container of a pod runs the database, and which kind.
struct DatabaseContainer: Sendable {
    let container: Container
    let preset: EnginePreset

    /// Finds it as the annotations say, or as tools would guess.
    ///
    /// - Parameters:
    ///   - pod: without anything of ours.
    ///   - request: what the annotations ask for.
    ///   - earlier: the name that an earlier injection into this pod found.
    /// - Throws: `InjectionError` with code `.container`.
    init(in pod: Pod, _ request: InjectionRequest, earlier: String?) throws(InjectionError) {
        container = try Self.find(in: pod, request, earlier: earlier)
        if let engine = request.engine {
            preset = EnginePreset.of(engine)
            return
        }
        let found = container
        guard let match = EnginePreset.all.first(where: { $0.matches(found) }) else {
            throw InjectionError(
                .container,
                "neither image nor command of container '\(container.name)' tells which database it is; say it with "
                    + "\(Annotation.engine.name)"
            )
        }
        preset = match
    }

    private static func find(
        in pod: Pod,
        _ request: InjectionRequest,
        earlier: String?
    ) throws(InjectionError) -> Container {
        let names = pod.containers.map(\.name).joined(separator: ", ")
        if let wanted = request.container {
            if let container = pod.containers.first(where: { $0.name == wanted }) { return container }
            throw InjectionError(
                .container,
                "\(Annotation.container.name) is '\(wanted)', and the pod has no such container; there are: \(names)"
            )
        }
        for name in [earlier, pod.annotations[AgentMark.defaultContainer]] {
            if let container = pod.containers.first(where: { $0.name == name }) { return container }
        }
        if pod.containers.count == 1, let only = pod.containers.first { return only }
        let presets = request.engine.map { [EnginePreset.of($0)] } ?? EnginePreset.all
        let matches = pod.containers.filter { container in presets.contains { $0.matches(container) } }
        guard matches.count == 1, let match = matches.first else {
            throw InjectionError(
                .container,
                pod.containers.isEmpty
                    ? "the pod has no containers"
                    : "it isn't clear which container runs the database; name one with \(Annotation.container.name): "
                        + names
            )
        }
        return match
    }
}
