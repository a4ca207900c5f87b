import BackupModel
import Logging

/// As whom a bearer may register.
enum AgentIdentity: Sendable, Hashable {
    /// Whoever has the shared secret is believed.
    case anyPod
    /// One pod, and what its labels say of it.
    case pod(ResourceKey, uid: String, cluster: String)

    /// Refuses what the claim says differently.
    func check(_ claim: RegisterRequest) throws(RequestError) {
        guard case .pod(let key, let uid, let cluster) = self else { return }
        func refuse(_ field: String, _ claimed: String, _ real: String) -> RequestError {
            RequestError(
                status: 403,
                code: "notYourPod",
                message:
                    "\(field) is '\(claimed)', but the token belongs to '\(real)'; an agent can only be its own pod"
            )
        }
        if claim.pod.namespace != key.namespace {
            throw refuse("pod.namespace", claim.pod.namespace, key.namespace)
        }
        if claim.pod.name != key.name { throw refuse("pod.name", claim.pod.name, key.name) }
        if claim.pod.uid != uid { throw refuse("pod.uid", claim.pod.uid, uid) }
        if claim.cluster != cluster {
            throw RequestError(
                status: 403,
                code: "notYourPod",
                message: "cluster is '\(claim.cluster)', but the pod's label remora.dev/cluster is '\(cluster)'"
            )
        }
    }
}

/// Says who wants to register.
protocol AgentAuthenticator: Sendable {
    /// Who the bearer of a token is.
    ///
    /// - Throws: 401 for a token that proves nothing, 403 for a pod that has no agent of ours.
    func identify(_ token: String?) async throws(RequestError) -> AgentIdentity
}

/// One secret that all agents share: embedded mode.
struct SharedSecretAuthenticator: AgentAuthenticator {
    let secret: [UInt8]
    let logger: Logger

    func identify(_ token: String?) throws(RequestError) -> AgentIdentity {
        guard let token, Digest.equal(Array(token.utf8), secret) else {
            logger.warning("an agent with a wrong enrolment token was refused")
            throw RequestError(
                status: 401,
                code: "unauthorized",
                message: "the enrolment token is wrong; give the agent the coordinator's enrolment token file"
            )
        }
        return .anyPod
    }
}
