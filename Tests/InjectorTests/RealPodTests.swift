import Injector
import Kubernetes
import Testing

@Suite("Pods of real charts and operators")
struct RealPodTests {
    @Test("the official image's pod gets a native sidecar behind everything, and nothing else changes")
    func official() throws {
        let pod = try Pods.pod(Pods.official)
        let patched = try Pods.injected(pod)
        let agent = try #require(patched[path: "spec", "initContainers"]?[0])
        #expect(agent["name"] == "remora-agent")
        #expect(agent["restartPolicy"] == "Always")
        #expect(agent["image"] == "ghcr.io/remora/agent@sha256:abcd")
        #expect(patched[path: "spec", "containers"] == pod[path: "spec", "containers"])
        #expect(patched[path: "spec", "serviceAccountName"] == nil)
        #expect(
            patched[path: "metadata", "labels"] == [
                "app": "orders", "remora.dev/injected": "true", "remora.dev/cluster": "orders",
            ]
        )
        let names = patched[path: "spec", "volumes"]?.array?.compactMap { $0["name"]?.string }
        #expect(
            names == ["data", "kube-api-access-8x", "remora-agent-identity", "remora-agent-state", "remora-agent-tmp"]
        )
    }

    @Test("the agent is told by its variables where everything is")
    func variables() throws {
        let agent = Pods.agent(in: try Pods.injected(try Pods.pod(Pods.official)))
        #expect(
            Pods.environment(agent) == [
                "REMORA_COORDINATOR": "https://remora-agents.remora-system.svc:7480",
                "REMORA_ENROLMENT_TOKEN_FILE": "/run/remora/identity/token",
                "REMORA_CA_FILE": "/run/remora/identity/ca.crt",
                "REMORA_STATE_DIR": "/var/lib/remora", "REMORA_CLUSTER": "orders", "REMORA_ENGINE": "mongodb",
                "REMORA_MONGODB_URI": "mongodb://localhost:27017", "REMORA_LOG_LEVEL": "info",
            ]
        )
        let fields = (agent?["env"]?.array ?? []).reduce(into: [String: String]()) { fields, variable in
            if let name = variable["name"]?.string {
                fields[name] = variable[path: "valueFrom", "fieldRef", "fieldPath"]?.string
            }
        }
        #expect(
            fields == [
                "REMORA_NAMESPACE": "metadata.namespace", "REMORA_POD": "metadata.name",
                "REMORA_POD_UID": "metadata.uid",
                "REMORA_NODE": "spec.nodeName",
            ]
        )
    }

    @Test("the agent has its own token for us, and the database's token is kept from it")
    func tokens() throws {
        let pod = try Pods.injected(try Pods.pod(Pods.official))
        let sources = Pods.volume("remora-agent-identity", in: pod)?[path: "projected", "sources"]?.array
        #expect(
            sources?.first == [
                "serviceAccountToken": ["audience": "remora.dev", "expirationSeconds": 3600, "path": "token"]
            ]
        )
        #expect(sources?.last?[path: "configMap", "optional"] == true)
        let shadow = Pods.mount(at: "/var/run/secrets/kubernetes.io/serviceaccount", in: Pods.agent(in: pod))
        #expect(
            shadow == [
                "name": "remora-agent-tmp", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                "subPath": "none", "readOnly": true,
            ]
        )
    }

    @Test("the agent is alive by a probe in its container; nothing makes the database unready or opens a port")
    func probes() throws {
        let agent = Pods.agent(in: try Pods.injected(try Pods.pod(Pods.official)))
        #expect(agent?[path: "livenessProbe", "exec", "command"] == ["remora-agent", "health"])
        for field in ["readinessProbe", "startupProbe", "ports", "lifecycle"] { #expect(agent?[field] == nil) }
        #expect(agent?["terminationMessagePolicy"] == "FallbackToLogsOnError")
    }

    @Test("a Secret that holds a connection string: that entry alone, and no name or password")
    func connectionString() throws {
        let annotations = [
            "remora.dev/credentials-secret": "orders-uri", "remora.dev/credentials-keys": "uri=connectionString",
        ]
        let decision = Pods.injector.decide(try Pods.pod(Pods.official, annotations), in: Pods.shop)
        let agent = try #require(Pods.agent(in: decision.pod))
        #expect(
            Pods.volume("remora-agent-credentials", in: decision.pod)?[path: "secret", "items"]
                == [["key": "connectionString", "path": "uri"]]
        )
        #expect(Pods.environment(agent)["REMORA_CREDENTIALS_URI_FILE"] == "/run/remora/credentials/uri")
        #expect(Pods.environment(agent)["REMORA_USERNAME_FILE"] == nil)
        for wrong in ["uri=a,username=b", "uri=", "url=a"] {
            let pod = try Pods.pod(Pods.official, annotations.merging(["remora.dev/credentials-keys": wrong]) { $1 })
            #expect(Pods.injector.decide(pod, in: Pods.shop).outcome == .refused)
        }
    }

    @Test("Bitnami's pod: the right container of two, its data read-only as its user, credentials as files")
    func bitnami() throws {
        let pod = try Pods.injected(try Pods.pod(Pods.bitnami))
        let agent = Pods.agent(in: pod)
        #expect(
            Pods.mount(at: "/bitnami/mongodb", in: agent) == [
                "name": "datadir", "mountPath": "/bitnami/mongodb", "readOnly": true,
            ]
        )
        #expect(agent?[path: "securityContext", "runAsUser"] == 1001)
        #expect(agent?[path: "securityContext", "runAsGroup"] == 1001)
        #expect(agent?[path: "securityContext", "seLinuxOptions"] == ["level": "s0:c1,c2"])
        #expect(
            Pods.volume("remora-agent-credentials", in: pod)?["secret"] == [
                "secretName": "shop-mongodb", "defaultMode": 0o440, "optional": true,
                "items": [
                    ["key": "username", "path": "username"], ["key": "mongodb-root-password", "path": "password"],
                ],
            ]
        )
        #expect(Pods.environment(agent)["REMORA_PASSWORD_FILE"] == "/run/remora/credentials/password")
        #expect(agent?["resources"] == ["requests": ["cpu": "50m", "memory": "96Mi"], "limits": ["memory": "512Mi"]])
        #expect(pod[path: "spec", "initContainers"]?[0]?["name"] == "volume-permissions")
        #expect(pod[path: "spec", "initContainers"]?[1]?["name"] == "remora-agent")
    }

    @Test(
        "Percona's pod: the port of its arguments, its own names of entries, its certificate checked without the name"
    )
    func percona() throws {
        let pod = try Pods.injected(try Pods.pod(Pods.percona))
        let variables = Pods.environment(Pods.agent(in: pod))
        #expect(variables["REMORA_MONGODB_URI"] == "mongodb://localhost:27018")
        #expect(variables["REMORA_TLS_CA_FILE"] == "/run/remora/tls/ca.crt")
        #expect(variables["REMORA_TLS_ALLOW_INVALID_HOSTNAMES"] == "true")
        #expect(variables["REMORA_CLUSTER"] == "main-rs0")
        let items = Pods.volume("remora-agent-credentials", in: pod)?[path: "secret", "items"]?.array
        #expect(items?.compactMap { $0["key"]?.string } == ["MONGODB_BACKUP_USER", "MONGODB_BACKUP_PASSWORD"])
        #expect(Pods.agent(in: pod)?[path: "securityContext", "runAsUser"] == 65532)
    }

    @Test(
        "a pod with Istio: behind the proxy, the default container is the database, the Deployment's name without its hash"
    )
    func istio() throws {
        let pod = try Pods.injected(try Pods.pod(Pods.istio))
        let names = pod[path: "spec", "initContainers"]?.array?.compactMap { $0["name"]?.string }
        #expect(names == ["istio-init", "istio-proxy", "remora-agent"])
        #expect(pod[path: "metadata", "labels", "remora.dev/cluster"] == "users")
    }

    @Test("below Kubernetes 1.29 the agent is one more container, and tools go on meaning the database")
    func plain() throws {
        var settings = Pods.settings
        settings.supportsNativeSidecars = false
        let pod = try Pods.injected(try Pods.pod(Pods.official), Pods.shop, AgentInjector(settings))
        #expect(pod[path: "spec", "initContainers"] == nil)
        let agent = try #require(pod[path: "spec", "containers"]?[1])
        #expect(agent["name"] == "remora-agent")
        #expect(agent["restartPolicy"] == nil)
        #expect(pod[path: "metadata", "annotations", "kubectl.kubernetes.io/default-container"] == "mongod")
    }

    @Test("the status says what was injected")
    func status() throws {
        let decision = Pods.injector.decide(try Pods.pod(Pods.official), in: Pods.shop)
        let text = try #require(decision.pod[path: "metadata", "annotations", AgentMark.status]?.string)
        let status = try JSONTree(parsing: text)
        let hash = try #require(decision.hash)
        #expect(hash.utf8.count == 12)
        #expect(
            status == [
                "v": 1, "by": "1.2.3", "image": "ghcr.io/remora/agent@sha256:abcd", "mode": "native",
                "container": "mongod",
                "hash": .string(hash),
            ]
        )
    }
}
