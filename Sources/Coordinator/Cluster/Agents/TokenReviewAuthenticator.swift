import BackupModel
import Foundation
import Kubernetes
import Logging
import Synchronization

/// Asks whose a token is: bounded, and remembered for as long as the token lives.
final class TokenReviewer: Sendable {
    private struct Known: Sendable {
        var user: UserInfo
        var until: Timestamp
    }
    private struct State: Sendable {
        var known: [[UInt8]: Known] = [:]
        var tokens = TokenReviewer.burst
        var filled: Timestamp
    }

    /// Most reviews a second, lasting.
    static let perSecond = 50.0
    /// Most reviews at once.
    static let burst = 100.0
    /// A token that doesn't say how long it lives is believed for so long; no token for longer than the second.
    private static let shortMs: Int64 = 60_000
    private static let longestMs: Int64 = 3_600_000
    private static let mostKnown = 20_000

    /// Asks the API server.
    let ask: @Sendable (String) async throws -> TokenReview
    let audience: String
    let clock: @Sendable () -> Timestamp
    private let state: Mutex<State>

    init(
        audience: String,
        clock: @escaping @Sendable () -> Timestamp,
        ask: @escaping @Sendable (String) async throws -> TokenReview
    ) {
        self.audience = audience
        self.clock = clock
        self.ask = ask
        state = Mutex(State(filled: clock()))
    }

    /// Whose a token is.
    ///
    /// - Throws: 401 for one that proves nothing to us, 429 when too many come at once, 503 when nobody can tell.
    func review(_ token: String) async throws(RequestError) -> UserInfo {
        guard token.utf8.count <= 16_384 else { throw Self.unauthorized("the token is longer than any token is") }
        let hash = Digest.sha256(Array(token.utf8))
        let now = clock()
        let known: Known? = state.withLock { state in
            guard let known = state.known[hash], known.until > now else { return nil }
            return known
        }
        if let known { return known.user }
        guard state.withLock({ Self.take(&$0, now) }) else {
            throw RequestError(
                status: 429,
                code: "tooMany",
                message: "too many tokens are to be checked at once; come again",
                isRetryable: true,
                retryAfterMs: Int.random(in: 1000...5000)
            )
        }
        let answer: TokenReview
        do {
            answer = try await ask(token)
        } catch {
            throw RequestError(
                status: 503,
                code: "reviewFailed",
                message: "the token can't be checked: \(error)",
                isRetryable: true,
                retryAfterMs: 5000
            )
        }
        guard answer.isAuthenticated, answer.audiences.contains(audience) else {
            let reason = answer.reason.isEmpty ? "it may have expired, or is not for this audience" : answer.reason
            throw Self.unauthorized("the API server doesn't accept the token for audience '\(audience)': \(reason)")
        }
        let expiry = Self.expiry(of: token) ?? now.adding(milliseconds: Self.shortMs)
        let until = min(expiry, now.adding(milliseconds: Self.longestMs))
        state.withLock { state in
            if state.known.count >= Self.mostKnown { state.known = state.known.filter { $0.value.until > now } }
            if state.known.count < Self.mostKnown { state.known[hash] = Known(user: answer.user, until: until) }
        }
        return answer.user
    }

    private static func take(_ state: inout State, _ now: Timestamp) -> Bool {
        let seconds = Double(max(0, now.milliseconds(since: state.filled))) / 1000
        state.tokens = min(burst, state.tokens + seconds * perSecond)
        state.filled = now
        guard state.tokens >= 1 else { return false }
        state.tokens -= 1
        return true
    }

    private static func unauthorized(_ message: String) -> RequestError {
        RequestError(status: 401, code: "unauthorized", message: message)
    }

    /// When a token says that it ends: the API server has checked it, so it can be believed.
    private static func expiry(of token: String) -> Timestamp? {
        struct Claims: Decodable { var exp: Int64 }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        // Not a JWT: then it is believed for a short while only.
        guard let bytes = Base64URL.bytes(parts[1]), let claims = try? WireJSON.decode(Claims.self, from: bytes) else {
            return nil
        }
        return Timestamp(unixSeconds: claims.exp)
    }
}

/// Knows pods by their projected tokens: cluster mode.
///
/// One agent can only ever be its own pod: the token is bound to a pod by the kubelet, the pod must be there with that
/// uid, and it must carry the labels that only our webhook's patch (or somebody who may edit pods) puts on it.
struct TokenReviewAuthenticator: AgentAuthenticator {
    let reviewer: TokenReviewer
    /// The pod of a name: from the cache, or from the API server when the cache doesn't know it yet.
    let pod: @Sendable (ResourceKey) async throws -> PodFact?
    let logger: Logger

    func identify(_ token: String?) async throws(RequestError) -> AgentIdentity {
        guard let token else {
            throw RequestError(
                status: 401,
                code: "unauthorized",
                message: "registering needs the pod's service account token for audience '\(reviewer.audience)'"
            )
        }
        let reviewed = try await reviewer.review(token)
        guard let account = reviewed.serviceAccount, let name = reviewed.podName, let uid = reviewed.podUID else {
            throw refused("the token of \(reviewed.username) is not bound to a pod; only a projected token is")
        }
        let key = ResourceKey(namespace: account.namespace, name: name)
        let fact: PodFact?
        do {
            fact = try await pod(key)
        } catch {
            throw RequestError(
                status: 503,
                code: "podUnknown",
                message: "pod \(key) can't be looked up: \(error)",
                isRetryable: true,
                retryAfterMs: 5000
            )
        }
        guard let fact else { throw refused("there is no pod \(key) with an agent of ours") }
        guard fact.uid == uid else { throw refused("the token belongs to an earlier pod of the name \(key)") }
        guard fact.isInjected else {
            throw refused("pod \(key) has no label \(ClusterNames.injected): \"true\"; it was not given an agent")
        }
        guard let cluster = fact.cluster else { throw refused("pod \(key) has no label \(ClusterNames.cluster)") }
        return .pod(key, uid: fact.uid, cluster: cluster)
    }

    private func refused(_ message: String) -> RequestError {
        logger.warning("an agent was refused: \(message)")
        return RequestError(status: 403, code: "notAnAgent", message: message)
    }
}
