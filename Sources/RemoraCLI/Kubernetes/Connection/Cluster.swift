import BackupModel
import Kubernetes
import KubernetesConfiguration

/// A Kubernetes cluster as a person's kubeconfig opens it.
struct Cluster: Sendable {
    let client: KubernetesClient
    /// Where Remora is installed.
    let systemNamespace: String
    /// What makes kubectl mean the same cluster.
    let kubectlFlags: [String]

    /// What an object's namespace is when nobody says it: that of the kubeconfig's context.
    var namespace: String { client.defaultNamespace }

    /// Opens the cluster that options and environment name; nothing is sent yet.
    static func open(_ options: ClusterOptions, _ surroundings: Surroundings) throws -> Cluster {
        do throws(KubernetesError) {
            var configuration = try ClientConfiguration.discover(
                kubeconfig: options.kubeconfig,
                context: options.context,
                environment: surroundings.environment
            )
            configuration.userAgent = "remora-cli/\(RemoraVersion.current)"
            // A person waits: one more try, and then the reason.
            configuration.retry = RetryRules(attempts: 2, totalTime: .seconds(10))
            return Cluster(
                client: KubernetesClient(configuration),
                systemNamespace: options.systemNamespace,
                kubectlFlags: options.kubectlFlags
            )
        } catch {
            throw CommandFailure(
                .usage,
                error.message,
                hint:
                    "--kubeconfig and --context say which cluster; a coordinator outside of one is named by --coordinator"
            )
        }
    }

    /// Asks for something, and keeps apart what is not there and what may not be seen.
    func fetch<Value>(_ body: () async throws(KubernetesError) -> Value) async -> Fetched<Value> {
        do {
            return .found(try await body())
        } catch {
            return switch error.code {
            case .notFound, .unknownResource: .missing
            case .forbidden, .unauthorized: .denied(error.message)
            default: .failed(error.message)
            }
        }
    }

    /// Entries of a secret, decoded; only those that hold something.
    ///
    /// Nobody but the caller sees the values: they are for taking them out of what is shown.
    func secret(_ name: String, in namespace: String) async -> Fetched<[String: String]> {
        await fetch { () async throws(KubernetesError) in
            try await client.get(.secrets, name: name, namespace: namespace)
        }.map { Secrets.entries($0.tree) }
    }
}

extension CommandFailure {
    init(_ error: KubernetesError) {
        switch error.code {
        case .cancelled: self.init(.cancelled, "stopped")
        case .configuration: self.init(.usage, error.message)
        case .invalid, .conflict, .alreadyExists: self.init(.refused, error.message)
        case .unauthorized:
            self.init(.kubernetes, error.message, hint: "log in again, as for kubectl: kubectl auth whoami")
        case .forbidden:
            self.init(.kubernetes, error.message, hint: "what you may do: kubectl auth can-i --list -n NAMESPACE")
        case .unreachable, .timedOut, .tls: self.init(.kubernetes, error.message, hint: "kubectl cluster-info")
        default: self.init(.kubernetes, error.message)
        }
    }
}
