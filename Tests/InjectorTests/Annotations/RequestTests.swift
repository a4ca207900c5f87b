import Injector
import Kubernetes
import Testing

@Suite("Wrong annotations")
struct RequestTests {
    @Test(
        "each is refused in one sentence that names it",
        arguments: [
            ("inject", "True", "remora.dev/inject is 'True'; allowed: true, false"),
            (
                "engine", "MySQL",
                "remora.dev/engine is 'MySQL'; an engine's name has lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit, like mongodb or mysql"
            ),
            ("cluster", "a.b", "remora.dev/cluster is 'a.b'; a cluster's name has no dots"),
            ("container", "db", "remora.dev/container is 'db', and the pod has no such container; there are: mongod"),
            (
                "endpoint", "10.0.0.1:27017",
                "remora.dev/endpoint is '10.0.0.1:27017'; an agent talks to its own pod only: write localhost:PORT, 127.0.0.1:PORT or [::1]:PORT"
            ),
            (
                "endpoint", "localhost",
                "remora.dev/endpoint is 'localhost', which is no host and port: write localhost:PORT, 127.0.0.1:PORT or [::1]:PORT"
            ),
            (
                "endpoint", "127.0.0.1.evil.example:1",
                "remora.dev/endpoint is '127.0.0.1.evil.example:1'; an agent talks to its own pod only: write localhost:PORT, 127.0.0.1:PORT or [::1]:PORT"
            ),
            (
                "endpoint", "localhost:70000",
                "remora.dev/endpoint is 'localhost:70000', which is no host and port: write localhost:PORT, 127.0.0.1:PORT or [::1]:PORT"
            ),
            ("data-mount", "yes", "remora.dev/data-mount is 'yes'; allowed: none, ro, rw"),
            (
                "credentials-keys", "username=u",
                "remora.dev/credentials-keys names entries of a Secret, which remora.dev/credentials-secret must name"
            ),
            (
                "tls-mode", "prefer",
                "remora.dev/tls-mode is 'prefer'; allowed: disable, require, verify-ca, verify-full"
            ),
            (
                "tls-mode", "verify-full",
                "remora.dev/tls-mode is 'verify-full', which needs remora.dev/tls-secret with a ca.crt"
            ),
            ("run-as", "root", "remora.dev/run-as is 'root'; it looks like 999 or 999:999, numbers up to 2147483647"),
            ("run-as", "0", "remora.dev/run-as is '0', and this installation doesn't allow agents to run as root"),
            (
                "cpu-request", "lots",
                "remora.dev/cpu-request is 'lots', which is no quantity; it looks like 250m, 1, 96Mi or 1Gi"
            ),
            (
                "memory-limit", "512m",
                "remora.dev/memory-limit is '512m', with which the agent can't start: at least 64Mi"
            ),
            ("sidecar", "Native", "remora.dev/sidecar is 'Native'; allowed: auto, native, container"),
            ("log-level", "trace", "remora.dev/log-level is 'trace'; allowed: error, warning, info, debug"),
        ]
    )
    func refused(name: String, value: String, sentence: String) throws {
        let pod = try Pods.pod(Pods.official, ["remora.dev/\(name)": value])
        let decision = Pods.injector.decide(pod, in: Pods.shop)
        #expect(decision.outcome == .refused)
        #expect(decision.error?.message == sentence)
        #expect(decision.pod[path: "metadata", "annotations", "remora.dev/inject-error"] == .string(sentence))
        #expect(decision.pod["spec"] == pod["spec"])
        #expect(decision.warnings.count == 1)
        #expect(decision.patch.operations.count == 1)
    }

    @Test("several mistakes are told at once")
    func several() throws {
        let pod = try Pods.pod(Pods.official, ["remora.dev/data-mount": "yes", "remora.dev/sidecar": "no"])
        let message = try #require(Pods.injector.decide(pod, in: Pods.shop).error?.message)
        #expect(
            message
                == "remora.dev/data-mount is 'yes'; allowed: none, ro, rw; remora.dev/sidecar is 'no'; allowed: auto, native, container"
        )
    }

    @Test("a request above its limit is refused")
    func requestAboveLimit() throws {
        let pod = try Pods.pod(Pods.official, ["remora.dev/memory-request": "1Gi", "remora.dev/memory-limit": "256Mi"])
        let message = Pods.injector.decide(pod, in: Pods.shop).error?.message
        #expect(message == "remora.dev/memory-request is '1Gi', more than remora.dev/memory-limit, which is '256Mi'")
    }

    @Test("an annotation that nobody knows gives a warning, and the agent comes all the same")
    func unknown() throws {
        let decision = Pods.injector.decide(try Pods.pod(Pods.official, ["remora.dev/data-mout": "ro"]), in: Pods.shop)
        #expect(decision.outcome == .injected)
        #expect(decision.warnings == ["remora: remora.dev/data-mout is no annotation that the injector knows"])
    }

    @Test("what was wrong once is forgotten when it is right")
    func corrected() throws {
        let pod = try Pods.pod(Pods.official, ["remora.dev/inject-error": "from before"])
        let patched = try Pods.injected(pod)
        #expect(patched[path: "metadata", "annotations", "remora.dev/inject-error"] == nil)
    }

    @Test("a pod that doesn't ask is left alone", arguments: ["false", nil])
    func notAsked(value: String?) throws {
        var pod = try Pods.pod(Pods.official)
        pod["metadata"]?["annotations"]?["remora.dev/inject"] = value.map { .string($0) }
        let decision = Pods.injector.decide(pod, in: Pods.shop)
        #expect(decision.outcome == .notAsked)
        #expect(decision.patch.isEmpty && decision.warnings.isEmpty)
    }

    @Test("every kind of connection is told to the agent")
    func connection() throws {
        let annotations = [
            "remora.dev/endpoint": "[::1]:27019", "remora.dev/tls-mode": "require", "remora.dev/log-level": "debug",
            "remora.dev/tls-secret": "tls", "remora.dev/tls-certificate-key": "tls-combined.pem",
        ]
        let pod = try Pods.injected(try Pods.pod(Pods.official, annotations))
        let variables = Pods.environment(Pods.agent(in: pod))
        #expect(variables["REMORA_MONGODB_URI"] == "mongodb://[::1]:27019/?tls=true&tlsAllowInvalidCertificates=true")
        #expect(variables["REMORA_TLS_CERTIFICATE_KEY_FILE"] == "/run/remora/tls/tls-combined.pem")
        #expect(variables["REMORA_TLS_CA_FILE"] == nil)
        #expect(variables["REMORA_LOG_LEVEL"] == "debug")
    }
}
