import Injector
import Kubernetes
import Testing

/// Pods as they come from real charts and operators, cut to what matters here.
enum Pods {
    static let settings = InjectorSettings(
        image: "ghcr.io/remora/agent@sha256:abcd",
        coordinatorURL: "https://remora-agents.remora-system.svc:7480",
        version: "1.2.3"
    )
    static let injector = AgentInjector(settings)
    static let shop = NamespaceFacts(name: "shop")

    /// The official image in a plain StatefulSet: no user given, the image begins as root and becomes 999.
    static let official = """
        {"apiVersion":"v1","kind":"Pod",
         "metadata":{"name":"orders-1","generateName":"orders-","labels":{"app":"orders"},
          "annotations":{"remora.dev/inject":"true"},
          "ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"orders","uid":"1","controller":true}]},
         "spec":{"containers":[{"name":"mongod","image":"mongo:7.0","args":["--replSet","rs0","--bind_ip_all"],
            "ports":[{"containerPort":27017,"name":"mongodb","protocol":"TCP"}],
            "volumeMounts":[{"name":"data","mountPath":"/data/db"},
             {"name":"kube-api-access-8x","mountPath":"/var/run/secrets/kubernetes.io/serviceaccount","readOnly":true}]}],
          "volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"data-orders-1"}},
            {"name":"kube-api-access-8x","projected":{"sources":[]}}]}}
        """

    /// Bitnami's chart: a group for the files, a user, a volume that holds more than the data, an exporter beside it.
    static let bitnami = """
        {"apiVersion":"v1","kind":"Pod",
         "metadata":{"name":"shop-mongodb-0","labels":{"app.kubernetes.io/name":"mongodb"},
          "annotations":{"remora.dev/inject":"true","remora.dev/data-mount":"ro","remora.dev/credentials-secret":"shop-mongodb",
            "remora.dev/credentials-keys":"password=mongodb-root-password"},
          "ownerReferences":[{"kind":"StatefulSet","name":"shop-mongodb","controller":true}]},
         "spec":{"securityContext":{"fsGroup":1001,"fsGroupChangePolicy":"Always"},
          "initContainers":[{"name":"volume-permissions","image":"bitnami/os-shell:12"}],
          "containers":[
            {"name":"metrics","image":"bitnami/mongodb-exporter:0.40","ports":[{"containerPort":9216}]},
            {"name":"mongodb","image":"docker.io/bitnami/mongodb:7.0.14","ports":[{"name":"mongodb","containerPort":27017}],
             "securityContext":{"runAsUser":1001,"runAsGroup":1001,"runAsNonRoot":true,"seLinuxOptions":{"level":"s0:c1,c2"}},
             "resources":{"limits":{"cpu":"1","memory":"2Gi"},"requests":{"cpu":"500m","memory":"1Gi"}},
             "volumeMounts":[{"name":"datadir","mountPath":"/bitnami/mongodb"},{"name":"empty-dir","mountPath":"/tmp","subPath":"tmp-dir"}]}],
          "volumes":[{"name":"datadir","persistentVolumeClaim":{"claimName":"datadir-shop-mongodb-0"}},{"name":"empty-dir","emptyDir":{}}]}}
        """

    /// Percona's operator: its own backup agent beside the server, certificates, a user and password in a Secret.
    static let percona = """
        {"apiVersion":"v1","kind":"Pod",
         "metadata":{"name":"main-rs0-0","labels":{"app.kubernetes.io/replset":"rs0"},
          "annotations":{"remora.dev/inject":"true","remora.dev/container":"mongod","remora.dev/tls-secret":"main-ssl-internal",
            "remora.dev/tls-mode":"verify-ca","remora.dev/credentials-secret":"main-secrets",
            "remora.dev/credentials-keys":"username=MONGODB_BACKUP_USER,password=MONGODB_BACKUP_PASSWORD"},
          "ownerReferences":[{"kind":"StatefulSet","name":"main-rs0","controller":true}]},
         "spec":{"securityContext":{"fsGroup":1001},
          "initContainers":[{"name":"mongo-init","image":"percona/percona-server-mongodb-operator:1.16.0"}],
          "containers":[
            {"name":"mongod","image":"percona/percona-server-mongodb:7.0.8-5","args":["--bind_ip_all","--dbpath=/data/db","--port=27018"],
             "ports":[{"name":"mongodb","containerPort":27017}],"securityContext":{"runAsUser":1001,"runAsNonRoot":true},
             "volumeMounts":[{"name":"mongod-data","mountPath":"/data/db"},{"name":"ssl","mountPath":"/etc/mongodb-ssl","readOnly":true}]},
            {"name":"backup-agent","image":"percona/percona-backup-mongodb:2.4.1"}],
          "volumes":[{"name":"mongod-data","persistentVolumeClaim":{"claimName":"mongod-data-main-rs0-0"}},{"name":"ssl","secret":{"secretName":"main-ssl"}}]}}
        """

    /// A mesh has been here: its proxy first, as a native sidecar, and its annotations.
    static let istio = """
        {"apiVersion":"v1","kind":"Pod",
         "metadata":{"generateName":"users-7d9c5b8f4-","labels":{"pod-template-hash":"7d9c5b8f4"},
          "annotations":{"remora.dev/inject":"true","sidecar.istio.io/status":"{}",
            "kubectl.kubernetes.io/default-container":"mongo","kubectl.kubernetes.io/default-logs-container":"mongo"},
          "ownerReferences":[{"kind":"ReplicaSet","name":"users-7d9c5b8f4","controller":true}]},
         "spec":{"initContainers":[{"name":"istio-init","image":"istio/proxyv2:1.23"},
            {"name":"istio-proxy","image":"istio/proxyv2:1.23","restartPolicy":"Always","ports":[{"containerPort":15090}]}],
          "containers":[{"name":"mongo","image":"registry.local:5000/library/mongo:6.0@sha256:0102"},{"name":"app","image":"acme/users:3"}],
          "volumes":[{"name":"istio-envoy","emptyDir":{"medium":"Memory"}}]}}
        """

    static func pod(_ text: String, _ annotations: [String: String] = [:]) throws -> JSONTree {
        var pod = try JSONTree(parsing: text)
        for (name, value) in annotations { pod["metadata"]?["annotations"]?[name] = .string(value) }
        return pod
    }

    /// Our container in a pod.
    static func agent(in pod: JSONTree) -> JSONTree? {
        ["initContainers", "containers"].compactMap { list in
            pod[path: "spec", list]?.array?.first { $0["name"] == "remora-agent" }
        }.first
    }

    static func volume(_ name: String, in pod: JSONTree) -> JSONTree? {
        pod[path: "spec", "volumes"]?.array?.first { $0["name"] == .string(name) }
    }

    static func mount(at path: String, in container: JSONTree?) -> JSONTree? {
        container?["volumeMounts"]?.array?.first { $0["mountPath"] == .string(path) }
    }

    /// The agent's variables with plain values.
    static func environment(_ container: JSONTree?) -> [String: String] {
        var result: [String: String] = [:]
        for variable in container?["env"]?.array ?? [] {
            if let name = variable["name"]?.string { result[name] = variable["value"]?.string }
        }
        return result
    }

    /// Injects, and expects that it works.
    static func injected(
        _ pod: JSONTree,
        _ facts: NamespaceFacts = shop,
        _ injector: AgentInjector = injector
    ) throws -> JSONTree {
        let decision = injector.decide(pod, in: facts)
        try #require(decision.outcome == .injected, "\(decision.error?.message ?? "\(decision.outcome)")")
        return decision.pod
    }
}
