import Injector

/// Secrets that a pod's annotations name, and the keys that must be in them.
struct PodSecrets: Sendable, Hashable {
    var namespace: String
    var name: String
    var keys: [String]
    /// What it is to the pod.
    var purpose: String

    /// `namespace/name`.
    var place: String { "\(namespace)/\(name)" }

    /// The command that makes such a secret.
    var makeCommand: String {
        "kubectl create secret generic \(name) -n \(namespace) "
            + keys.map { $0.contains(".") ? "--from-file=\($0)" : "--from-literal=\($0)=…" }.joined(separator: " ")
    }

    /// Those of one pod.
    static func needed(by pod: PodFacts) -> [PodSecrets] {
        var result: [PodSecrets] = []
        if let name = pod.annotation(.credentialsSecret) {
            let keys = credentialKeys(pod.annotation(.credentialsKeys))
            result.append(
                PodSecrets(namespace: pod.namespace, name: name, keys: keys, purpose: "log-in to the database")
            )
        }
        if let name = pod.annotation(.tlsSecret) {
            let keys = ["ca.crt"] + (pod.annotation(.tlsCertificateKey).map { [$0] } ?? [])
            result.append(
                PodSecrets(namespace: pod.namespace, name: name, keys: keys, purpose: "authority of the database")
            )
        }
        return result
    }

    /// The secret's entries in `username=ENTRY,password=ENTRY`.
    static func credentialKeys(_ text: String?) -> [String] {
        var entries = ["username": "username", "password": "password"]
        for part in text?.split(separator: ",") ?? [] {
            let sides = part.split(separator: "=", maxSplits: 1).map(String.init)
            if sides.count == 2, entries[sides[0]] != nil { entries[sides[0]] = sides[1] }
        }
        return ["username", "password"].compactMap { entries[$0] }
    }
}
