import BackupModel
import Kubernetes

/// The objects of the cluster as types of ours: what is good comes into force, what isn't is told on the very object.
///
/// One bad object never takes another out of force. Each is read once for each of its versions.
struct ObjectCatalog: Sendable {
    /// An object as it was read.
    struct Read: Sendable {
        var version: String
        var object: ParsedObject?
        var problems: [FieldProblem]
    }

    /// What comes into force, and what is wrong with the rest.
    struct Result: Sendable {
        var objects = ObjectSet()
        var problems: [ObjectSet.Place: [FieldProblem]] = [:]
    }

    private var known: [ObjectSet.Place: Read] = [:]

    /// Reads what has changed.
    ///
    /// - Parameters:
    ///   - lists: all objects, by kind; those of sessions without those that have begun and nobody cancels.
    ///   - catalogBindings: AppBindings of `appcatalog.appscode.com`: targets where there is none of ours.
    ///   - namespaces: labels of namespaces.
    /// - Returns: what is in force now, and what is wrong with the rest.
    mutating func read(
        _ lists: [String: [KubernetesObject]],
        catalogBindings: [KubernetesObject] = [],
        namespaces: [String: [String: String]] = [:]
    ) -> Result {
        var found: [ObjectSet.Place: Read] = [:]
        for (kind, objects) in lists {
            guard let reader = Self.readers[kind] else { continue }
            for object in objects {
                let place = ObjectSet.Place(kind: kind, key: ResourceKey(object.key))
                let version = Self.version(object)
                if let old = known[place], old.version == version {
                    found[place] = old
                } else {
                    found[place] = reader(object, version)
                }
            }
        }
        known = found
        var result = Result()
        result.objects.namespaceLabels = namespaces
        for (place, read) in found {
            if !read.problems.isEmpty { result.problems[place] = read.problems }
            if read.problems.isEmpty, let object = read.object { _ = result.objects.add(object) }
        }
        let wanted = Self.targets(result.objects)
        for object in catalogBindings where result.objects.bindings[ResourceKey(object.key)] == nil {
            // Another operator's databases of all kinds are none of ours before somebody names them.
            guard let binding = Self.catalogBinding(object),
                BuiltIn.engines.contains(binding.spec.engine) || wanted.contains(binding.key)
            else { continue }
            result.objects.bindings[binding.key] = binding
        }
        Self.takeOut(&result)
        return result
    }

    /// Targets that are named by anything.
    private static func targets(_ objects: ObjectSet) -> Set<ResourceKey> {
        let configurations = objects.configurations.values.map {
            ResourceKey(namespace: $0.key.namespace, name: $0.spec.target.ref.name)
        }
        let restores = objects.restoreSessions.values.map {
            ResourceKey(namespace: $0.key.namespace, name: $0.spec.target.ref.name)
        }
        return Set(configurations + restores)
    }

    /// What the coordinator itself writes must not look like a change.
    private static func version(_ object: KubernetesObject) -> String {
        "\(object.uid) \(object.generation) \(object.annotations.hashValue) \(object.labels.hashValue)"
    }

    /// Takes objects out of force whose references lead nowhere; sessions that wait for them say why.
    private static func takeOut(_ result: inout Result) {
        var dangling: [ObjectSet.Place: [FieldProblem]] = [:]
        for (place, problem) in result.objects.problems() { dangling[place, default: []].append(problem) }
        result.problems.merge(dangling) { $0 + $1 }
        for (key, session) in result.objects.backupSessions {
            let place = ObjectSet.Place(kind: BackupSessionSpec.kind, key: key)
            let configuration = ResourceKey(namespace: key.namespace, name: session.spec.invoker.name)
            let reasons = result.problems[.init(kind: BackupConfigurationSpec.kind, key: configuration)]
            if let reason = reasons?.first {
                let message = "names BackupConfiguration \(configuration), which is not in force: \(reason)"
                result.problems[place] = [FieldProblem("spec.invoker.name", message)]
            }
        }
        for place in result.problems.keys {
            switch place.kind {
            case BackupConfigurationSpec.kind: result.objects.configurations[place.key] = nil
            case BackupSessionSpec.kind: result.objects.backupSessions[place.key] = nil
            case RestoreSessionSpec.kind: result.objects.restoreSessions[place.key] = nil
            default: break
            }
        }
    }

    // MARK: Reading

    private typealias Reader = @Sendable (KubernetesObject, String) -> Read

    /// The kinds that come into force, and how each is read: the one table.
    private static let readers: [String: Reader] = [
        RepositorySpec.kind: reader(ParsedObject.repository),
        AppBindingSpec.kind: reader(ParsedObject.binding),
        BackupConfigurationSpec.kind: reader(ParsedObject.configuration),
        BackupSessionSpec.kind: reader(ParsedObject.backupSession),
        RestoreSessionSpec.kind: reader(ParsedObject.restoreSession),
        // Its members' configurations are objects of their own.
        BackupBatchSpec.kind: reader(ParsedObject.batch),
        TaskSpec.kind: reader(ParsedObject.task),
        FunctionSpec.kind: reader(ParsedObject.function),
    ]

    private static func reader<Spec: ResourceSpec>(
        _ make: @escaping @Sendable (Resource<Spec>) -> ParsedObject
    ) -> Reader {
        { object, version in
            switch resource(object, Spec.self) {
            case .success(let resource):
                let parsed = make(resource)
                return Read(version: version, object: parsed, problems: parsed.problems())
            case .failure(let problem):
                return Read(version: version, object: nil, problems: [problem.field])
            }
        }
    }

    /// An object as a type of ours, without its status.
    static func resource<Spec: ResourceSpec>(
        _ object: KubernetesObject,
        _ type: Spec.Type
    ) -> Swift.Result<Resource<Spec>, UnreadableObject> {
        do {
            let spec = try object.decode(Spec.self, at: "spec")
            let metadata = ResourceMetadata(
                name: object.name,
                namespace: object.namespace.isEmpty ? nil : object.namespace,
                labels: object.labels,
                annotations: object.annotations
            )
            return .success(Resource(metadata: metadata, spec: spec))
        } catch {
            return .failure(UnreadableObject(field: FieldProblem(error.path, error.reason)))
        }
    }

    private static func catalogBinding(_ object: KubernetesObject) -> AppBinding? {
        do {
            let binding = try object.tree.decode(AppCatalogBinding.self).appBinding().binding
            return binding.problems().isEmpty ? binding : nil
        } catch {
            // Another operator's object of a shape that we don't know is no target; who refers to it is told so.
            return nil
        }
    }
}

/// An object that is none of ours: which field, and why.
struct UnreadableObject: Error, Sendable, Hashable {
    var field: FieldProblem
}
