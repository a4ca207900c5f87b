import Kubernetes

/// Reads a built-in object as Go would: types must be right, unknown fields are named and dropped, nulls are nothing.
struct BuiltinDecoder {
    private(set) var unknown: [String] = []

    /// The value as it is understood.
    ///
    /// - Throws: ``APIError`` 400 that names field and type.
    mutating func decode(_ value: JSONTree, _ schema: Schema, kind: String, version: String) throws(APIError)
        -> JSONTree
    {
        do throws(Mismatch) {
            return try decode(value, schema, "") ?? [:]
        } catch {
            throw .badRequest("\(kind) in version \"\(version)\" cannot be handled as a \(kind): \(error.text)")
        }
    }

    private struct Mismatch: Error { var text: String }

    private func mismatch(_ value: JSONTree, _ path: String, _ type: String) -> Mismatch {
        Mismatch(text: "json: cannot unmarshal \(value.goName) into Go struct field \(path) of type \(type)")
    }

    private mutating func decode(_ value: JSONTree, _ schema: Schema, _ path: String) throws(Mismatch) -> JSONTree? {
        if value.isNull { return nil }
        if schema.type == nil, schema.isIntOrString { return try decodeIntOrString(value, schema, path) }
        switch schema.type {
        case "object": return try decodeObject(value, schema, path)
        case "array":
            guard let elements = value.array else {
                throw mismatch(value, path, "[]\(schema.items.first?.builtinName ?? "string")")
            }
            var decoded: [JSONTree] = []
            let items = schema.items.first ?? .anything
            for (index, element) in elements.enumerated() {
                decoded.append(try decode(element, items, "\(path)[\(index)]") ?? (items.type == "object" ? [:] : ""))
            }
            return .array(decoded)
        case "string":
            guard let text = value.string else { throw mismatch(value, path, "string") }
            return .string(try decodeText(text, schema, path))
        case "boolean":
            guard value.bool != nil else { throw mismatch(value, path, "bool") }
            return value
        case "integer":
            guard value.integer != nil else { throw mismatch(value, path, "int64") }
            return value
        case "number":
            guard value.double != nil else { throw mismatch(value, path, "float64") }
            return value
        default: return value
        }
    }

    private mutating func decodeObject(_ value: JSONTree, _ schema: Schema, _ path: String) throws(Mismatch) -> JSONTree
    {
        guard let members = value.object else { throw mismatch(value, path, schema.builtinName ?? "map[string]string") }
        var decoded: [String: JSONTree] = [:]
        for (key, child) in members.sorted(by: { $0.key < $1.key }) {
            let childPath = path.isEmpty ? key : "\(path).\(key)"
            guard let childSchema = schema.member(key) else {
                unknown.append(childPath)
                continue
            }
            if let value = try decode(child, childSchema, childPath) {
                decoded[key] = value
            } else if schema.properties[key] == nil, childSchema.type == "string" {
                // A map keeps the key of a null.
                decoded[key] = ""
            }
        }
        return .object(decoded)
    }

    private func decodeIntOrString(_ value: JSONTree, _ schema: Schema, _ path: String) throws(Mismatch) -> JSONTree {
        guard schema.format == "quantity" else {
            guard value.integer != nil || value.string != nil else { throw mismatch(value, path, "intstr.IntOrString") }
            return value
        }
        let text: String
        switch value {
        case .string(let given): text = given
        case .integer(let number): text = String(number)
        case .number(let number): text = "\(number)"
        default: throw mismatch(value, path, "resource.Quantity")
        }
        guard let quantity = Quantity(text) else {
            throw Mismatch(
                text: "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            )
        }
        return .string(quantity.canonical)
    }

    private func decodeText(_ text: String, _ schema: Schema, _ path: String) throws(Mismatch) -> String {
        switch schema.format {
        case "date-time":
            guard let date = Times.parse(text) else {
                throw Mismatch(
                    text:
                        "parsing time \"\(text)\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\(text)\" as \"2006\""
                )
            }
            return Times.text(date)
        case "micro-time":
            guard Times.isMicroTime(text) else {
                throw Mismatch(
                    text:
                        "parsing time \"\(text)\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"\(text)\" as \".000000\""
                )
            }
            return text
        case "byte":
            guard Formats.isValid(text, "byte") else {
                throw Mismatch(text: "illegal base64 data at input byte \(text.utf8.count)")
            }
            return text
        default: return text
        }
    }
}

extension JSONTree {
    /// What Go calls a value of this kind in its messages.
    fileprivate var goName: String {
        switch self {
        case .null: "null"
        case .bool: "bool"
        case .integer, .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }
}
