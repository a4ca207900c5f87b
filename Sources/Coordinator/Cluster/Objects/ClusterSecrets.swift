import BackupModel
import Kubernetes

/// Secrets of the Kubernetes API, read by name when they are needed, never listed or watched.
struct ClusterSecrets: SecretSource {
    let client: KubernetesClient

    func secret(_ key: ResourceKey) async throws(SecretError) -> SecretValues {
        let object: KubernetesObject
        do {
            object = try await client.get(.secrets, name: key.name, namespace: key.namespace)
        } catch  where error.isNotFound {
            throw SecretError(
                description: "secret \(key) does not exist; make it, with an entry \(SecretValues.passwordKey)"
            )
        } catch  where error.isForbidden {
            throw SecretError(
                description: "secret \(key) may not be read by the coordinator; allow its service account to get it "
                    + "(a Role with resourceNames: [\(key.name)] in namespace \(key.namespace), and a RoleBinding)"
            )
        } catch {
            throw SecretError(description: "secret \(key) can't be read: \(error)")
        }
        var values: [String: String] = [:]
        for (name, value) in object["data"]?.object ?? [:] {
            guard let bytes = value.string.flatMap(SecretText.bytes),
                let text = String(validating: bytes, as: UTF8.self)
            else { throw SecretError(description: "secret \(key): entry \(name) is not a text in UTF-8") }
            values[name] = text
        }
        return SecretValues(values)
    }
}
