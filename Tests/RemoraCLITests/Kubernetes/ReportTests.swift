import BackupModel
import Foundation
import Kubernetes
import TestSupport
import Testing

@testable import RemoraCLI

@Suite("A report without secrets")
struct ReportTests {
    private let redactor = Redactor(secrets: ["s3cr3t-valu3", "short", "pass\"word\n"])

    @Test(
        "what looks like a secret, or is one, is taken out of texts",
        arguments: [
            ("log-in with s3cr3t-valu3 failed", "log-in with (redacted) failed"),
            ("c3VjM3QtdmFsdTM= is not ours", "c3VjM3QtdmFsdTM= is not ours"),
            ("base64 czNjcjN0LXZhbHUz!", "base64 (redacted)!"),
            (#"{"p":"pass\"word"}"#, #"{"p":"(redacted)"}"#),
            ("mongodb://root:hunter22@host/db", "mongodb://(redacted)@host/db"),
            ("https://host/path?x=1", "https://host/path?x=1"),
            ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer (redacted)"),
            ("password=hunter22, user=root", "password=(redacted), user=root"),
            ("--secret-access-key: abcd1234", "--secret-access-key: (redacted)"),
            ("key AKIAIOSFODNN7EXAMPLE used", "key (redacted) used"),
            ("got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln back", "got (redacted) back"),
            ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nend", "(redacted)\nend"),
            ("the short word stays", "the short word stays"),
            ("12 tokens were made", "12 tokens were made"),
        ]
    )
    func texts(_ text: String, _ expected: String) {
        #expect(redactor.redact(text) == expected)
    }

    @Test("an object keeps its shape and loses values of variables, managed fields and what was applied last")
    func trees() {
        let tree: JSONTree = [
            "kind": "Deployment",
            "metadata": [
                "managedFields": [["manager": "x"]],
                "annotations": [
                    "kubectl.kubernetes.io/last-applied-configuration": "everything once more", "note": "stays",
                ],
            ],
            "spec": [
                "env": [
                    ["name": "A", "value": "hunter22"],
                    ["name": "B", "valueFrom": ["secretKeyRef": ["name": "s", "key": "k"]]],
                ],
                "storageSecretName": "storage", "adminPassword": "hunter22", "count": 3,
            ],
        ]
        let expected: JSONTree = [
            "kind": "Deployment",
            "metadata": ["annotations": ["note": "stays"]],
            "spec": [
                "env": [
                    ["name": "A", "value": "(redacted)"],
                    ["name": "B", "valueFrom": ["secretKeyRef": ["name": "s", "key": "k"]]],
                ],
                "storageSecretName": "storage", "adminPassword": "(redacted)", "count": 3,
            ],
        ]
        #expect(redactor.redact(tree) == expected)
    }

    @Test("a Secret is its name and the names of its entries")
    func secrets() {
        let secret: JSONTree = [
            "kind": "Secret", "type": "Opaque",
            "metadata": ["name": "s", "namespace": "shop", "annotations": ["x": "y"]],
            "data": ["b": "aHVudGVyMjI=", "a": "aHVudGVyMjI="],
        ]
        #expect(
            redactor.redact(secret)
                == ["kind": "Secret", "name": "s", "namespace": "shop", "type": "Opaque", "keys": ["a", "b"]]
        )
    }

    @Test("of others' containers neither arguments nor environment are taken, of others' annotations none")
    func excerpt() {
        var pod = ClusterSamples.pod(annotations: ["company.example/token": "planted-annotation"])
        pod = pod.with(
            "spec",
            "volumes",
            value: [["name": "x", "csi": ["volumeAttributes": ["key": "planted-volume"]]]]
        )
        let containers: JSONTree = [["name": "mongodb", "image": "mongo", "args": ["--keyFile=planted-argument"]]]
        let text = PodExcerpt.make(pod.with("spec", "containers", value: containers)).description
        #expect(!text.contains("planted"))
        #expect(text.contains(#"{"kind":"csi","name":"x"}"#))
        #expect(text.contains("remora.dev/credentials-secret"))
    }

    @Test("no planted secret is in a bundle, wherever it was planted, and tar reads it")
    func bundle() async throws {
        var bundle = ReportBundle()
        bundle.add(
            "objects/repositories.json",
            [ClusterSamples.repository.with("spec", "url", value: "s3:https://u:planted-url@h/b")]
        )
        bundle.add("pods.json", [PodExcerpt.make(ClusterSamples.pod())])
        bundle.add("logs/shop/mongo-0.log", text: "connected with planted-value and cGxhbnRlZC12YWx1ZQ==\n")
        bundle.add("secret x", Fetched<String>.denied("no right to see planted-value")) { _, _ in }
        let (bytes, names) = bundle.archive(
            secrets: ["planted-value"],
            folder: "report",
            time: Samples.moment("10:00:00")
        )
        #expect(names == ["objects/repositories.json", "pods.json", "logs/shop/mongo-0.log", "gaps.txt"])
        let text = String(decoding: bytes, as: UTF8.self)
        for planted in ["planted-", "cGxhbnRlZC12YWx1ZQ", "hunter22"] { #expect(!text.contains(planted)) }
        try await withTestDirectory("report") { directory in
            let file = directory.path + "/r.tar"
            try Data(bytes).write(to: URL(fileURLWithPath: file))
            let listed = try await Command("/bin/tar", ["-tf", file]).run()
            #expect(listed.text == names.map { "report/\($0)\n" }.joined())
            let log = try await Command("/bin/tar", ["-xOf", file, "report/logs/shop/mongo-0.log"]).run()
            #expect(log.text == "connected with (redacted) and (redacted)\n")
        }
    }
}
