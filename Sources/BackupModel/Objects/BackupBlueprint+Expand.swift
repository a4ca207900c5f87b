/// A target that asks for a blueprint.
public struct BlueprintTarget: Sendable, Hashable {
    /// Namespace.
    public var namespace: String
    /// Name of the target: of its AppBinding, and what the pods' `remora.dev/cluster` says.
    public var name: String
    /// Engine.
    public var engine = "mongodb"
    /// Whether it has an AppBinding of its own; otherwise one is made.
    public var hasBinding = false
    /// Its annotations: those that concern blueprints are looked at.
    public var annotations: [String: String] = [:]

    /// Makes a target.
    public init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }
}

/// What a blueprint makes of one target; nil for what is there already.
public struct BlueprintObjects: Sendable, Hashable {
    /// The repository, when the blueprint has a pattern of one.
    public var repository: RepositoryObject?
    /// The target's description, when it has none.
    public var binding: AppBinding?
    /// The configuration.
    public var configuration: BackupConfiguration
}

extension BackupBlueprint {
    /// What becomes of the blueprint for one target: the same objects for the same input, so that an edit of blueprint
    /// or annotations shows as a difference.
    ///
    /// - Returns: the objects, and everything that is wrong with them; with problems nothing is to be applied.
    public func expand(for target: BlueprintTarget) -> (objects: BlueprintObjects, problems: [FieldProblem]) {
        let labels = [BackupBlueprintSpec.label: metadata.name]
        func named(_ name: String, in namespace: String) -> ResourceMetadata {
            ResourceMetadata(name: name, namespace: namespace, labels: labels)
        }
        var repository: RepositoryObject?
        var reference = spec.repository ?? ResourceReference(name: target.name)
        if let backend = spec.backend {
            let namespace = spec.repoNamespace ?? target.namespace
            // In a namespace for all, targets of the same name in two namespaces must not meet.
            let name = namespace == target.namespace ? target.name : "\(target.namespace)-\(target.name)"
            reference = ResourceReference(name: name, namespace: namespace == target.namespace ? nil : namespace)
            var policy = spec.usagePolicy
            if policy == nil, namespace != target.namespace {
                let own = LabelSelector(matchLabels: ["kubernetes.io/metadata.name": target.namespace])
                policy = UsagePolicy(allowedNamespaces: .init(from: .selector, selector: own))
            }
            repository = RepositoryObject(
                metadata: named(name, in: namespace),
                spec: RepositorySpec(backend: BackupBlueprintSpec.filled(backend, for: target), usagePolicy: policy)
            )
        }
        let objects = BlueprintObjects(
            repository: repository,
            binding: target.hasBinding
                ? nil
                : AppBinding(
                    metadata: named(target.name, in: target.namespace),
                    spec: AppBindingSpec(type: target.engine)
                ),
            configuration: BackupConfiguration(
                metadata: named(target.name, in: target.namespace),
                spec: spec.configuration(for: target, repository: reference)
            )
        )
        let problems =
            (repository?.problems() ?? []) + (objects.binding?.problems() ?? []) + objects.configuration.problems()
        return (objects, problems)
    }
}

extension BackupBlueprintSpec {
    /// What stands for the target in a pattern.
    enum Variable: String, CaseIterable {
        case namespace = "TARGET_NAMESPACE"
        case name = "TARGET_NAME"

        var text: String { "${\(rawValue)}" }
    }

    func configuration(for target: BlueprintTarget, repository: ResourceReference) -> BackupConfigurationSpec {
        var spec = BackupConfigurationSpec(
            schedule: target.annotations[Self.scheduleAnnotation] ?? schedule,
            timeZone: timeZone,
            task: task(with: target.annotations),
            repository: repository,
            target: TargetReference(name: target.name)
        )
        spec.startingDeadlineSeconds = startingDeadlineSeconds
        spec.jitterSeconds = jitterSeconds
        spec.timeOut = timeOut
        spec.retryConfig = retryConfig
        spec.backupHistoryLimit = backupHistoryLimit
        spec.retentionPolicy = retentionPolicy
        spec.interimVolumeTemplate = interimVolumeTemplate
        spec.tempDir = tempDir
        spec.runtimeSettings = runtimeSettings
        return spec
    }

    /// The task, with the parameters that the target's annotations set.
    private func task(with annotations: [String: String]) -> TaskReference? {
        let own = annotations.filter { $0.key.hasPrefix(Self.parameterAnnotations) }
            .map {
                TaskReference.Parameter(
                    name: String($0.key.dropFirst(Self.parameterAnnotations.count)),
                    value: $0.value
                )
            }
            .sorted { $0.name < $1.name }
        guard !own.isEmpty else { return task }
        var result = task ?? TaskReference(name: BackupParameters.tasks[0])
        let others = (result.params ?? []).filter { parameter in !own.contains { $0.name == parameter.name } }
        result.params = others + own
        return result
    }

    /// A place with the target's names in it.
    static func filled(_ backend: StorageBackend, for target: BlueprintTarget) -> StorageBackend {
        func fill(_ text: String) -> String {
            var rest = text[...]
            var result = ""
            while let start = rest.firstIndex(of: "$") {
                result += rest[..<start]
                rest = rest[start...]
                if let variable = Variable.allCases.first(where: { rest.hasPrefix($0.text) }) {
                    result += variable == .namespace ? target.namespace : target.name
                    rest = rest.dropFirst(variable.text.count)
                } else {
                    result.append(rest.removeFirst())
                }
            }
            return result + rest
        }
        var result = backend
        if let s3 = backend.s3 {
            result.s3?.bucket = fill(s3.bucket)
            result.s3?.prefix = s3.prefix.map(fill)
        }
        if let local = backend.local {
            result.local?.mountPath = fill(local.mountPath)
            result.local?.subPath = local.subPath.map(fill)
        }
        return result
    }

    /// The first thing that looks like a variable and stands for nothing.
    static func unknownVariable(_ backend: StorageBackend) -> String? {
        let sample = filled(backend, for: BlueprintTarget(namespace: "namespace", name: "target"))
        for text in [sample.s3?.prefix, sample.s3?.bucket, sample.local?.mountPath, sample.local?.subPath] {
            guard let text, let start = text.firstIndex(of: "$") else { continue }
            let rest = text[start...]
            return String(rest[...(rest.firstIndex(of: "}") ?? rest.index(before: rest.endIndex))])
        }
        return nil
    }
}
