import Kubernetes
import Yams

extension ServerCore {
    /// The object in a request's body, understood as the resource's kind.
    func decode(_ call: Call, _ type: ResourceType) throws -> JSONTree {
        let tree = try Self.parse(call.body, call.contentType)
        return try accept(tree, call, type)
    }

    /// A body as a tree.
    ///
    /// - Throws: ``APIError`` 400 or 415.
    static func parse(_ body: [UInt8], _ contentType: String) throws -> JSONTree {
        let media = contentType.split(separator: ";").first.map { String($0).trimmed } ?? ""
        switch media {
        case "application/json", "":
            do {
                return try JSONTree(parsing: body)
            } catch {
                throw APIError.badRequest("couldn't get version/kind; json parse error: \(error)")
            }
        case "application/yaml", "application/apply-patch+yaml":
            return try yaml(String(decoding: body, as: UTF8.self))
        case Protobuf.mediaType:
            if let tree = try Protobuf.tree(body) { return tree }
            fallthrough
        default:
            throw APIError.unsupportedMediaType(
                "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf"
            )
        }
    }

    /// YAML, of which JSON is a part, as a tree.
    static func yaml(_ text: String) throws -> JSONTree {
        do {
            guard let node = try Yams.compose(yaml: text) else { return .null }
            return try JSONTree(yaml: node)
        } catch let error as APIError {
            throw error
        } catch {
            throw APIError.badRequest("error converting YAML to JSON: yaml: \(error)")
        }
    }

    /// Checks version and kind, types and unknown fields.
    func accept(_ tree: JSONTree, _ call: Call, _ type: ResourceType) throws -> JSONTree {
        guard tree.object != nil else {
            throw APIError.badRequest(
                "couldn't get version/kind; json parse error: json: cannot unmarshal into an object"
            )
        }
        guard let kind = tree["kind"]?.string, !kind.isEmpty else {
            throw APIError.badRequest("Object 'Kind' is missing in '\(tree)'")
        }
        guard let version = tree["apiVersion"]?.string, !version.isEmpty else {
            throw APIError.badRequest("Object 'apiVersion' is missing in '\(tree)'")
        }
        guard version == type.apiVersion, kind == type.kind else {
            throw APIError.badRequest(
                version == type.apiVersion
                    ? "\(kind) in version \"\(type.version)\" cannot be handled as a \(type.kind): no kind \"\(kind)\" is registered here"
                    : "the API version in the data (\(version)) does not match the expected API version (\(type.apiVersion))"
            )
        }
        return try understand(tree, call, type)
    }

    /// Types and unknown fields, as the query's `fieldValidation` wants it.
    func understand(_ tree: JSONTree, _ call: Call, _ type: ResourceType) throws -> JSONTree {
        var unknown: [String] = []
        var object: JSONTree
        if type.isCustom {
            object = Pruning.pruned(tree, type.schema, "", &unknown)
            if let metadata = object["metadata"] {
                var decoder = BuiltinDecoder()
                object["metadata"] = try decoder.decode(
                    metadata,
                    BuiltinSchemas.objectMeta,
                    kind: type.kind,
                    version: type.version
                )
                unknown += decoder.unknown.map { "metadata.\($0)" }
            }
        } else {
            var decoder = BuiltinDecoder()
            object = try decoder.decode(tree, type.schema, kind: type.kind, version: type.version)
            unknown += decoder.unknown
        }
        object["apiVersion"] = .string(type.apiVersion)
        object["kind"] = .string(type.kind)
        if object["metadata"] == nil { object["metadata"] = [:] }
        guard !unknown.isEmpty else { return object }
        switch call.query["fieldValidation"] ?? "Warn" {
        case "Ignore": break
        case "Strict":
            let list = unknown.map { "unknown field \"\($0)\"" }.joined(separator: ", ")
            throw APIError.badRequest(
                type.isCustom
                    ? "\(type.kind) in version \"\(type.version)\" cannot be handled as a \(type.kind): strict decoding error: \(list)"
                    : "\(type.kind) in version \"\(type.version)\" cannot be handled as a \(type.kind): strict decoding error: \(list)"
            )
        case "Warn": for field in unknown { call.notes.warn("unknown field \"\(field)\"") }
        case let other:
            throw APIError.badRequest(
                "fieldValidation: Unsupported value: \"\(other)\": supported values: \"Ignore\", \"Warn\", \"Strict\""
            )
        }
        return object
    }
}

extension JSONTree {
    /// A YAML node as JSON; scalars are what YAML 1.2's core says, with YAML 1.1's words for truth, as the API server's
    /// reader has it.
    init(yaml node: Node) throws {
        switch node {
        case .mapping(let mapping):
            var members: [String: JSONTree] = [:]
            for (key, value) in mapping {
                guard let name = key.scalar?.string else { throw APIError.badRequest("a YAML key must be a scalar") }
                members[name] = try JSONTree(yaml: value)
            }
            self = .object(members)
        case .sequence(let sequence): self = .array(try sequence.map { try JSONTree(yaml: $0) })
        case .scalar(let scalar):
            let isPlain = scalar.style == .plain || scalar.style == .any
            guard isPlain else {
                self = .string(scalar.string)
                return
            }
            self = Self.plainScalar(scalar.string)
        case .alias: throw APIError.badRequest("a YAML alias without its anchor")
        }
    }

    private static func plainScalar(_ text: String) -> JSONTree {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": return true
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": return false
        default: break
        }
        // Most are no numbers, and an expression is compiled each time that it is asked.
        guard let first = text.utf8.first, "0123456789+-.".utf8.contains(first) else { return .string(text) }
        if text.wholeMatch(of: /[-+]?\d+/) != nil {
            if text.count > 1, text.hasPrefix("0"), let octal = Int64(text.dropFirst(), radix: 8) {
                return .integer(octal)
            }
            if let value = Int64(text) { return .integer(value) }
        }
        if text.hasPrefix("0x"), let value = Int64(text.dropFirst(2), radix: 16) { return .integer(value) }
        if text.hasPrefix("0o"), let value = Int64(text.dropFirst(2), radix: 8) { return .integer(value) }
        if text.wholeMatch(of: /[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?/) != nil, let value = Double(text) {
            return .number(value)
        }
        return .string(text)
    }
}
