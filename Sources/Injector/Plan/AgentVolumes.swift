import Kubernetes

/// The volumes that come into the pod with the agent.
enum AgentVolumes {
    /// The kubelet renews the token at 80 % of it.
    static let tokenSeconds: Int64 = 3600

    static func make(for pod: Pod, _ request: InjectionRequest, _ settings: InjectorSettings) -> [JSONTree] {
        // With fsGroup the files belong to that group; else the agent's user is nobody whom they belong to.
        let mode: JSONTree = pod.security("fsGroup")?.integer == nil ? 0o444 : 0o440
        var volumes = [identity(settings)]
        if let credentials = request.credentials {
            volumes.append(
                secret(
                    AgentPlaces.credentialsVolume,
                    credentials.secret,
                    mode,
                    items: items(credentials)
                )
            )
        }
        if let name = request.tlsSecret, request.tlsMode != .disable {
            volumes.append(secret(AgentPlaces.tlsVolume, name, mode, items: nil))
        }
        // A volume beyond its sizeLimit has the whole pod evicted, so what grows has none: the agent bounds it.
        volumes.append(["name": .string(AgentPlaces.stateVolume), "emptyDir": [:]])
        volumes.append(["name": .string(AgentPlaces.temporaryVolume), "emptyDir": ["sizeLimit": "256Mi"]])
        return volumes
    }

    private static func items(_ credentials: InjectionRequest.Credentials) -> [JSONTree] {
        if let key = credentials.uriKey { return [["key": .string(key), "path": "uri"]] }
        return [
            ["key": .string(credentials.usernameKey), "path": "username"],
            ["key": .string(credentials.passwordKey), "path": "password"],
        ]
    }

    private static func identity(_ settings: InjectorSettings) -> JSONTree {
        var sources: [JSONTree] = [
            [
                "serviceAccountToken": [
                    "audience": .string(settings.audience), "expirationSeconds": .integer(tokenSeconds),
                    "path": "token",
                ]
            ],
            [
                "downwardAPI": [
                    "items": [
                        ["path": "labels", "fieldRef": ["fieldPath": "metadata.labels"]],
                        ["path": "annotations", "fieldRef": ["fieldPath": "metadata.annotations"]],
                    ]
                ]
            ],
        ]
        if let name = settings.authorityConfigMap {
            // Optional, or a pod that comes before its namespace's ConfigMap would wait for it.
            sources.append([
                "configMap": [
                    "name": .string(name), "optional": true, "items": [["key": "ca.crt", "path": "ca.crt"]],
                ]
            ])
        }
        return ["name": .string(AgentPlaces.identityVolume), "projected": ["sources": .array(sources)]]
    }

    /// A Secret as files; optional, because a pod whose Secret or entry is missing would not start.
    private static func secret(_ name: String, _ secret: String, _ mode: JSONTree, items: [JSONTree]?) -> JSONTree {
        var source: JSONTree = ["secretName": .string(secret), "defaultMode": mode, "optional": true]
        if let items { source["items"] = .array(items) }
        return ["name": .string(name), "secret": source]
    }
}
