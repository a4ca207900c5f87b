import HTTPClient
import Synchronization

/// The token and the authority that the kubelet keeps in a pod's files.
///
/// The token is read again every minute (the kubelet renews it at four fifths of its life), and at once when the server
/// refused it; the authority when its file changed.
public final class InClusterAccess: AccessSource {
    private struct State {
        var token: String?
        var tokenRead: Duration = .zero
        var authority: [UInt8] = []
        var authorityStamp: FileStamp?
    }

    /// How old a token may be before the file is read again.
    static let tokenAge = Duration.seconds(60)

    private let tokenFile: String
    private let authorityFile: String
    private let time: TimeSource
    private let state = Mutex(State())

    /// Makes a source; nothing is read yet.
    ///
    /// - Parameters:
    ///   - tokenFile: the service account's token.
    ///   - authorityFile: PEM of the API server's authority.
    ///   - time: tells how old a token is.
    public init(tokenFile: String, authorityFile: String, time: TimeSource = .system) {
        self.tokenFile = tokenFile
        self.authorityFile = authorityFile
        self.time = time
    }

    /// The token and the authority as they are now.
    ///
    /// - Throws: `.configuration` when a file can't be read and nothing was read before.
    public func access() throws(KubernetesError) -> Access {
        let now = time.elapsed()
        do {
            return try state.withLock { state in
                if state.token == nil || now - state.tokenRead >= Self.tokenAge {
                    do {
                        state.token = try SmallFile.token(tokenFile)
                        state.tokenRead = now
                    } catch {
                        // What was good a minute ago mostly still is.
                        if state.token == nil { throw error }
                    }
                }
                let stamp = SmallFile.stamp(authorityFile)
                if state.authority.isEmpty || stamp != nil && stamp != state.authorityStamp {
                    state.authority = try SmallFile.read(authorityFile)
                    state.authorityStamp = stamp
                }
                return Access(authorization: "Bearer \(state.token ?? "")", trust: .pem(state.authority))
            }
        } catch {
            throw error as? KubernetesError ?? KubernetesError(.configuration, "\(error)")
        }
    }

    /// The server refused the token: read it again.
    public func forget() { state.withLock { $0.token = nil } }
}

extension ClientConfiguration {
    /// Where the kubelet puts a pod's service account.
    public static let serviceAccountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// The API server of the cluster that this pod runs in, as the pod's service account.
    ///
    /// - Parameters:
    ///   - environment: the process's.
    ///   - directory: with `token`, `ca.crt` and `namespace`.
    ///   - time: tells how old the token is.
    /// - Returns: what ``KubernetesClient`` needs.
    /// - Throws: `.configuration` outside a pod.
    public static func inCluster(
        environment: [String: String],
        directory: String = serviceAccountDirectory,
        time: TimeSource = .system
    ) throws(KubernetesError) -> ClientConfiguration {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty,
            let port = environment["KUBERNETES_SERVICE_PORT"], let number = UInt16(port)
        else {
            throw KubernetesError(
                .configuration,
                "cannot find the API server: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, as they are in a pod; outside a cluster give a kubeconfig"
            )
        }
        let shown = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        let access = InClusterAccess(tokenFile: "\(directory)/token", authorityFile: "\(directory)/ca.crt", time: time)
        _ = try access.access()
        // Some controllers are given no namespace file; then the default is as good as any.
        let namespace = (try? SmallFile.token("\(directory)/namespace")) ?? "default"
        return ClientConfiguration(server: "https://\(shown):\(number)", namespace: namespace, access: access)
    }
}
