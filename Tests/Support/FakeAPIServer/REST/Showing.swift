import Kubernetes

/// In which shape a client wants its answer.
enum AnswerShape: Sendable {
    case full, partial, table

    /// The first entry of `Accept` that can be served.
    ///
    /// - Throws: ``APIError`` 406.
    init(_ accept: String) throws {
        if accept.isEmpty {
            self = .full
            return
        }
        for entry in accept.split(separator: ",") {
            let parts = entry.split(separator: ";").map { String($0).trimmed }
            guard let media = parts.first, ["application/json", "application/*", "*/*"].contains(media) else {
                continue
            }
            switch parts.first(where: { $0.hasPrefix("as=") }) {
            case "as=Table": self = .table
            case "as=PartialObjectMetadata", "as=PartialObjectMetadataList": self = .partial
            case nil: self = .full
            default: continue
            }
            return
        }
        throw APIError.notAcceptable(
            "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf"
        )
    }
}

extension ServerCore {
    /// One object in the shape that the client asked for.
    func shown(_ object: JSONTree, _ call: Call, _ type: ResourceType, status: Int = 200) throws -> Reply {
        switch try AnswerShape(call.accept) {
        case .full: .json(object, status: status)
        case .partial: .json(Self.partial(object), status: status)
        case .table:
            .json(
                Tables.table([object], type, ["resourceVersion": .string(object.resourceVersion)], call.query),
                status: status
            )
        }
    }

    func shownList(_ objects: [JSONTree], _ metadata: JSONTree, _ call: Call, _ type: ResourceType) throws -> Reply {
        switch try AnswerShape(call.accept) {
        case .full:
            // Elements of built-in lists don't repeat what they are; those of custom resources do.
            let items =
                type.isCustom
                ? objects
                : objects.map { object in
                    var object = object
                    object["apiVersion"] = nil
                    object["kind"] = nil
                    return object
                }
            return .json(
                [
                    "apiVersion": .string(type.apiVersion), "kind": .string("\(type.listKind)"), "metadata": metadata,
                    "items": .array(items),
                ]
            )
        case .partial:
            return .json(
                [
                    "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": metadata,
                    "items": .array(objects.map(Self.partial)),
                ]
            )
        case .table: return .json(Tables.table(objects, type, metadata, call.query))
        }
    }

    static func partial(_ object: JSONTree) -> JSONTree {
        [
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"] ?? [:],
        ]
    }
}

extension ResourceType {
    var listKind: String { "\(kind)List" }
}
