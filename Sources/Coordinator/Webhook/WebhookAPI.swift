import Hummingbird
import Injector
import Kubernetes
import Logging

/// The API server's side of the server: `POST /webhook/v1/inject`, and what probes ask.
///
/// Every replica answers, from memory only. Whatever is wrong, a pod goes on.
struct WebhookAPI: Sendable {
    static let path = "/webhook/v1/inject"
    /// Later than this nobody decides any more: an answer that comes in time matters more.
    static let deadline = Duration.seconds(2)

    let injector: AgentInjector
    let namespaces: any NamespaceFactsSource
    let counters: WebhookCounters
    let isReady: @Sendable () -> Bool
    let logger: Logger
    let now: @Sendable () -> ContinuousClock.Instant

    func add<Context: RequestContext>(to router: Router<Context>) {
        router.post("webhook/v1/inject") { request, _ in try await review(request) }
        router.get("/healthz") { _, _ in "ok\n" }
        router.get("/readyz") { _, _ -> String in
            guard isReady() else {
                throw RequestError(
                    status: 503,
                    code: "notReady",
                    message: "the webhook has not answered its own question over TLS yet, or is shutting down",
                    isRetryable: true
                )
            }
            return "ok\n"
        }
    }

    private func review(_ request: Request) async throws -> Response {
        let start = now()
        let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased() ?? ""
        guard type == "application/json" else {
            counters.countMalformed()
            throw RequestError(
                status: 415,
                code: "unsupportedMediaType",
                message: "the body of an AdmissionReview is application/json"
            )
        }
        let bytes = try await Answers.body(request, limit: AdmissionReview.maximumBytes)
        let review: AdmissionReview
        do {
            review = try AdmissionReview(parsing: bytes)
        } catch {
            counters.countMalformed()
            throw RequestError(status: 400, code: "malformed", message: "\(error)")
        }
        let (answer, decision) = decide(review, isLate: now() - start > limit(request))
        counters.count(decision, now() - start)
        tell(review, decision)
        return Response(
            status: .ok,
            headers: Answers.jsonHeaders,
            body: .init(byteBuffer: ByteBuffer(bytes: answer.bytes))
        )
    }

    /// The API server says in `?timeout=5s` how long it waits; half of it is ours at most.
    private func limit(_ request: Request) -> Duration {
        guard let text = request.uri.queryParameters["timeout"], text.hasSuffix("s"),
            let seconds = Int(text.dropLast()),
            seconds > 0
        else { return Self.deadline }
        return min(Self.deadline, .milliseconds(500 * seconds))
    }

    private func decide(_ review: AdmissionReview, isLate: Bool) -> (AdmissionAnswer, InjectionDecision?) {
        // Nothing known: what the strictest namespace allows is allowed everywhere.
        let facts =
            namespaces.facts(of: review.namespace)
            ?? NamespaceFacts(name: review.namespace, podSecurity: .restricted)
        guard isLate, review.isPodCreation, injector.isAsked(review.object) else {
            return injector.answer(review, facts)
        }
        let decision = injector.refuse(
            review.object,
            InjectionError(.deadline, "the webhook was too slow; make the pod anew to have an agent")
        )
        return (injector.answer(review, decision), decision)
    }

    private func tell(_ review: AdmissionReview, _ decision: InjectionDecision?) {
        guard let decision, decision.outcome != .notAsked else { return }
        var pod = review.object["metadata"]?["name"]?.string ?? ""
        if pod.isEmpty { pod = (review.object["metadata"]?["generateName"]?.string ?? "") + "…" }
        logger.info(
            "pod \(review.namespace)/\(pod): \(decision.outcome.rawValue)\(decision.error.map { ": \($0)" } ?? "")",
            metadata: review.isDryRun ? ["dryRun": "true"] : [:]
        )
    }
}
