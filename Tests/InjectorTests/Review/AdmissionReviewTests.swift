import Foundation
import Injector
import Kubernetes
import Testing

@Suite("Questions of the API server")
struct AdmissionReviewTests {
    private func review(_ pod: String = Pods.official, _ change: (inout JSONTree) -> Void = { _ in }) throws -> [UInt8]
    {
        var request: JSONTree = [
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": ["group": "", "version": "v1", "kind": "Pod"],
            "resource": ["group": "", "version": "v1", "resource": "pods"], "name": "", "namespace": "shop",
            "operation": "CREATE",
            "userInfo": ["username": "system:serviceaccount:kube-system:statefulset-controller"],
            "object": try JSONTree(parsing: pod),
            "oldObject": .null, "dryRun": false,
        ]
        change(&request)
        let review: JSONTree = ["apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request]
        return review.bytes
    }

    private func response(_ bytes: [UInt8], _ injector: AgentInjector = Pods.injector) throws -> JSONTree {
        let review = try AdmissionReview(parsing: bytes)
        let answer = try JSONTree(parsing: injector.answer(review, NamespaceFacts(name: review.namespace)).0.bytes)
        #expect(answer["apiVersion"] == "admission.k8s.io/v1")
        #expect(answer["kind"] == "AdmissionReview")
        return try #require(answer["response"])
    }

    @Test("the answer has the question's uid, and the patch with its type")
    func patched() throws {
        let response = try response(try review())
        #expect(response["uid"] == "705ab4f5-6393-11e8-b7cc-42010a800002")
        #expect(response["allowed"] == true)
        #expect(response["patchType"] == "JSONPatch")
        let text = try #require(response["patch"]?.string)
        let bytes = try #require(Data(base64Encoded: text))
        let patch = try JSONPatch(JSONTree(parsing: [UInt8](bytes)))
        let pod = try patch.applied(to: JSONTree(parsing: Pods.official))
        #expect(pod == Pods.injector.decide(try Pods.pod(Pods.official), in: Pods.shop).pod)
        #expect(response[path: "auditAnnotations", "result"] == "injected")
        #expect(response["warnings"] == nil)
    }

    @Test("without a change there is neither patch nor type")
    func unchanged() throws {
        let response = try response(try review(#"{"metadata":{},"spec":{}}"#))
        #expect(response["patch"] == nil && response["patchType"] == nil)
        #expect(response["allowed"] == true)
    }

    @Test("a dry run gets the same answer")
    func dryRun() throws {
        #expect(try response(try review { $0["dryRun"] = true }) == response(try review()))
    }

    @Test(
        "what is no pod that is created is allowed as it is",
        arguments: ["operation", "kind", "subResource", "object"]
    )
    func others(field: String) throws {
        let bytes = try review { request in
            request[field] =
                field == "kind"
                ? ["group": "apps", "version": "v1", "kind": "Pod"] : field == "object" ? .null : "UPDATE"
        }
        let response = try response(bytes)
        #expect(response["allowed"] == true)
        #expect(response["patch"] == nil)
    }

    @Test("a strict installation refuses wrong annotations, with the sentence")
    func strict() throws {
        var settings = Pods.settings
        settings.isStrict = true
        var pod = try Pods.pod(Pods.official)
        pod["metadata"]?["annotations"]?["remora.dev/sidecar"] = "maybe"
        let response = try response(try review(pod.description), AgentInjector(settings))
        #expect(response["allowed"] == false)
        #expect(
            response["status"] == [
                "code": 400, "reason": "BadRequest",
                "message": "remora: remora.dev/sidecar is 'maybe'; allowed: auto, native, container",
            ]
        )
        #expect(response["patch"] == nil)
    }

    @Test("what can't be explained stops no pod, not even in a strict installation")
    func strictAndStrange() throws {
        var settings = Pods.settings
        settings.isStrict = true
        let response = try response(
            try review(
                #"{"metadata":{"name":"a","annotations":{"remora.dev/inject":"true"}},"spec":{"containers":"none"}}"#
            ),
            AgentInjector(settings)
        )
        #expect(response["allowed"] == true)
        #expect(response["warnings"]?[0] == "remora: no agent was injected: spec.containers is no list of objects")
    }

    @Test(
        "a body that is no question is refused in a sentence",
        arguments: [
            ("", "the body is not JSON at byte 0: it ends where a value should be"),
            ("{}", "the body is no AdmissionReview of admission.k8s.io/v1"),
            (
                #"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1"}"#,
                "the body is no AdmissionReview of admission.k8s.io/v1"
            ),
            (
                #"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{}}"#,
                "the AdmissionReview has no request with a uid"
            ),
        ]
    )
    func malformed(body: String, sentence: String) {
        #expect { try AdmissionReview(parsing: Array(body.utf8)) } throws: { "\($0)" == sentence }
    }

    @Test("base 64 is that of everybody else", arguments: 0..<70)
    func base64(count: Int) throws {
        // The patch is the only place where it shows: annotations of every length.
        var pod = try Pods.pod(Pods.official)
        pod["metadata"]?["annotations"]?["remora.dev/sidecar"] = .string(String(repeating: "é", count: count))
        let text = try #require(try response(try review(pod.description))["patch"]?.string)
        let bytes = try #require(Data(base64Encoded: text))
        #expect(bytes.base64EncodedString() == text)
        _ = try JSONPatch(JSONTree(parsing: [UInt8](bytes)))
    }
}
