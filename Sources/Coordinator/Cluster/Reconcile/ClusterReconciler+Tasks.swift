import BackupModel
import Kubernetes

// Tasks and functions: nothing but conditions.
extension ClusterReconciler {
    /// Shows on each task and function whether it is good, and what comes of it.
    func showTasks() async throws {
        let functions = Set(caches.listed[.functions].filter { !$0.isBeingDeleted }.map(\.name))
        for object in caches.listed[.tasks] {
            try await show(object, TaskSpec.self, .tasks) { spec in
                guard let (index, step) = spec.ownStep else { return (nil, spec.notices) }
                guard functions.contains(step.name) else {
                    let message = "names Function \(step.name), which does not exist"
                    return (FieldProblem("spec.steps[\(index)].name", message), [])
                }
                return (nil, ["does what Function \(step.name) says"])
            }
        }
        for object in caches.listed[.functions] {
            try await show(object, FunctionSpec.self, .functions) { spec in
                guard spec.stream != nil, let program = spec.command?.first else { return (nil, spec.notices) }
                return (nil, ["agents run \(program)"])
            }
        }
    }

    private func show<Spec: ResourceSpec>(
        _ object: KubernetesObject,
        _ type: Spec.Type,
        _ resource: APIResource,
        look: (Spec) -> (problem: FieldProblem?, words: [String])
    ) async throws {
        var status = ObservedStatus(conditions: ObservedConditions.of(object))
        status.observedGeneration = object.generation
        switch ObjectCatalog.resource(object, type) {
        case .success(let value):
            let (problem, words) = look(value.spec)
            let text = words.isEmpty ? "built in" : words.joined(separator: "; ")
            Self.setReady(&status.conditions, object, value.problems().first ?? problem, text)
        case .failure(let unreadable): Self.setReady(&status.conditions, object, unreadable.field, "")
        }
        try await show(status, on: object, resource)
    }
}

extension TaskSpec {
    /// The step that names a function of one's own, and its number; nil in a task that is built in.
    fileprivate var ownStep: (index: Int, step: Step)? {
        steps.enumerated().first { !BuiltIn.isOne($0.element.name, of: BuiltIn.functions) }
            .map { (index: $0.offset, step: $0.element) }
    }
}
