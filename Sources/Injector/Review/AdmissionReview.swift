import FoundationEssentials
public import Kubernetes

/// A question of the API server: may this object be, and how (admission.k8s.io/v1).
public struct AdmissionReview: Sendable {
    /// Largest question that is read; real ones carry `managedFields` too (controller-runtime's limit).
    public static let maximumBytes = 7 << 20
    static let apiVersion = "admission.k8s.io/v1"

    /// Ties the answer to the question.
    public var uid: String
    /// Whether the object is a pod that is to be created.
    public var isPodCreation: Bool
    /// The namespace; the object itself often has none yet.
    public var namespace: String
    /// Nothing will be stored; the answer is the same.
    public var isDryRun: Bool
    /// The object.
    public var object: JSONTree

    /// Reads a question.
    ///
    /// - Throws: `AdmissionReviewError`, when the body is none.
    public init(parsing bytes: [UInt8]) throws(AdmissionReviewError) {
        let tree: JSONTree
        do {
            tree = try JSONTree(parsing: bytes)
        } catch {
            throw AdmissionReviewError("the body is \(error)")
        }
        guard tree["kind"] == "AdmissionReview", tree["apiVersion"] == .string(Self.apiVersion) else {
            throw AdmissionReviewError("the body is no AdmissionReview of \(Self.apiVersion)")
        }
        guard let request = tree["request"], let uid = request["uid"]?.string, !uid.isEmpty else {
            throw AdmissionReviewError("the AdmissionReview has no request with a uid")
        }
        self.uid = uid
        let kind = request["kind"]
        let isPod = kind?["kind"] == "Pod" && (kind?["group"]?.string ?? "").isEmpty && kind?["version"] == "v1"
        let isWhole = (request["subResource"]?.string ?? "").isEmpty
        isPodCreation = isPod && isWhole && request["operation"] == "CREATE" && request["object"]?.object != nil
        namespace = request["namespace"]?.string ?? ""
        isDryRun = request["dryRun"]?.bool ?? false
        object = request["object"] ?? .null
    }
}

/// Why a body is no question of the API server.
public struct AdmissionReviewError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The sentence for people.
    public var description: String
    init(_ description: String) { self.description = description }
}

/// The answer to a question of the API server.
public struct AdmissionAnswer: Sendable, Hashable {
    /// Of the question.
    public var uid: String
    /// Whether the object may be.
    public var isAllowed = true
    /// Why not.
    public var denial: String?
    /// How it has to be changed.
    public var patch = JSONPatch()
    /// For the person who makes the object.
    public var warnings: [String] = []
    /// For the audit log.
    public var audit: [String: String] = [:]

    /// Makes an answer that allows everything.
    public init(uid: String) { self.uid = uid }

    /// As it is sent: `patch` and `patchType` both or none, as version 1 demands.
    public var bytes: [UInt8] {
        var response: JSONTree = ["uid": .string(uid), "allowed": .bool(isAllowed)]
        if let denial, !isAllowed {
            response["status"] = ["code": 400, "message": .string(denial), "reason": "BadRequest"]
        } else if !patch.isEmpty {
            response["patchType"] = "JSONPatch"
            response["patch"] = .string(Data(patch.tree.bytes).base64EncodedString())
        }
        if !warnings.isEmpty { response["warnings"] = .array(warnings.map { .string($0) }) }
        if !audit.isEmpty { response["auditAnnotations"] = .object(audit.mapValues { .string($0) }) }
        let review: JSONTree = [
            "apiVersion": .string(AdmissionReview.apiVersion), "kind": "AdmissionReview", "response": response,
        ]
        return review.bytes
    }
}

extension AgentInjector {
    /// Answers one question.
    ///
    /// - Parameters:
    ///   - review: the question.
    ///   - facts: what is known of its namespace.
    /// - Returns: the answer, and what was decided for whoever counts.
    public func answer(_ review: AdmissionReview, _ facts: NamespaceFacts) -> (AdmissionAnswer, InjectionDecision?) {
        guard review.isPodCreation else { return (AdmissionAnswer(uid: review.uid), nil) }
        let decision = decide(review.object, in: facts)
        return (answer(review, decision), decision)
    }

    /// The answer that a decision gives.
    public func answer(_ review: AdmissionReview, _ decision: InjectionDecision) -> AdmissionAnswer {
        var answer = AdmissionAnswer(uid: review.uid)
        answer.patch = decision.patch
        answer.warnings = decision.warnings
        answer.audit = ["result": decision.outcome.rawValue]
        answer.audit["hash"] = decision.hash
        answer.audit["reason"] = decision.error?.code.description
        if settings.isStrict, let error = decision.error, error.code.isOwnersFault {
            answer.isAllowed = false
            answer.denial = "remora: \(error.message)"
            answer.patch = JSONPatch()
        }
        return answer
    }
}

extension InjectionError.Code {
    /// Whether the pod's owner can mend it; what we can't explain never stops a pod, however strict the installation is.
    var isOwnersFault: Bool {
        ![InjectionError.Code.shape, .invalidResult, .deadline].contains(self)
    }
}
