import BackupModel
import Kubernetes
import Logging
import Synchronization

/// Knows people by their tokens, and asks the API server what they may do: cluster mode.
final class AccessReviewAuthorizer: PeopleAuthorizer {
    private struct Question: Hashable, Sendable {
        var person: Person
        var access: PeopleAccess
    }

    let reviewer: TokenReviewer
    /// Asks the API server; a sentence says why not.
    let ask: @Sendable (Person, PeopleAccess) async throws -> (isAllowed: Bool, reason: String)
    private let allowed = Mutex<[Question: Timestamp]>([:])

    /// What was allowed is allowed for so long: somebody who looks on asks every second or so.
    private static let rememberedMs: Int64 = 10_000
    private static let mostRemembered = 5000

    init(
        reviewer: TokenReviewer,
        ask: @escaping @Sendable (Person, PeopleAccess) async throws -> (isAllowed: Bool, reason: String)
    ) {
        self.reviewer = reviewer
        self.ask = ask
    }

    func authenticate(_ credentials: PeopleCredentials, isWrite: Bool) async throws(RequestError) -> Person {
        guard let token = credentials.token else {
            throw RequestError(
                status: 401,
                code: "unauthorized",
                message: "this needs a token: Authorization: Bearer with that of "
                    + "'kubectl create token ACCOUNT --audience \(reviewer.audience)'"
            )
        }
        let reviewed = try await reviewer.review(token)
        return Person(name: reviewed.username, uid: reviewed.uid, groups: reviewed.groups, extra: reviewed.extra)
    }

    func authorize(_ person: Person, _ access: PeopleAccess) async throws(RequestError) {
        let question = Question(person: person, access: access)
        let now = reviewer.clock()
        if let until = allowed.withLock({ $0[question] }), until > now { return }
        let answer: (isAllowed: Bool, reason: String)
        do {
            answer = try await ask(person, access)
        } catch {
            throw RequestError(
                status: 503,
                code: "reviewFailed",
                message: "it can't be found out whether \(person.name ?? "you") may do this: \(error)",
                isRetryable: true,
                retryAfterMs: 5000
            )
        }
        guard answer.isAllowed else {
            let what = "\(access.resource)\(access.subresource.map { "/\($0)" } ?? "").remora.dev"
            let place = access.namespace.map { "in namespace \($0)" } ?? "in all namespaces (name one to ask for less)"
            throw RequestError(
                status: 403,
                code: "forbidden",
                message: "\(person.name ?? "you") may not \(access.verb.rawValue) \(what) \(place)"
                    + (answer.reason.isEmpty ? "" : ": \(answer.reason)")
            )
        }
        allowed.withLock { allowed in
            if allowed.count >= Self.mostRemembered { allowed = allowed.filter { $0.value > now } }
            if allowed.count < Self.mostRemembered {
                allowed[question] = now.adding(milliseconds: Self.rememberedMs)
            }
        }
    }
}
