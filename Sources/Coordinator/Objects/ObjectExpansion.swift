import BackupModel

/// Where an object comes from: a document, or one that became several objects.
struct Origin {
    /// The document.
    var item: ObjectParser.Found
    /// For an object that a document became: where its fields stand there, the longest beginnings first.
    var fields: [(own: String, there: String)] = []

    /// Whether the document is another object.
    var isExpanded: Bool { !fields.isEmpty }

    /// A problem with one of the object's fields, told where it stands.
    func problem(_ field: FieldProblem) -> ObjectProblem {
        for (own, there) in fields where field.path.hasPrefix(own) {
            return item.problem(FieldProblem(there + field.path.dropFirst(own.count), field.message))
        }
        return item.problem(field)
    }
}

/// What batches and blueprints in files become: configurations, and a blueprint's repositories.
///
/// In files only an AppBinding can ask for a blueprint: there are no workloads to look at.
struct ObjectExpansion {
    /// What they become, and from what.
    private(set) var objects: [(object: ParsedObject, origin: Origin)] = []
    /// Why they can't.
    private(set) var problems: [ObjectProblem] = []

    /// Expands all batches, and the blueprints that AppBindings name.
    init(_ found: [ObjectParser.Found]) {
        for item in found {
            switch item.object {
            case .batch(let batch): expand(batch, item)
            case .binding(let binding):
                guard let name = binding.metadata.annotations?[BackupBlueprintSpec.annotation] else { continue }
                expand(name, for: binding, item, among: found)
            default: break
            }
        }
    }

    private mutating func expand(_ batch: BackupBatch, _ item: ObjectParser.Found) {
        if batch.spec.executionOrder == .sequential, batch.spec.members.count > 1 {
            let message = "is 'Sequential', which needs Kubernetes; from files members run all at once: Parallel"
            problems.append(item.problem(FieldProblem("spec.executionOrder", message)))
        }
        let (configurations, wrong) = batch.expand()
        problems += wrong.map(item.problem)
        for configuration in configurations {
            let index = configuration.metadata.annotations?[BackupBatchSpec.positionAnnotation] ?? "0"
            let fields = ["target", "task"].map { (own: "spec.\($0)", there: "spec.members[\(index)].\($0)") }
            objects.append((.configuration(configuration), Origin(item: item, fields: fields)))
        }
    }

    private mutating func expand(
        _ name: String,
        for binding: AppBinding,
        _ item: ObjectParser.Found,
        among found: [ObjectParser.Found]
    ) {
        let path = "metadata.annotations"
        var blueprints: [String: (object: BackupBlueprint, item: ObjectParser.Found)] = [:]
        for other in found {
            if case .blueprint(let blueprint) = other.object {
                blueprints[blueprint.metadata.name] = (blueprint, other)
            }
        }
        guard let (blueprint, pattern) = blueprints[name] else {
            let known =
                blueprints.isEmpty
                ? "there is none" : "there are: \(blueprints.keys.sorted().joined(separator: ", "))"
            let message =
                "\(BackupBlueprintSpec.annotation) names BackupBlueprint \(name), which does not exist; \(known)"
            problems.append(item.problem(FieldProblem(path, message)))
            return
        }
        var target = BlueprintTarget(namespace: binding.key.namespace, name: binding.metadata.name)
        target.hasBinding = true
        target.engine = binding.spec.engine
        target.annotations = binding.metadata.annotations ?? [:]
        let (made, wrong) = blueprint.expand(for: target)
        // The blueprint is good by itself, so it is the annotations that are not.
        problems += wrong.map { item.problem(FieldProblem(path, "make a configuration whose \($0)")) }
        if let repository = made.repository {
            objects.append((.repository(repository), Origin(item: pattern, fields: [("spec.backend", "spec.backend")])))
        }
        objects.append(
            (.configuration(made.configuration), Origin(item: pattern, fields: [("spec.schedule", "spec.schedule")]))
        )
    }
}
