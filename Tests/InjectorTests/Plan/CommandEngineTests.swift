import Kubernetes
import Testing

@testable import Injector

@Suite("Databases that Functions describe")
struct CommandEngineTests {
    private func decide(_ container: String, _ annotations: [String: String] = [:]) throws -> InjectionDecision {
        var pod = try JSONTree(
            parsing:
                #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"db-0","namespace":"shop"},"spec":{"containers":[\#(container)],"volumes":[{"name":"data","emptyDir":{}}]}}"#
        )
        let all = ["remora.dev/inject": "true"].merging(annotations) { $1 }
        pod["metadata"]?["annotations"] = .object(all.mapValues { .string($0) })
        return Pods.injector.decide(pod, in: Pods.shop)
    }

    private func variables(_ decision: InjectionDecision) -> [String: String] {
        let agent = decision.pod[path: "spec", "initContainers"]?.array?.first { $0["name"] == "remora-agent" }
        return (agent?["env"]?.array ?? []).reduce(into: [:]) { result, variable in
            result[variable["name"]?.string ?? ""] = variable["value"]?.string
        }
    }

    @Test(
        "MySQL and MariaDB are known by their look, and reached where they listen",
        arguments: [
            (#"{"name":"db","image":"mariadb:11"}"#, "127.0.0.1:3306"),
            (#"{"name":"db","image":"bitnami/mysql:8","args":["--port=3307"]}"#, "127.0.0.1:3307"),
            (#"{"name":"db","image":"acme/x","command":["/usr/sbin/mysqld"]}"#, "127.0.0.1:3306"),
            (
                #"{"name":"db","image":"mysql","ports":[{"containerPort":33060},{"name":"mysql","containerPort":3308}]}"#,
                "127.0.0.1:3308"
            ),
        ]
    )
    func byLook(container: String, endpoint: String) throws {
        let decision = try decide(container, ["remora.dev/credentials-secret": "db"])
        let string = try decide(
            container,
            ["remora.dev/credentials-secret": "db", "remora.dev/credentials-keys": "uri=dsn"]
        )
        #expect(string.error?.message.contains("uri=ENTRY is for MongoDB") == true)
        #expect(decision.outcome == .injected, "\(decision.error?.message ?? "")")
        let variables = variables(decision)
        #expect(variables["REMORA_ENGINE"] == "mysql" && variables["REMORA_ENDPOINT"] == endpoint)
        #expect(variables["REMORA_MONGODB_URI"] == nil && variables["REMORA_PASSWORD_FILE"] != nil)
    }

    @Test("the name is the annotation's: whatever the AppBinding's type is")
    func named() throws {
        let maria = variables(try decide(#"{"name":"db","image":"mariadb"}"#, ["remora.dev/engine": "mariadb"]))
        #expect(maria["REMORA_ENGINE"] == "mariadb" && maria["REMORA_ENDPOINT"] == "127.0.0.1:3306")
        let etcd = #"{"name":"db","image":"etcd","ports":[{"containerPort":2379}]}"#
        let other = variables(try decide(etcd, ["remora.dev/engine": "etcd"]))
        #expect(other["REMORA_ENGINE"] == "etcd" && other["REMORA_ENDPOINT"] == "127.0.0.1:2379")
        let silent = try decide(#"{"name":"db","image":"etcd"}"#, ["remora.dev/engine": "etcd"])
        #expect(silent.outcome == .refused)
        #expect(
            silent.error?.message
                == "at which port etcd listens in container 'db' isn't clear; set remora.dev/endpoint: 127.0.0.1:PORT"
        )
        let told = try decide(
            #"{"name":"db","image":"etcd"}"#,
            ["remora.dev/engine": "etcd", "remora.dev/endpoint": "[::1]:2379"]
        )
        #expect(variables(told)["REMORA_ENDPOINT"] == "[::1]:2379")
    }

    @Test("certificates are the function's matter: the Secret is mounted, and a warning says so")
    func certificates() throws {
        let decision = try decide(#"{"name":"db","image":"mysql"}"#, ["remora.dev/tls-secret": "ca"])
        #expect(decision.outcome == .injected)
        #expect(variables(decision).keys.allSatisfy { !$0.contains("TLS") })
        #expect(
            decision.warnings == [
                "remora: remora.dev/tls-mode has no effect for mysql: its Function's options decide, and may name /run/remora/tls"
            ]
        )
        let volumes = decision.pod[path: "spec", "volumes"]?.array ?? []
        #expect(volumes.contains { $0["name"] == "remora-agent-tls" })
    }

    @Test("data of a kind that nobody here knows is mounted when its volume is named")
    func data() throws {
        let etcd =
            #"{"name":"db","image":"etcd","ports":[{"containerPort":2379}],"volumeMounts":[{"name":"data","mountPath":"/d"}]}"#
        let asked = ["remora.dev/engine": "etcd", "remora.dev/data-mount": "ro", "remora.dev/run-as": "999"]
        #expect(try decide(etcd, asked).error?.message.hasPrefix("where etcd keeps its data isn't known;") == true)
        let named = try decide(etcd, asked.merging(["remora.dev/data-volume": "data"]) { $1 })
        #expect(named.outcome == .injected, "\(named.error?.message ?? "")")
    }
}
