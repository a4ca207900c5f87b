import Injector
import Kubernetes
import Testing

@Suite("The data volume")
struct DataVolumeTests {
    private func pod(_ mounts: String, _ annotations: [String: String], more: String = "") throws -> JSONTree {
        try Pods.pod(
            """
            {"metadata":{"name":"db-0","annotations":{"remora.dev/inject":"true"}},
             "spec":{"volumes":[{"name":"data","emptyDir":{}},{"name":"other","emptyDir":{}}],
              "containers":[{"name":"db","image":"mongo","volumeMounts":[\(mounts)]\(more)}]}}
            """,
            annotations
        )
    }

    @Test("it is mounted only as asked, path for path", arguments: [("ro", true), ("rw", nil)])
    func asAsked(mode: String, readOnly: Bool?) throws {
        let source = try pod(
            #"{"name":"other","mountPath":"/data"},{"name":"data","mountPath":"/data/db","subPath":"mongo"}"#,
            ["remora.dev/data-mount": mode]
        )
        let mount = Pods.mount(at: "/data/db", in: Pods.agent(in: try Pods.injected(source)))
        #expect(mount?["name"] == "data")
        #expect(mount?["subPath"] == "mongo")
        #expect(mount?["readOnly"]?.bool == readOnly)
        #expect(Pods.mount(at: "/data", in: Pods.agent(in: try Pods.injected(source))) == nil)
    }

    @Test("without being asked for it isn't mounted")
    func notAsked() throws {
        let source = try pod(#"{"name":"data","mountPath":"/data/db"}"#, [:])
        #expect(Pods.mount(at: "/data/db", in: Pods.agent(in: try Pods.injected(source))) == nil)
    }

    @Test("--dbpath says where it is")
    func option() throws {
        let source = try pod(
            #"{"name":"other","mountPath":"/data/db"},{"name":"data","mountPath":"/mnt"}"#,
            ["remora.dev/data-mount": "ro"],
            more: #","command":["mongod","--dbpath","/mnt/shard"]"#
        )
        #expect(Pods.mount(at: "/mnt", in: Pods.agent(in: try Pods.injected(source)))?["name"] == "data")
    }

    @Test("a path by an expression brings the variables that it needs")
    func expression() throws {
        let source = try pod(
            #"{"name":"data","mountPath":"/data/db","subPathExpr":"$(SET)/$(POD)"}"#,
            ["remora.dev/data-mount": "ro"],
            more:
                #","env":[{"name":"SET","value":"rs0"},{"name":"POD","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]"#
        )
        let agent = Pods.agent(in: try Pods.injected(source))
        #expect(Pods.mount(at: "/data/db", in: agent)?["subPathExpr"] == "$(SET)/$(POD)")
        #expect(Pods.environment(agent)["SET"] == "rs0")
        #expect(
            agent?["env"]?.array?.last == ["name": "POD", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]]
        )
    }

    @Test("what can't be shared or found is said")
    func refused() throws {
        let ro = ["remora.dev/data-mount": "ro"]
        let cases: [(JSONTree, String)] = [
            (
                try pod("", ro),
                "no volume of container 'db' holds /data/db or /bitnami/mongodb/data/db or /bitnami/mongodb or "
                    + "/var/lib/mongo or /var/lib/mongodb; name it with remora.dev/data-volume"
            ),
            (
                try pod("", ro, more: #","volumeDevices":[{"name":"data","devicePath":"/dev/x"}]"#),
                "container 'db' keeps its data on a block device, which an agent can't share; set remora.dev/data-mount to none"
            ),
            (
                try pod(#"{"name":"other","mountPath":"/x"}"#, ro.merging(["remora.dev/data-volume": "data"]) { $1 }),
                "remora.dev/data-volume is 'data', which isn't mounted in container 'db'"
            ),
            (
                try pod(
                    #"{"name":"data","mountPath":"/data/db","subPathExpr":"$(S)"}"#,
                    ro,
                    more: #","env":[{"name":"S","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}]"#
                ),
                "the data's subPathExpr '$(S)' needs S, which container 'db' doesn't get as a plain value or a field of the pod"
            ),
            (
                try pod(
                    #"{"name":"data","mountPath":"/tmp"}"#,
                    ["remora.dev/data-mount": "ro", "remora.dev/data-volume": "data"]
                ),
                "the pod with an agent would be refused: container 'remora-agent' mounts two volumes at /tmp"
            ),
        ]
        for (pod, sentence) in cases {
            let decision = Pods.injector.decide(pod, in: Pods.shop)
            #expect(decision.error?.message == sentence)
            #expect(decision.pod["spec"] == pod["spec"])
        }
    }
}
