import ArgumentParser
import Foundation
import Kubernetes
import TestSupport
import Testing

@testable import RemoraCLI

@Suite("Which coordinator is meant, and the way to it")
struct ConnectionTests {
    @Test(
        "an option wins over a variable, a URL over being kubectl's plugin",
        arguments: [
            ([], [:], false, false), ([], [:], true, true), ([], ["REMORA_VIA_KUBERNETES": "1"], false, true),
            ([], ["REMORA_VIA_KUBERNETES": "0"], true, false), (["--via-kubernetes"], [:], false, true),
            (["--context", "prod"], ["REMORA_COORDINATOR": "http://x"], false, true),
            (["--system-namespace", "other"], [:], false, true),
            ([], ["REMORA_COORDINATOR": "http://x"], true, false), (["--coordinator", "http://x"], [:], true, false),
        ] as [([String], [String: String], Bool, Bool)]
    )
    func choice(_ arguments: [String], _ environment: [String: String], _ isPlugin: Bool, _ expected: Bool) throws {
        var surroundings = Surroundings(console: Screen().console(), clock: .fixed, environment: environment)
        surroundings.isPlugin = isPlugin
        let options = try ConnectionOptions.parse(arguments)
        #expect(try options.isInKubernetes(surroundings) == expected)
    }

    @Test("a URL and a cluster at once, and a variable that is neither yes nor no, are refused")
    func contradictions() async throws {
        let both = Screen()
        #expect(await both.run(["status", "--coordinator", "http://127.0.0.1:1", "--context", "prod"]) == .usage)
        #expect(both.error.contains("give one of them"))
        let odd = Screen()
        #expect(await odd.run(["status"], environment: ["REMORA_VIA_KUBERNETES": "maybe"]) == .usage)
        #expect(odd.error.contains("REMORA_VIA_KUBERNETES is 'maybe'; it may be 1 or 0"))
    }

    @Test(
        "we are a plugin by the name we were called by",
        arguments: [
            ("/usr/local/bin/kubectl-remora", true), ("kubectl-remora", true), ("remora", false),
            ("/kubectl-x/remora", false),
            ("", false),
        ]
    )
    func names(_ program: String, _ expected: Bool) { #expect(Surroundings.isPlugin(program) == expected) }

    @Test("without a kubeconfig it is said which options name a cluster")
    func noKubeconfig() async throws {
        try await withTestDirectory("cli") { directory in
            let screen = Screen()
            let environment = ["HOME": directory.path, "KUBECONFIG": directory.path + "/none"]
            #expect(await screen.run(["status", "--via-kubernetes"], environment: environment) == .usage)
            #expect(screen.error.contains("hint: --kubeconfig and --context say which cluster"))
        }
    }

    @Test(
        "the pod's port is found from the Service's, by number or by name",
        arguments: [
            ([["name": "https", "port": 443, "targetPort": 9443]], 9443),
            ([["name": "https", "port": 443, "targetPort": "https"]], 8443),
            ([["port": 8443]], 8443), ([["name": "x", "port": 1], ["name": "https", "port": 2]], 2),
            ([["name": "https", "port": 443, "targetPort": "nowhere"]], nil), ([], nil),
        ] as [(JSONTree, Int64?)]
    )
    func ports(_ ports: JSONTree, _ expected: Int64?) {
        #expect(ServicePort.find(["spec": ["ports": ports]], in: ClusterSamples.coordinator()) == expected)
    }

    @Test("the local port is read from what kubectl says")
    func localPort() {
        #expect(PortForward.port(in: "Forwarding from 127.0.0.1:40123 -> 8443") == 40123)
        #expect(PortForward.port(in: "Forwarding from [::1]:40123 -> 8443") == nil)
        #expect(PortForward.port(in: "Handling connection for 40123") == nil)
    }

    @Test("a program that serves us is ended by its own number, and what it said is kept")
    func boundProcess() async throws {
        let process = BoundProcess("/bin/sh", ["-c", "echo ready; echo oops >&2; exec sleep 1000"], environment: [:])
        let found = try await process.first(within: .seconds(60)) { $0.contains("oops") ? $0 : nil }
        #expect(Set(found ?? []) == ["ready", "oops"])
        #expect(!process.hasEnded)
        process.end()
        #expect(try await process.first(within: .seconds(60)) { _ in process.hasEnded ? true : nil } == true)
    }

    @Test("a program that can't be run says so, and is over")
    func noProgram() async throws {
        let process = BoundProcess("/nonexistent/kubectl", [], environment: [:])
        let found = try await process.first(within: .seconds(60)) { $0.contains("Forwarding") ? true : nil }
        #expect(found == nil)
        #expect(process.hasEnded)
        #expect(process.lines == ["No such file or directory"])
    }
}
