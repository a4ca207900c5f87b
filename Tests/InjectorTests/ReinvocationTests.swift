import Injector
import Kubernetes
import Testing

@Suite("A pod that was here before")
struct ReinvocationTests {
    private func injected() throws -> JSONTree { try Pods.injected(try Pods.pod(Pods.official)) }

    @Test("nothing is done twice, whatever defaults the API server has set meanwhile")
    func twice() throws {
        var pod = try injected()
        var agent = try #require(pod[path: "spec", "initContainers"]?[0])
        agent["terminationMessagePath"] = "/dev/termination-log"
        pod["spec"]?["initContainers"] = [agent]
        let decision = Pods.injector.decide(pod, in: Pods.shop)
        #expect(decision.outcome == .alreadyInjected)
        #expect(decision.patch.isEmpty)
    }

    @Test("a restart policy that another webhook lost comes back by one operation")
    func stripped() throws {
        var pod = try injected()
        var agent = try #require(pod[path: "spec", "initContainers"]?[0])
        agent["restartPolicy"] = nil
        pod["spec"]?["initContainers"] = [["name": "first", "image": "acme/x"], agent]
        let decision = Pods.injector.decide(pod, in: Pods.shop)
        #expect(decision.outcome == .repaired)
        #expect(
            decision.patch.tree == [["op": "add", "path": "/spec/initContainers/1/restartPolicy", "value": "Always"]]
        )
    }

    @Test("it comes back even when nothing else can be decided any more")
    func strippedAndWrong() throws {
        var pod = try injected()
        var agent = try #require(pod[path: "spec", "initContainers"]?[0])
        agent["restartPolicy"] = nil
        pod["spec"]?["initContainers"] = [agent]
        pod["metadata"]?["annotations"]?["remora.dev/log-level"] = "loud"
        let decision = Pods.injector.decide(pod, in: Pods.shop)
        #expect(decision.outcome == .refused)
        #expect(decision.pod[path: "spec", "initContainers"]?[0]?["restartPolicy"] == "Always")
        #expect(Pods.injector.decide(decision.pod, in: Pods.shop).patch.isEmpty)
    }

    @Test("an agent of other settings is exchanged in its place, and nothing else is")
    func replaced() throws {
        var pod = try injected()
        let before = try #require(pod[path: "spec", "initContainers"]?[0])
        pod["spec"]?["initContainers"] = [
            ["name": "first", "image": "acme/x"], before, ["name": "last", "image": "acme/y"],
        ]
        var settings = Pods.settings
        settings.image = "ghcr.io/remora/agent@sha256:ffff"
        let decision = AgentInjector(settings).decide(pod, in: Pods.shop)
        #expect(decision.outcome == .replaced)
        let inits = decision.pod[path: "spec", "initContainers"]?.array
        #expect(inits?.compactMap { $0["name"]?.string } == ["first", "remora-agent", "last"])
        #expect(inits?[1]["image"] == "ghcr.io/remora/agent@sha256:ffff")
        #expect(decision.pod[path: "spec", "containers"] == pod[path: "spec", "containers"])
        #expect(decision.pod[path: "spec", "volumes"]?.array?.count == pod[path: "spec", "volumes"]?.array?.count)
        #expect(AgentInjector(settings).decide(decision.pod, in: Pods.shop).outcome == .alreadyInjected)
    }

    @Test("the database stays the one that was found first, though a proxy came beside it")
    func proxyLater() throws {
        var source = try Pods.pod(Pods.official, ["remora.dev/engine": "mongodb"])
        var database = try #require(source[path: "spec", "containers"]?[0])
        database["image"] = "acme/own-build:1"
        source["spec"]?["containers"] = [database]
        var pod = try Pods.injected(source)
        pod["spec"]?["containers"] = [["name": "proxy", "image": "istio/proxyv2"], database]
        #expect(Pods.injector.decide(pod, in: Pods.shop).outcome == .alreadyInjected)
    }

    @Test("a status without its container, as in a copied template, means nothing")
    func copiedStatus() throws {
        let status = try #require(try injected()[path: "metadata", "annotations", AgentMark.status]?.string)
        _ = try Pods.injected(try Pods.pod(Pods.official, [AgentMark.status: status]))
    }
}
