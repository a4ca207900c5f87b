import BackupModel
import Kubernetes
import Testing

@testable import RemoraCLI

@Suite("Which agents are upgraded, and in which order")
struct UpgradeTests {
    private func agent(_ pod: String, _ change: (inout AgentView) -> Void = { _ in }) -> AgentView {
        var agent = ClusterSamples.agent(pod)
        change(&agent)
        return agent
    }

    @Test("an idle secondary is first, one with a job later, primaries after it, and those that nobody hears from last")
    func order() {
        let pods = ["a", "b", "c", "d", "e"].map { PodFacts(ClusterSamples.pod($0)) }
        let status = ClusterSamples.status([
            agent("a") { $0.connected = false }, agent("b") { $0.role = .primary }, agent("c") { $0.job = "job-1" },
            agent("d"),
        ])
        let plan = UpgradePlan.make(pods, status, image: "new")
        #expect(plan.steps.map(\.pod.name) == ["d", "c", "b", "a", "e"])
        #expect(plan.steps.map(\.isCanary) == [true, false, false, false, false])
        #expect(plan.current.isEmpty)
        let text = AgentsPage.make(plan).rendered(colours: false)
        #expect(text.contains("5 agents get new, one after the other; no database restarts\n"))
        #expect(text.contains("after its job") && text.contains("the first one") && text.contains("not connected"))
    }

    @Test("agents that have the image, pods without one and pods that end are left alone")
    func skipped() {
        let bare = PodFacts(ClusterSamples.pod("bare").with("spec", "initContainers", value: nil))
        let ending = PodFacts(ClusterSamples.pod("ending").with("metadata", "deletionTimestamp", value: "x"))
        let pods = [PodFacts(ClusterSamples.pod()), bare, ending]
        let plan = UpgradePlan.make(pods, ClusterSamples.status(), image: ClusterSamples.image)
        #expect(plan.steps.isEmpty)
        #expect(plan.current == ["shop/mongo-0"])
    }

    @Test("the agent's container is found where it is, and its owner as what restarts it")
    func facts() {
        let pod = PodFacts(ClusterSamples.pod())
        #expect(pod.agent?.index == 1 && pod.agent?.isNative == true && pod.agent?.isRunning == true)
        #expect(pod.restartCommand == "kubectl rollout restart statefulset/mongo -n shop")
        var deployed = ClusterSamples.pod().with("metadata", "labels", value: ["pod-template-hash": "5d9c7b"])
        deployed = deployed.with(
            "metadata",
            "ownerReferences",
            value: [["kind": "ReplicaSet", "name": "shop-db-5d9c7b", "controller": true]]
        )
        #expect(PodFacts(deployed).owner == "deployment/shop-db")
        let alone = ClusterSamples.pod().with("metadata", "ownerReferences", value: nil)
        #expect(PodFacts(alone).restartCommand == "kubectl delete pod mongo-0 -n shop")
    }

    @Test("an agent that is no init container is found among the containers")
    func plainContainer() {
        let containers: JSONTree = [["name": "mongodb"], ["name": "remora-agent", "image": "old"]]
        let pod = ClusterSamples.pod().with("spec", "initContainers", value: nil)
            .with("spec", "containers", value: containers)
        let agent = PodFacts(pod).agent
        #expect(agent?.index == 1 && agent?.isNative == false && agent?.lacksRestartPolicy == false)
    }

    @Test("the list says of each agent what runs and how it does")
    func list() {
        let rows = AgentsPage.rows([PodFacts(ClusterSamples.pod())], ClusterSamples.status())
        #expect(rows.count == 1)
        #expect(rows[0].target == "mongo" && rows[0].version == "0.1.0" && rows[0].isConnected)
        let text = AgentsPage.make(rows).rendered(colours: false)
        #expect(text.contains("shop       mongo-0  mongo   0.1.0    idle   native"))
    }
}
