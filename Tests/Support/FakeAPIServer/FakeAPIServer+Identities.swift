public import Foundation
import Kubernetes

extension FakeAPIServer {
    /// A bearer token for somebody; it is good until it is revoked.
    public func token(for identity: Identity) -> String { core.tokens.issue(identity) }

    /// A token of a service account that must exist, as `serviceaccounts/token` gives them.
    ///
    /// - Parameters:
    ///   - namespace: of the account.
    ///   - account: its name.
    ///   - audiences: for whom; empty: for the API server.
    ///   - lifetime: seconds, by the server's clock; may be short, unlike with the real call.
    ///   - pod: the name of the pod that it is bound to.
    /// - Returns: the token.
    /// - Throws: ``FakeAPIServerError`` when account or pod aren't there.
    public func serviceAccountToken(
        namespace: String,
        account: String = "default",
        audiences: [String] = [],
        lifetime: TimeInterval = 3600,
        pod: String? = nil
    ) throws -> String {
        guard let object = object("serviceaccounts", namespace: namespace, name: account) else {
            throw FakeAPIServerError("there is no service account \(namespace)/\(account)")
        }
        var claims = TokenBook.Claims(
            namespace: namespace,
            account: account,
            accountUID: object.uid,
            audiences: audiences.isEmpty ? [TokenBook.apiAudience] : audiences,
            issued: core.now,
            expires: core.now.addingTimeInterval(lifetime),
            id: UUID().uuidString.lowercased()
        )
        if let pod {
            guard let bound = self.object("pods", namespace: namespace, name: pod) else {
                throw FakeAPIServerError("there is no pod \(namespace)/\(pod)")
            }
            claims.pod = (pod, bound.uid)
            if let node = bound["spec"]?["nodeName"]?.string { claims.node = (node, "") }
        }
        return core.tokens.issue(claims)
    }

    /// Makes a token worthless.
    public func revoke(_ token: String) { core.tokens.revoke(token) }

    /// A certificate and its key (PEM) by which the server knows somebody who has no token.
    ///
    /// A server has one client's certificate: the last identity counts.
    ///
    /// - Throws: ``FakeAPIServerError`` without TLS.
    public func clientCertificate(for identity: Identity) throws -> (certificate: String, key: String) {
        guard let tls else { throw FakeAPIServerError("without TLS nobody is known by a certificate") }
        return try tls.clientCertificate(for: identity)
    }

    /// Takes another authority and certificate, as when a cluster's is renewed; connections that are open stay.
    ///
    /// - Throws: ``FakeAPIServerError`` without TLS, and whatever openssl says.
    public func replaceAuthority() async throws {
        guard let tls else { throw FakeAPIServerError("without TLS there is no authority") }
        try tls.replace(by: try await Authority.make())
        let roots = tls.authority
        core.store.write { state in Bootstrap.publish(roots, &state) }
    }

    /// A kubeconfig for this server.
    ///
    /// - Parameters:
    ///   - token: the user's; nil: the administrator's.
    ///   - namespace: of the context.
    /// - Returns: the file's text.
    public func kubeconfig(token: String? = nil, namespace: String = "default") -> String {
        let trust =
            authority.isEmpty ? "" : "\n    certificate-authority-data: \(Data(authority.utf8).base64EncodedString())"
        return """
            apiVersion: v1
            kind: Config
            clusters:
            - name: fake
              cluster:
                server: \(url)\(trust)
            users:
            - name: user
              user:
                token: \(token ?? adminToken)
            contexts:
            - name: fake
              context:
                cluster: fake
                user: user
                namespace: \(namespace)
            current-context: fake

            """
    }
}
