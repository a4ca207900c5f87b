import BackupModel
import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import TestSupport
import Testing

@testable import Coordinator

/// Targets that another operator describes: `appbindings.appcatalog.appscode.com`.
@Suite struct ClusterCatalogTests {
    /// As the operators that make them install it, with the fields that they fill.
    private static let definition = """
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata: {name: appbindings.appcatalog.appscode.com}
        spec:
          group: appcatalog.appscode.com
          names: {kind: AppBinding, listKind: AppBindingList, plural: appbindings, singular: appbinding}
          scope: Namespaced
          versions:
          - name: v1alpha1
            served: true
            storage: true
            schema:
              openAPIV3Schema:
                type: object
                properties:
                  apiVersion: {type: string}
                  kind: {type: string}
                  metadata: {type: object}
                  spec:
                    type: object
                    required: [clientConfig]
                    properties:
                      type: {type: string}
                      version: {type: string}
                      appRef:
                        type: object
                        properties:
                          apiGroup: {type: string}
                          kind: {type: string}
                          name: {type: string}
                          namespace: {type: string}
                      clientConfig:
                        type: object
                        properties:
                          url: {type: string}
                          service:
                            type: object
                            required: [name, port, scheme]
                            properties:
                              scheme: {type: string}
                              name: {type: string}
                              namespace: {type: string}
                              port: {type: integer, format: int32}
                              path: {type: string}
                              query: {type: string}
                          caBundle: {type: string, format: byte}
                          serverName: {type: string}
                          insecureSkipTLSVerify: {type: boolean}
                      secret: {type: object, properties: {name: {type: string}}}
                      tlsSecret: {type: object, properties: {name: {type: string}}}
                      secretTransforms:
                        type: array
                        items: {type: object, x-kubernetes-preserve-unknown-fields: true}
                      parameters: {type: object, x-kubernetes-preserve-unknown-fields: true}
        """

    private static let binding = """
        apiVersion: appcatalog.appscode.com/v1alpha1
        kind: AppBinding
        metadata: {name: users, namespace: shop}
        spec:
          type: kubedb.com/mongodb
          version: 6.0.12
          appRef: {apiGroup: kubedb.com, kind: MongoDB, name: users, namespace: shop}
          clientConfig:
            caBundle: LS0tLS1CRUdJTi0=
            service: {scheme: mongodb, name: users, port: 27017}
          secret: {name: users-auth}
          tlsSecret: {name: users-client-cert}
          parameters:
            apiVersion: config.kubedb.com/v1alpha1
            kind: MongoDBConfiguration
            replicaSets: {host-0: "rs0/users-0.users-pods.shop.svc:27017"}
            stash: {addon: {backupTask: {name: mongodb-backup-6.0.5}}}
        """

    private static let configuration = """
        apiVersion: remora.dev/v1alpha1
        kind: BackupConfiguration
        metadata: {name: users, namespace: shop}
        spec:
          repository: {name: main}
          target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: users}}
        """

    @Test("a target that another operator describes is backed up like one of ours")
    func wholeBackup() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.fake.apply(yaml: Self.definition)
            await harness.fake.settle()
            try await harness.fake.apply(yaml: Self.configuration)
            try await harness.lead { coordinator in
                try await harness.fake.waitUntil("the missing target is told") { _ in
                    harness.condition("backupconfigurations", "users", "TargetFound")?["reason"] == "TargetNotFound"
                        ? true : nil
                }
                try await harness.fake.apply(yaml: Self.binding)
                var agent = try await harness.makeAgent(coordinator, pod: "users-0", cluster: "users")
                try await agent.register()
                _ = try await agent.checkin()
                try await harness.createSession("by-hand", configuration: "users")
                let job = try await agent.awaitJob()
                #expect(try await agent.prepareCommit(job).status == 200)
                #expect(try await agent.complete(job).status == 200)
                try await harness.untilPhase("by-hand", .succeeded)
                try await harness.fake.waitUntil("the configuration is ready") { _ in
                    harness.condition("backupconfigurations", "users", "Ready")?["status"] == "True" ? true : nil
                }
                let written = harness.fake.requests.filter {
                    $0.path.contains("appcatalog.appscode.com") && !["get", "list"].contains($0.verb)
                        && $0.user.contains("remora")
                }
                #expect(written.isEmpty, "another operator's objects are only read")
            }
        }
    }

    @Test("one of ours of the same name counts for more, and one of a kind that nobody knows needs a task")
    func precedence() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.fake.apply(yaml: Self.definition)
            await harness.fake.settle()
            try await harness.fake.apply(yaml: Self.binding.replacing("kubedb.com/mongodb", with: "kubedb.com/druid"))
            try await harness.fake.apply(yaml: Self.configuration)
            try await harness.lead { _ in
                try await harness.fake.waitUntil("it is told what is missing") { _ in
                    let ready = harness.condition("backupconfigurations", "users", "Ready")
                    return ready?["reason"] == "InvalidTask"
                        && ready?["message"]?.string?.contains("nothing is built in for druid") == true ? true : nil
                }
                try await harness.fake.apply(
                    yaml: """
                        apiVersion: remora.dev/v1alpha1
                        kind: AppBinding
                        metadata: {name: users, namespace: shop}
                        spec: {type: mongodb}
                        """
                )
                try await harness.fake.waitUntil("ours is") { _ in
                    harness.condition("backupconfigurations", "users", "TargetFound")?["status"] == "True" ? true : nil
                }
            }
        }
    }
}
