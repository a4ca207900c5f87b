import Kubernetes

/// Calls validating webhooks; the first that denies decides.
struct ValidatingWebhooks: Sendable {
    let admission: Admission

    func check(_ object: JSONTree?) async throws {
        let resource = GroupResource(group: "admissionregistration.k8s.io", resource: "validatingwebhookconfigurations")
        for (_, configuration) in admission.core.store.read({ $0.all(resource) }).sorted(by: { $0.key < $1.key }) {
            for hook in configuration["webhooks"]?.array ?? [] { try await ask(hook, object) }
        }
    }

    private func ask(_ hook: JSONTree, _ object: JSONTree?) async throws {
        let name = hook["name"]?.string ?? ""
        guard admission.fitsRules(hook["rules"]), admission.fitsNamespace(hook["namespaceSelector"], object),
            admission.fitsObject(hook["objectSelector"], object), try WebhookConditions.fit(hook, object, admission)
        else { return }
        let response: WebhookResponse
        do throws(WebhookFailure) {
            response = try await WebhookCall(hook: hook, admission: admission).send(object)
        } catch {
            guard hook["failurePolicy"]?.string == "Ignore" else {
                throw APIError.internalError(
                    "failed calling webhook \"\(name)\": failed to call webhook: \(error.text)"
                )
            }
            admission.core.log.note(.failedOpen(webhook: name, reason: error.text))
            return
        }
        for warning in response.warnings { admission.call.notes.warn(warning) }
        for (key, value) in response.auditAnnotations { admission.call.notes.annotate("\(name)/\(key)", value) }
        guard response.isAllowed else { throw WebhookResponse.denial(name, response) }
    }
}
