import Foundation
import Kubernetes
import Synchronization

/// Every bearer token that was given out.
final class TokenBook: Sendable {
    /// What a service account's token says.
    struct Claims: Sendable {
        var namespace: String
        var account: String
        var accountUID: String
        var audiences: [String]
        var issued: Date
        var expires: Date
        var pod: (name: String, uid: String)?
        var node: (name: String, uid: String)?
        var id: String

        var identity: Identity {
            var extra = ["authentication.kubernetes.io/credential-id": ["JTI=\(id)"]]
            if let pod {
                extra["authentication.kubernetes.io/pod-name"] = [pod.name]
                extra["authentication.kubernetes.io/pod-uid"] = [pod.uid]
            }
            if let node {
                extra["authentication.kubernetes.io/node-name"] = [node.name]
                if !node.uid.isEmpty { extra["authentication.kubernetes.io/node-uid"] = [node.uid] }
            }
            return Identity(username: "system:serviceaccount:\(namespace):\(account)", uid: accountUID, extra: extra)
        }
    }

    private enum Owner: Sendable {
        case fixed(Identity)
        case account(Claims)
    }

    static let apiAudience = "https://kubernetes.default.svc.cluster.local"

    private let tokens = Mutex<[String: Owner]>([:])
    private let now: @Sendable () -> Date

    init(lifetime now: @escaping @Sendable () -> Date) { self.now = now }

    /// A token that says who its bearer is, until it is revoked.
    func issue(_ identity: Identity) -> String {
        let token = "fake." + UUID().uuidString.lowercased()
        tokens.withLock { $0[token] = .fixed(identity) }
        return token
    }

    /// A service account's token; it looks like a JWT, and its signature is noise.
    func issue(_ claims: Claims) -> String {
        var kubernetes: JSONTree = [
            "namespace": .string(claims.namespace),
            "serviceaccount": ["name": .string(claims.account), "uid": .string(claims.accountUID)],
        ]
        if let pod = claims.pod { kubernetes["pod"] = ["name": .string(pod.name), "uid": .string(pod.uid)] }
        if let node = claims.node { kubernetes["node"] = ["name": .string(node.name), "uid": .string(node.uid)] }
        let payload: JSONTree = [
            "iss": .string(Self.apiAudience), "sub": .string(claims.identity.username), "jti": .string(claims.id),
            "aud": .array(claims.audiences.map { .string($0) }), "kubernetes.io": kubernetes,
            "iat": .integer(Int64(claims.issued.timeIntervalSince1970)),
            "exp": .integer(Int64(claims.expires.timeIntervalSince1970)),
        ]
        let header: JSONTree = ["alg": "RS256", "kid": "fake"]
        let noise = (0..<64).map { _ in UInt8.random(in: 0...255) }
        let token = [header.bytes, payload.bytes, noise].map(Self.base64URL).joined(separator: ".")
        tokens.withLock { $0[token] = .account(claims) }
        return token
    }

    private static func base64URL(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    func revoke(_ token: String) { tokens.withLock { _ = $0.removeValue(forKey: token) } }

    /// Who bears a token, if it is good for one of the audiences now.
    ///
    /// - Returns: the bearer and those of the audiences that the token is for, or why there is none.
    func bearer(_ token: String, audiences: [String], store: Store) -> Result<(Identity, [String]), Refusal> {
        switch tokens.withLock({ $0[token] }) {
        case nil: return .failure(Refusal("invalid bearer token"))
        case .fixed(let identity): return .success((identity, audiences))
        case .account(let claims):
            let common = audiences.filter(claims.audiences.contains)
            guard !common.isEmpty else {
                return .failure(
                    Refusal(
                        "invalid bearer token, token audiences \(claims.audiences) is invalid for the target audiences \(audiences)"
                    )
                )
            }
            guard claims.expires > now() else {
                return .failure(Refusal("invalid bearer token, service account token has expired"))
            }
            return missing(claims, store).map { .failure(Refusal("invalid bearer token, \($0)")) }
                ?? .success((claims.identity, common))
        }
    }

    /// What a token is bound to and isn't there any more.
    private func missing(_ claims: Claims, _ store: Store) -> String? {
        store.read { state in
            let account = state.object(
                GroupResource(group: "", resource: "serviceaccounts"),
                ObjectKey(namespace: claims.namespace, name: claims.account)
            )
            guard account?.uid == claims.accountUID else {
                return "serviceaccount \(claims.namespace)/\(claims.account) not found"
            }
            guard let pod = claims.pod else { return nil }
            let bound = state.object(
                GroupResource(group: "", resource: "pods"),
                ObjectKey(namespace: claims.namespace, name: pod.name)
            )
            return bound?.uid == pod.uid ? nil : "pod \(claims.namespace)/\(pod.name) not found"
        }
    }

    struct Refusal: Error { var text: String; init(_ text: String) { self.text = text } }
}
