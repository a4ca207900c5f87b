import ArgumentParser
import BackupModel
import Injector
import Kubernetes

/// What `enroll` and `unenroll` have in common: read, show, ask, change.
struct TemplateChangeOptions: ParsableArguments {
    @Flag(help: "Change nothing; print the patch.")
    var print = false

    @Flag(name: .shortAndLong, help: "Don't ask.")
    var yes = false

    @Option(name: .shortAndLong, help: "The workload's namespace; if left out: that of the kubeconfig's context.")
    var namespace: String?

    @OptionGroup(title: "Kubernetes") var cluster: ClusterOptions
    @OptionGroup var output: OutputOptions

    /// `-o json`.
    struct Answer: Codable, Sendable, Hashable {
        var namespace: String
        var workload: String
        var changes: [Enrollment.Change]
        var consequence: String
        var warnings: [String]
        /// The merge patch as a JSON text.
        var patch: String
        var isApplied: Bool
    }

    /// Carries out a change that `make` makes, if `judge` doesn't refuse it; what that gives are warnings.
    func run(
        _ workload: WorkloadReference,
        _ make: (WorkloadFacts) -> Enrollment,
        _ judge: (WorkloadFacts, Enrollment, NamespaceFacts) throws -> [String]
    ) async throws {
        let surroundings = Surroundings.current
        let cluster = try Cluster.open(cluster, surroundings)
        let place = namespace ?? cluster.namespace
        let facts = try await read(workload, place, cluster)
        let enrollment = make(facts)
        var answer = Answer(
            namespace: place,
            workload: workload.description,
            changes: enrollment.changes,
            consequence: facts.consequence,
            warnings: [],
            patch: enrollment.patch.description,
            isApplied: false
        )
        answer.warnings = try judge(facts, enrollment, try await namespaceFacts(place, cluster))
        guard !enrollment.changes.isEmpty else {
            answer.consequence = "nothing changes: \(workload) in \(place) is as it should be"
            return try conclude(answer) { page in page.add("\(answer.consequence)") }
        }
        answer.warnings += facts.warnings
        if print {
            warn(answer)
            surroundings.console.write(output.isJSON ? enrollment.patch.description + "\n" : enrollment.yaml)
            return
        }
        // What the server would refuse is refused before anybody is asked.
        try await attempt {
            () async throws(KubernetesError) in
            _ = try await cluster.client.tryPatch(
                merging: enrollment.patch,
                into: workload.kind.resource,
                name: workload.name,
                namespace: place
            )
        }
        try confirm(enrollment, answer, surroundings)
        // Guarded by the version that was read: what was shown is what is done.
        var patch = enrollment.patch
        if let version = facts.object[path: "metadata", "resourceVersion"] {
            patch["metadata"] = ["resourceVersion": version]
        }
        let guarded = patch
        try await attempt {
            () async throws(KubernetesError) in
            try await cluster.client.patch(
                .merge(guarded),
                of: workload.kind.resource,
                name: workload.name,
                namespace: place,
                fieldManager: Install.fieldManager
            )
        }
        answer.isApplied = true
        let done = answer
        try conclude(done) { page in
            page.add("\("done", .good): \(done.workload) in \(done.namespace) is changed")
            page.add("  follow it  kubectl rollout status \(done.workload) -n \(done.namespace)")
            page.add("  then       remora doctor -n \(done.namespace)")
        }
    }

    // MARK: Inside

    private func read(_ workload: WorkloadReference, _ place: String, _ cluster: Cluster) async throws -> WorkloadFacts
    {
        do throws(KubernetesError) {
            let object = try await cluster.client.get(workload.kind.resource, name: workload.name, namespace: place)
            return WorkloadFacts(reference: workload, object: object.tree)
        } catch {
            guard error.isNotFound else { throw CommandFailure(error) }
            throw CommandFailure(
                .notFound,
                "there is no \(workload) in namespace \(place)",
                hint: "kubectl get statefulsets,deployments -n \(place); -n names another namespace"
            )
        }
    }

    private func namespaceFacts(_ name: String, _ cluster: Cluster) async throws -> NamespaceFacts {
        let fetched = await cluster.fetch { () async throws(KubernetesError) in
            try await cluster.client.get(.namespaces, name: name)
        }
        switch fetched {
        case .found(let namespace):
            let labels = (namespace[path: "metadata", "labels"]?.object ?? [:]).compactMapValues(\.string)
            var facts = NamespaceFacts(name: name, labels: labels)
            facts.take(await limits(name, cluster))
            return facts
        case .failed(let reason): throw CommandFailure(.kubernetes, reason)
        // Who may not read namespaces may still have agents; the webhook will judge.
        case .denied, .missing, .notAsked: return NamespaceFacts(name: name)
        }
    }

    /// What the webhook will fit the agent to, as far as this person may see it.
    private func limits(_ name: String, _ cluster: Cluster) async -> NamespaceFacts.Limits {
        func list(_ resource: APIResource) async -> [JSONTree] {
            let fetched = await cluster.fetch { () async throws(KubernetesError) in
                try await cluster.client.list(resource, namespace: name).items
            }
            // Not seen: the webhook judges by itself.
            return (fetched.value ?? []).map(\.tree)
        }
        return NamespaceFacts.Limits(limitRanges: await list(.limitRanges), quotas: await list(.resourceQuotas))
    }

    private func confirm(_ enrollment: Enrollment, _ answer: Answer, _ surroundings: Surroundings) throws {
        if !output.isJSON {
            surroundings.console.print(EnrollPage.make(enrollment, consequence: answer.consequence))
            warn(answer)
        }
        if yes { return }
        guard let ask = surroundings.ask, !output.isJSON else {
            throw CommandFailure(
                .usage,
                "\(answer.workload) in \(answer.namespace) was not changed: nobody is here to be asked",
                hint: "--yes does it without asking, --print shows what would be done"
            )
        }
        guard ask("Change it?") else { throw CommandFailure(.cancelled, "nothing was changed") }
    }

    private func warn(_ answer: Answer) {
        for warning in answer.warnings { Surroundings.current.console.warn(warning) }
    }

    private func conclude(_ answer: Answer, _ fill: (inout Page) -> Void) throws {
        // With a change that was carried out they were shown before it was.
        if !output.isJSON, !answer.isApplied { warn(answer) }
        try output.show(answer) {
            var page = Page()
            fill(&page)
            return page
        }
    }

    @discardableResult private func attempt<Value>(
        _ body: () async throws(KubernetesError) -> Value
    ) async throws -> Value {
        do {
            return try await body()
        } catch {
            if error.isConflict {
                throw CommandFailure(
                    .refused,
                    "somebody changed it in between: \(error.message)",
                    hint: "look at it again, and run this again"
                )
            }
            throw CommandFailure(error)
        }
    }
}
