import BackupModel
public import Kubernetes

/// The certificate authority in a Secret of the coordinator's namespace, which all replicas share.
public struct ClusterAuthorityStore: AuthorityStore {
    private let client: KubernetesClient
    private let namespace: String

    /// The entry with everything, private keys too.
    private static let entry = "authorities.json"
    /// The entry for people and programs who want to trust us.
    private static let bundleEntry = "ca.crt"

    /// Makes a store.
    ///
    /// - Parameters:
    ///   - client: calls the API server.
    ///   - namespace: the coordinator's own.
    public init(_ client: KubernetesClient, namespace: String) {
        self.client = client
        self.namespace = namespace
    }

    /// What is stored; nil when there is no Secret yet, without a state when it can't be read.
    public func load() async throws -> StoredAuthorities? {
        let secret: KubernetesObject
        do {
            secret = try await client.get(.secrets, name: ClusterNames.authority, namespace: namespace)
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
        let bytes = secret[path: "data", Self.entry]?.string.flatMap(SecretText.bytes) ?? []
        // Damaged or emptied: a new authority is made in its place.
        let state = try? WireJSON.decode(AuthorityState.self, from: bytes)
        return StoredAuthorities(state: state, version: secret.resourceVersion)
    }

    /// Stores a state, if nobody wrote since `version`; false when somebody did.
    public func save(_ state: AuthorityState, replacing version: String?) async throws -> Bool {
        var secret = KubernetesObject(.secrets, name: ClusterNames.authority, namespace: namespace)
        secret.labels = [ClusterNames.managedBy: ClusterNames.fieldManager]
        secret["type"] = "Opaque"
        secret["data"] = .object([
            Self.entry: .string(SecretText.text(try WireJSON.encode(state))),
            Self.bundleEntry: .string(SecretText.text(Array(state.bundle.utf8))),
        ])
        do {
            if let version {
                secret.resourceVersion = version
                try await client.update(secret, of: .secrets, fieldManager: ClusterNames.fieldManager)
            } else {
                try await client.create(secret, as: .secrets)
            }
            return true
        } catch {
            guard error.isConflict || error.isAlreadyExists || error.isNotFound else { throw error }
            return false
        }
    }
}
