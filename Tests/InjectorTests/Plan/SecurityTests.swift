import Injector
import Kubernetes
import Testing

@Suite("The agent's user and rights")
struct SecurityTests {
    private func pod(
        container: JSONTree? = nil,
        pod security: JSONTree? = nil,
        image: String = "mongo:7",
        _ annotations: [String: String] = ["remora.dev/data-mount": "ro"]
    ) throws -> JSONTree {
        var pod = try Pods.pod(Pods.official, annotations)
        var database = try #require(pod[path: "spec", "containers"]?[0])
        database["securityContext"] = container
        database["image"] = .string(image)
        database["command"] = ["mongod"]
        pod["spec"]?["containers"] = [database]
        pod["spec"]?["securityContext"] = security
        return pod
    }

    private func context(
        _ pod: JSONTree,
        _ facts: NamespaceFacts = Pods.shop,
        _ settings: InjectorSettings = Pods.settings
    ) throws -> JSONTree? {
        Pods.agent(in: try Pods.injected(pod, facts, AgentInjector(settings)))?["securityContext"]
    }

    @Test("it has as little as it needs, wherever Pod Security is strictest")
    func restricted() throws {
        let facts = NamespaceFacts(name: "shop", podSecurity: .restricted)
        #expect(
            try context(pod([:]), facts) == [
                "allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]], "privileged": false,
                "readOnlyRootFilesystem": true, "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
                "seccompProfile": ["type": "RuntimeDefault"],
            ]
        )
    }

    private func pod(_ annotations: [String: String]) throws -> JSONTree { try pod(container: nil, annotations) }

    @Test("with the data it is the database's user: annotation, container, pod, image, in this order")
    func order() throws {
        let container: JSONTree = ["runAsUser": 1000, "runAsGroup": 2000]
        let asked = ["remora.dev/data-mount": "ro", "remora.dev/run-as": "7:8"]
        #expect(try context(pod(container: container, pod: ["runAsUser": 3000], asked))?["runAsUser"] == 7)
        #expect(try context(pod(container: container, pod: ["runAsUser": 3000]))?["runAsUser"] == 1000)
        #expect(try context(pod(container: container, pod: ["runAsUser": 3000]))?["runAsGroup"] == 2000)
        #expect(try context(pod(pod: ["runAsUser": 3000]))?["runAsUser"] == nil)
        #expect(try context(pod())?["runAsUser"] == 999)
        #expect(try context(pod(image: "percona/percona-server-mongodb:7"))?["runAsUser"] == 1001)
        #expect(try context(pod(image: "bitnami/mongodb:7"))?["runAsUser"] == 1001)
        let unknown = Pods.injector.decide(try pod(image: "acme/db"), in: Pods.shop)
        #expect(unknown.error?.code == .security)
        #expect(unknown.error?.message.hasSuffix("say it with remora.dev/run-as") == true)
    }

    @Test("where the platform gives users, none is set")
    func assigned() throws {
        var settings = Pods.settings
        settings.assignsUsers = true
        let context = try context(pod(container: ["runAsUser": 0]), Pods.shop, settings)
        #expect(context?["runAsUser"] == nil)
        #expect(context?["runAsNonRoot"] == true)
    }

    @Test("root needs the installation's word, and never comes into a restricted namespace")
    func root() throws {
        var settings = Pods.settings
        let source = try pod(container: ["runAsUser": 0])
        #expect(Pods.injector.decide(source, in: Pods.shop).error?.code == .security)
        settings.allowsRoot = true
        let context = try context(source, Pods.shop, settings)
        #expect(context?["runAsUser"] == 0)
        #expect(context?["runAsNonRoot"] == nil)
        let strict = AgentInjector(settings).decide(source, in: NamespaceFacts(name: "shop", podSecurity: .restricted))
        #expect(
            strict.error?.message
                == "the agent would have to run as root, which namespace 'shop' forbids (Pod Security 'restricted'); set remora.dev/run-as"
        )
        let forbidden = try pod(container: ["runAsUser": 0], pod: ["runAsNonRoot": true])
        #expect(AgentInjector(settings).decide(forbidden, in: Pods.shop).error?.code == .security)
    }

    @Test("SELinux options that a namespace forbids aren't brought into it")
    func seLinux() throws {
        let source = try pod(container: ["seLinuxOptions": ["type": "spc_t"]], [:])
        let decision = Pods.injector.decide(source, in: NamespaceFacts(name: "shop", podSecurity: .baseline))
        #expect(decision.error?.code == .invalidResult)
        #expect(try context(source)?["seLinuxOptions"] == ["type": "spc_t"])
    }

    @Test("a namespace's labels say what is enforced; a level that doesn't exist is the strictest")
    func labels() {
        #expect(
            NamespaceFacts(name: "n", labels: ["pod-security.kubernetes.io/enforce": "baseline"]).podSecurity
                == .baseline
        )
        #expect(
            NamespaceFacts(name: "n", labels: ["pod-security.kubernetes.io/enforce": "x"]).podSecurity == .restricted
        )
        #expect(NamespaceFacts(name: "n", labels: [:]).podSecurity == .privileged)
        #expect(NamespaceFacts(name: "n", labels: ["remora.dev/injection": "disabled"]).isOptedOut)
    }
}
