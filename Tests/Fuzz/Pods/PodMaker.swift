import Injector
import Kubernetes

/// Makes pods as API servers, operators and people with bad luck make them.
struct PodMaker {
    var random: SeededGenerator

    private static let images = [
        "mongo:7.0", "docker.io/library/mongo@sha256:0f", "percona/percona-server-mongodb:6.0.5-4",
        "bitnami/mongodb:7.0",
        "registry:5000/mirror/mongo", "quay.io/mongodb/mongodb-community-server:7.0-ubi8", "acme/unknown:1", "mongo",
        "",
    ]
    private static let helpers = ["istio/proxyv2:1.22", "bitnami/mongodb-exporter:0.40", "busybox", "acme/tool:2", ""]
    private static let paths = [
        "/data/db", "/data", "/bitnami/mongodb", "/var/lib/mongo", "/backup", "/tmp", "/etc/mongo/",
    ]
    private static let volumeNames = [
        "data", "datadir", "mongod-data", "config", "certs", "tmp", "kube-api-access-x7k2p",
    ]

    mutating func pod() -> JSONTree {
        if random.chance(1) {
            return random.pick([.null, "pod", [:], ["metadata": [:]], ["spec": [:], "metadata": "x"]])
        }
        var spec: JSONTree = [:]
        let volumes = volumeList()
        let names = volumes.compactMap { $0["name"]?.string }
        let isGuaranteed = random.chance(15)
        var containers: [JSONTree] = []
        for index in 0..<random.pick([1, 1, 1, 2, 2, 3, 4]) {
            containers.append(container(index, volumes: names, isGuaranteed: isGuaranteed))
        }
        var inits: [JSONTree] = []
        for index in 0..<random.pick([0, 0, 1, 2]) {
            inits.append(container(index + 10, volumes: names, isGuaranteed: isGuaranteed))
            if random.chance(30) { inits[index]["restartPolicy"] = "Always" }
        }
        spec["containers"] = random.chance(1) ? random.pick([.null, [], "x", [:]]) : .array(containers)
        if !inits.isEmpty { spec["initContainers"] = .array(inits) } else { spec["initContainers"] = absent() }
        if !volumes.isEmpty { spec["volumes"] = .array(volumes) } else { spec["volumes"] = absent() }
        if random.chance(50) { spec["securityContext"] = podSecurity() }
        if random.chance(30) { spec["restartPolicy"] = random.pick(["Always", "Always", "Never", "OnFailure"]) }
        if random.chance(2) { spec["os"] = ["name": random.pick(["linux", "windows"])] }
        if random.chance(3) { spec["nodeSelector"] = ["kubernetes.io/os": random.pick(["linux", "windows"])] }
        if random.chance(3) { spec["resources"] = ["limits": ["cpu": "2", "memory": "4Gi"]] }
        if random.chance(10) { spec["hostNetwork"] = true }
        if random.chance(20) { spec["tolerations"] = [["key": "a/b~c", "operator": "Exists"]] }
        if random.chance(1) { spec[random.pick(["volumes", "initContainers"])] = random.pick(["x", 3, [1], ["a"]]) }
        var pod: JSONTree = ["apiVersion": "v1", "kind": "Pod", "metadata": metadata(), "spec": spec]
        if random.chance(8) {
            pod["status"] = random.chance(80) ? ["phase": random.pick(["Pending", "", "Running"])] : [:]
        }
        return pod
    }

    /// How lists and maps without anything in them may look.
    private mutating func absent() -> JSONTree? { random.pick([nil, nil, .null, []]) }

    // MARK: Metadata

    private mutating func metadata() -> JSONTree {
        var metadata: JSONTree = [
            "uid": "0b9c", "managedFields": [["manager": "kubectl", "fieldsV1": ["f:spec": [:]]]],
        ]
        switch random.below(5) {
        case 0: metadata["generateName"] = random.pick(["shop-", "a.b-", "UPPER-", "-"])
        case 1: break
        default:
            metadata["name"] = random.pick([
                "shop-0", "shop", "mongo-rs0-12", "mongo-1", "a.b", "x-", .string(String(repeating: "n", count: 90)),
            ])
        }
        if random.chance(60) {
            metadata["ownerReferences"] = [
                [
                    "kind": random.pick(["StatefulSet", "StatefulSet", "ReplicaSet", "DaemonSet", "Job"]),
                    "controller": true,
                    "name": random.pick([
                        "shop", "orders", "orders-5d4f8c", "payments", "users", "with.dot",
                        .string(String(repeating: "o", count: 60)),
                    ]),
                ]
            ]
        }
        if random.chance(96) {
            metadata["annotations"] = annotations()
        } else {
            metadata["annotations"] = random.pick([nil, .null, [:]])
        }
        switch random.below(6) {
        case 0: break
        case 1: metadata["labels"] = random.pick([.null, [:]])
        default:
            metadata["labels"] = ["app": "shop", "a/b~1": "x", "pod-template-hash": "5d4f8c"]
            if random.chance(3) { metadata["labels"]?["remora.dev/cluster"] = "other" }
            if random.chance(2) { metadata["labels"]?["app.kubernetes.io/part-of"] = "remora.dev" }
        }
        return metadata
    }

    private mutating func annotations() -> JSONTree {
        var result: [String: JSONTree] = ["example.com/with~tilde": "a/b", "plain": "\u{1F980} \"\\"]
        result[Annotation.inject.name] = "true"
        if random.chance(6) { result[Annotation.inject.name] = .string(random.pick(["false", "yes", ""])) }
        if random.chance(20) {
            result["kubectl.kubernetes.io/default-container"] = .string("c\(random.pick([0, 0, 0, 1, 2]))")
        }
        let isMeant = random.chance(90)
        for annotation in Annotation.allCases where annotation != .inject && random.chance(12) {
            result[annotation.name] = .string(isMeant ? good(annotation) : random.pick([good(annotation), junk()]))
        }
        if isMeant, let mode = result[Annotation.tlsMode.name]?.string, mode.hasPrefix("verify") {
            result[Annotation.tlsSecret.name] = "mongo-tls"
        }
        if isMeant, result[Annotation.tlsCertificateKey.name] != nil { result[Annotation.tlsSecret.name] = "mongo-tls" }
        if isMeant, result[Annotation.credentialsKeys.name] != nil {
            result[Annotation.credentialsSecret.name] = "backup"
        }
        if random.chance(3) { result["remora.dev/restore-gate"] = "true" }
        if random.chance(2) { result[AgentMark.status] = .string(random.pick(["", "{", "{\"hash\":\"0\"}"])) }
        if random.chance(2) { result[AgentMark.injectError] = "from before" }
        if random.chance(1), random.chance(10) { result["big"] = .string(String(repeating: "b", count: 261_500)) }
        return .object(result)
    }

    private mutating func good(_ annotation: Annotation) -> String {
        switch annotation {
        case .inject: "true"
        case .engine: random.pick(["mongodb", "mongodb", "mysql", "mariadb"])
        case .cluster: random.pick(["orders", "a", String(repeating: "c", count: 52)])
        case .container: "c\(random.pick([0, 0, 0, 1]))"
        case .endpoint: random.pick(["localhost:27018", "127.0.0.1:1", "[::1]:65535"])
        case .dataMount: random.pick(["none", "ro", "rw"])
        case .dataVolume: random.pick(Self.volumeNames)
        case .credentialsSecret, .tlsSecret: random.pick(["mongo.secret", "s"])
        case .credentialsKeys: random.pick(["username=U,password=P", "password=p", "username=MONGODB_BACKUP_USER"])
        case .tlsMode: random.pick(["disable", "require", "verify-ca", "verify-full"])
        case .tlsCertificateKey: "tls-combined.pem"
        case .runAs: random.pick(["999", "1001:0", "2147483647:1"])
        case .cpuRequest: random.pick(["10m", "0.1", "1"])
        case .cpuLimit: random.pick(["1", "2", "1500m"])
        case .memoryRequest: random.pick(["96Mi", "128Mi", "1e8"])
        case .memoryLimit: random.pick(["256Mi", "1Gi", "0.5Gi"])
        case .sidecar: random.pick(["auto", "native", "container"])
        case .logLevel: random.pick(["error", "warning", "info", "debug"])
        }
    }

    private mutating func junk() -> String {
        random.pick([
            "", " ", "TRUE", "-1", "0", "a/b", "../x", "10.0.0.1:27017", "1Zi", "1e", "=", "username=", "\u{0}", "0:0",
            "x.y",
        ])
    }

    // MARK: Containers and volumes

    private mutating func container(_ index: Int, volumes: [String], isGuaranteed: Bool) -> JSONTree {
        let isDatabase = index == 0 || random.chance(10)
        var container: JSONTree = ["name": .string("c\(index)")]
        let image = random.pick(isDatabase ? Self.images : Self.helpers)
        if !image.isEmpty { container["image"] = .string(image) }
        if random.chance(40) {
            container["command"] = random.pick([
                ["mongod"], ["/bin/sh", "-c", "exec mongod --dbpath /data/db"], ["mongos"], .null,
            ])
        }
        if random.chance(30) {
            container["args"] = random.pick([
                ["--dbpath", "/data/db"], ["--dbpath=/backup/x", "--port=27018"], ["--port", "x"],
            ])
        }
        if random.chance(50) {
            container["ports"] = random.pick([
                [["containerPort": 27018]], [["name": "mongodb", "containerPort": 27019], ["containerPort": 9216]],
                .null, [],
            ])
        }
        if random.chance(30) {
            container["env"] = [
                ["name": "POD_NAME", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]],
                ["name": "FIXED", "value": "x"],
                ["name": "SECRET", "valueFrom": ["secretKeyRef": ["name": "s", "key": "k"]]],
            ]
        }
        var mounts: [JSONTree] = []
        var places: Set<String> = []
        for volume in volumes where random.chance(60) {
            let place = random.pick(Self.paths)
            guard places.insert(place).inserted else { continue }
            var mount: JSONTree = ["name": .string(volume), "mountPath": .string(place)]
            if random.chance(10) { mount["subPath"] = "db" }
            if mount["subPath"] == nil, random.chance(8) {
                mount["subPathExpr"] = random.pick([
                    "$(POD_NAME)", "$(FIXED)/$(POD_NAME)", "$(SECRET)", "$(NONE)", "plain",
                ])
            }
            if random.chance(10) { mount["readOnly"] = true }
            mounts.append(mount)
        }
        if !mounts.isEmpty { container["volumeMounts"] = .array(mounts) } else { container["volumeMounts"] = absent() }
        if random.chance(3) { container["volumeDevices"] = [["name": "data", "devicePath": "/dev/xvda"]] }
        container["resources"] = resources(isGuaranteed)
        if random.chance(40) { container["securityContext"] = containerSecurity() }
        if random.chance(1) { container["name"] = random.pick([nil, 3, "remora-agent", "c0", "Bad"]) }
        return container
    }

    private mutating func resources(_ isGuaranteed: Bool) -> JSONTree? {
        if isGuaranteed {
            return random.pick([
                ["limits": ["cpu": 1, "memory": "1Gi"]],
                ["limits": ["cpu": "1", "memory": "2Gi"], "requests": ["cpu": "1000m", "memory": "2048Mi"]],
            ])
        }
        return random.pick([
            nil, [:], .null, ["limits": ["memory": "1Gi"]], ["requests": ["cpu": 0.5, "memory": "1e9"]],
            ["limits": ["cpu": "2"], "requests": ["cpu": "100m"]],
        ])
    }

    private mutating func containerSecurity() -> JSONTree {
        random.pick([
            [:], ["runAsUser": 999], ["runAsUser": 0], ["runAsUser": 1001, "runAsGroup": 0, "runAsNonRoot": true],
            .null,
            ["seLinuxOptions": ["level": "s0:c1,c2"]], ["seLinuxOptions": ["type": "spc_t"]],
        ])
    }

    private mutating func podSecurity() -> JSONTree {
        random.pick([
            [:], .null, ["fsGroup": 999], ["runAsUser": 1001, "fsGroup": 1001], ["runAsUser": 0],
            ["runAsNonRoot": true, "runAsUser": 999],
        ])
    }

    private mutating func volumeList() -> [JSONTree] {
        var volumes: [JSONTree] = []
        for name in Self.volumeNames where random.chance(35) {
            volumes.append(["name": .string(name), "emptyDir": [:]])
        }
        if random.chance(1) {
            volumes.append(["name": random.pick(["remora-agent-state", "data", "UP"]), "emptyDir": [:]])
        }
        return volumes
    }

    // MARK: Around the pod

    mutating func settings() -> InjectorSettings {
        var settings = InjectorSettings(
            image: "acme/remora-agent@sha256:12",
            coordinatorURL: "https://remora:7480",
            version: "fuzz"
        )
        settings.supportsNativeSidecars = random.chance(90)
        settings.assignsUsers = random.chance(8)
        settings.allowsRoot = random.chance(20)
        if random.chance(20) { settings.authorityConfigMap = nil }
        return settings
    }

    mutating func namespace() -> NamespaceFacts {
        var facts = NamespaceFacts(
            name: random.chance(1) ? "kube-system" : "shop",
            podSecurity: random.pick([.privileged, .privileged, .baseline, .restricted]),
            isOptedOut: random.chance(1)
        )
        facts.needsCPULimit = random.chance(10)
        if random.chance(10) {
            facts.bounds = .init(minimumCPU: "100m", maximumCPU: "1", minimumMemory: "128Mi", maximumMemory: "256Mi")
        }
        if random.chance(10) {
            facts.bounds.maximumMemoryRatio = random.pick(["1", "1.5", "3"])
            facts.bounds.maximumCPURatio = random.pick(["1", "2", "10"])
        }
        if random.chance(10) { facts.bounds.defaultCPU = random.pick(["10m", "200m", "2"]) }
        if random.chance(10) { facts.podBounds.maximumMemory = random.pick(["512Mi", "2Gi", "5Gi", "64Gi"]) }
        return facts
    }
}
