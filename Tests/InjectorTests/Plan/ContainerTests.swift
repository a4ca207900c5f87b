import Kubernetes
import Testing

@testable import Injector

@Suite("The database's container")
struct ContainerTests {
    private func find(_ containers: String, annotations: [String: String] = [:]) throws -> String {
        let tree = try JSONTree(parsing: #"{"metadata":{"name":"x"},"spec":{"containers":[\#(containers)]}}"#)
        var pod = tree
        pod["metadata"]?["annotations"] = .object(annotations.mapValues { .string($0) })
        let request = try InjectionRequest(annotations, allowsRoot: false)
        return try DatabaseContainer(in: Pod(pod), request, earlier: nil).container.name
    }

    private func sentence(_ containers: String, annotations: [String: String] = [:]) -> String? {
        do {
            _ = try find(containers, annotations: annotations)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test(
        "an image or command of MongoDB's is found among others",
        arguments: [
            #"{"name":"db","image":"mongo"}"#, #"{"name":"db","image":"a:5000/b/mongo:7@sha256:1"}"#,
            #"{"name":"db","image":"bitnamilegacy/mongodb-sharded:6"}"#,
            #"{"name":"db","image":"acme/x","command":["/usr/bin/mongod"]}"#,
            #"{"name":"db","image":"acme/x","command":["sh","-c","exec numactl mongod --config /etc/m"]}"#,
            #"{"name":"db","image":"quay.io/mongodb/mongodb-community-server:7.0"}"#,
        ]
    )
    func byLook(database: String) throws {
        #expect(
            try find(
                #"{"name":"web","image":"nginx"},\#(database),{"name":"exporter","image":"percona/mongodb_exporter:0.40"}"#
            ) == "db"
        )
    }

    @Test("the annotation comes first, then the pod's default container, then the only one")
    func order() throws {
        let two = #"{"name":"a","image":"mongo"},{"name":"b","image":"mongo"}"#
        #expect(try find(two, annotations: ["remora.dev/container": "b"]) == "b")
        #expect(try find(two, annotations: ["kubectl.kubernetes.io/default-container": "a"]) == "a")
        #expect(try find(#"{"name":"x","image":"acme/db"}"#, annotations: ["remora.dev/engine": "mongodb"]) == "x")
    }

    @Test("what isn't clear is asked for")
    func unclear() {
        #expect(
            sentence(#"{"name":"a","image":"mongo"},{"name":"b","image":"mongo"}"#)
                == "it isn't clear which container runs the database; name one with remora.dev/container: a, b"
        )
        #expect(
            sentence(#"{"name":"a","image":"acme/db"}"#)
                == "neither image nor command of container 'a' tells which database it is; say it with remora.dev/engine"
        )
        #expect(
            sentence(#"{"name":"r","image":"mongo","command":["mongos"]}"#)?.contains("say it with remora.dev/engine")
                == true
        )
        #expect(sentence("") == "the pod has no containers")
    }

    @Test(
        "the port is that of the arguments, else that of the container",
        arguments: [
            (#"{"name":"a","args":["--port","27100"],"ports":[{"containerPort":1}]}"#, 27100),
            (#"{"name":"a","args":["--port=27101"]}"#, 27101),
            (#"{"name":"a","ports":[{"containerPort":5000}]}"#, 5000),
            (#"{"name":"a","ports":[{"containerPort":9216},{"name":"mongo","containerPort":5001}]}"#, 5001),
            (#"{"name":"a","ports":[{"containerPort":9216},{"containerPort":27017}]}"#, 27017),
            (#"{"name":"a","ports":[{"containerPort":1},{"containerPort":2}]}"#, 27017), (#"{"name":"a"}"#, 27017),
        ]
    )
    func port(container: String, port: Int64) throws {
        #expect(EnginePreset.mongodb.port(of: try Container(JSONTree(parsing: container))) == port)
    }
}
