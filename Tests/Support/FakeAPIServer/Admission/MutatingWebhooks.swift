import Foundation
import Kubernetes

/// Calls mutating webhooks one after the other, sorted by the names of their configurations.
struct MutatingWebhooks: Sendable {
    let admission: Admission

    private struct Hook {
        var configuration: String
        var tree: JSONTree
        var name: String { tree["name"]?.string ?? "" }
        var mayBeReinvoked: Bool { tree["reinvocationPolicy"]?.string == "IfNeeded" }
        var id: String { "\(configuration)/\(name)" }
    }

    func run(_ given: JSONTree) async throws -> JSONTree {
        let resource = GroupResource(group: "admissionregistration.k8s.io", resource: "mutatingwebhookconfigurations")
        let hooks = admission.core.store.read { $0.all(resource) }.sorted { $0.key < $1.key }.flatMap { key, object in
            (object["webhooks"]?.array ?? []).map { Hook(configuration: key.name, tree: $0) }
        }
        var object = given
        var called: Set<String> = []
        /// Those behind which somebody else changed the object.
        var outdated: Set<String> = []
        for hook in hooks {
            guard try fits(hook, object) else { continue }
            let result = try await ask(hook, object, round: 0)
            if result != object { outdated.formUnion(called) }
            object = result
            if hook.mayBeReinvoked { called.insert(hook.id) }
        }
        let afterFirst = object
        let changed = try admission.core.mutators.apply(.between, object, admission)
        if changed != afterFirst { outdated.formUnion(called) }
        object = changed
        for hook in hooks where outdated.contains(hook.id) && called.contains(hook.id) {
            guard try fits(hook, object) else { continue }
            object = try await ask(hook, object, round: 1)
        }
        return object
    }

    private func fits(_ hook: Hook, _ object: JSONTree) throws -> Bool {
        let tree = hook.tree
        guard admission.fitsRules(tree["rules"]), admission.fitsNamespace(tree["namespaceSelector"], object),
            admission.fitsObject(tree["objectSelector"], object)
        else { return false }
        return try WebhookConditions.fit(tree, object, admission)
    }

    /// One call; what `Ignore` covers leaves the object as it is.
    private func ask(_ hook: Hook, _ object: JSONTree, round: Int) async throws -> JSONTree {
        if admission.call.isDryRun, !["None", "NoneOnDryRun"].contains(hook.tree["sideEffects"]?.string ?? "") {
            throw APIError.badRequest("admission webhook \"\(hook.name)\" does not support dry run")
        }
        let response: WebhookResponse
        do throws(WebhookFailure) {
            response = try await WebhookCall(hook: hook.tree, admission: admission).send(object)
        } catch {
            return try failOpen(hook, error, object, round)
        }
        for warning in response.warnings { admission.call.notes.warn(warning) }
        for (key, value) in response.auditAnnotations { admission.call.notes.annotate("\(hook.name)/\(key)", value) }
        guard response.isAllowed else { throw WebhookResponse.denial(hook.name, response) }
        guard let patch = response.patch else { return object }
        let operations: JSONTree
        do {
            operations = try JSONTree(parsing: patch)
            guard operations.array != nil else { throw JSONPatch.Failure(description: "not a list of operations") }
        } catch {
            return try failOpen(hook, WebhookFailure("patch can't be decoded: \(error)"), object, round)
        }
        do {
            let patched = try JSONPatch.apply(operations, to: object)
            let isChanged = patched != object
            admission.call.notes.annotate(
                "mutation.webhook.admission.k8s.io/round_\(round)_index_\(hook.configuration)",
                "{\"configuration\":\"\(hook.configuration)\",\"webhook\":\"\(hook.name)\",\"mutated\":\(isChanged)}"
            )
            return try readAgain(patched)
        } catch {
            // Ignore doesn't cover a patch that doesn't apply.
            throw APIError.internalError("\(error)")
        }
    }

    /// A patched object is read and gets its defaults before the next webhook sees it.
    private func readAgain(_ patched: JSONTree) throws -> JSONTree {
        let type = admission.type
        var unknown: [String] = []
        guard !type.isCustom else {
            return Pruning.defaulted(Pruning.pruned(patched, type.schema, "", &unknown), type.schema)
        }
        var decoder = BuiltinDecoder()
        return BuiltinDefaults.defaulted(
            try decoder.decode(patched, type.schema, kind: type.kind, version: type.version),
            type
        )
    }

    private func failOpen(_ hook: Hook, _ failure: WebhookFailure, _ object: JSONTree, _ round: Int) throws -> JSONTree
    {
        guard hook.tree["failurePolicy"]?.string == "Ignore" else {
            throw APIError.internalError(
                "failed calling webhook \"\(hook.name)\": failed to call webhook: \(failure.text)"
            )
        }
        admission.call.notes.annotate(
            "failed-open.mutation.webhook.admission.k8s.io/round_\(round)_index_\(hook.configuration)",
            hook.name
        )
        admission.core.log.note(.failedOpen(webhook: hook.name, reason: failure.text))
        return object
    }
}

/// Why a webhook gave no answer that counts.
struct WebhookFailure: Error { var text: String; init(_ text: String) { self.text = text } }

/// `matchConditions`.
enum WebhookConditions {
    /// Whether all hold; one that can't be asked follows the failure policy, unless another says no.
    static func fit(_ hook: JSONTree, _ object: JSONTree?, _ admission: Admission) throws -> Bool {
        var failure: String?
        for condition in hook["matchConditions"]?.array ?? [] {
            let text = condition["expression"]?.string ?? ""
            do {
                let program = try CELProgram(text, variables: AdmissionTypes.condition, result: .bool)
                if try !program.isTrue(admission.variables(object)) { return false }
            } catch {
                failure = "\(condition["name"]?.string ?? ""): \(error)"
            }
        }
        guard let failure else { return true }
        if hook["failurePolicy"]?.string == "Ignore" { return false }
        throw APIError.forbidden(
            admission.type.groupResource,
            admission.call.info.name,
            "failed to evaluate match condition \(failure)"
        )
    }
}
