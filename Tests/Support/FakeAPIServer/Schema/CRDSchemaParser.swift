import Kubernetes

/// Reads `openAPIV3Schema`, and says everything that keeps it from being structural.
struct CRDSchemaParser {
    private(set) var errors: [FieldError] = []
    private static let known: Set<String> = [
        "type", "format", "title", "description", "default", "example", "externalDocs", "nullable", "properties",
        "additionalProperties", "items", "required", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems",
        "minProperties", "maxProperties", "allOf", "anyOf", "oneOf", "not", "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string", "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys", "x-kubernetes-map-type", "x-kubernetes-validations",
    ]
    private static let types: Set<String> = ["object", "array", "string", "integer", "number", "boolean"]

    mutating func parseRoot(_ node: JSONTree, _ path: String) -> Schema {
        var schema = parse(node, path, isRoot: true)
        if schema.type != "object" {
            errors.append(.invalid("\(path).type", .string(schema.type ?? ""), "must be object at the root"))
        }
        for (name, type) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
            if let given = schema.properties[name], given.type != type {
                errors.append(
                    .invalid("\(path).properties[\(name)].type", .string(given.type ?? ""), "must be \(type)")
                )
            }
        }
        if let metadata = node["properties"]?["metadata"] {
            let allowed = Set(metadata["properties"]?.object?.keys.map { $0 } ?? []).subtracting([
                "name", "generateName",
            ])
            let others = Set(metadata.object?.keys.map { $0 } ?? []).subtracting(["type", "properties", "description"])
            if !allowed.isEmpty || !others.isEmpty {
                errors.append(
                    .forbidden(
                        "\(path).properties[metadata]",
                        "must not specify anything other than name and generateName, but metadata is implicitly specified"
                    )
                )
            }
        }
        let string = Schema(type: "string")
        schema.properties["apiVersion"] = string
        schema.properties["kind"] = string
        let meta = schema.properties["metadata"]
        schema.properties["metadata"] = BuiltinSchemas.objectMeta
        for name in ["name", "generateName"] {
            if let limits = meta?.properties[name]?.limits {
                schema.properties["metadata"]?.properties[name]?.limits = limits
            }
        }
        return schema
    }

    private mutating func parse(_ node: JSONTree, _ path: String, isRoot: Bool = false) -> Schema {
        var schema = parseValue(node, path)
        schema.description = node["description"]?.string
        schema.isIntOrString = node["x-kubernetes-int-or-string"]?.bool ?? false
        schema.preservesUnknown = node["x-kubernetes-preserve-unknown-fields"]?.bool ?? false
        schema.isEmbeddedResource = node["x-kubernetes-embedded-resource"]?.bool ?? false
        schema.isNullable = node["nullable"]?.bool ?? false
        checkType(&schema, node, path)
        parseChildren(&schema, node, path)
        parseOwnership(&schema, node, path)
        if let value = node["default"] {
            if isRoot { errors.append(.forbidden("\(path).default", "must not be set at the root")) }
            schema.defaultValue = value
            errors += SchemaValidator(schema: schema).errors(value, "\(path).default")
            if Pruning.pruned(value, schema) != value {
                errors.append(.invalid("\(path).default", value, "must not have unknown fields"))
            }
        }
        return schema
    }

    private mutating func checkType(_ schema: inout Schema, _ node: JSONTree, _ path: String) {
        for key in (node.object ?? [:]).keys.sorted() where !Self.known.contains(key) {
            if key == "$ref" {
                errors.append(.forbidden("\(path).$ref", "must be empty"))
            } else {
                errors.append(.invalid(path, .string(key), "unknown field \"\(key)\" in a schema"))
            }
        }
        if node["uniqueItems"]?.bool == true {
            errors.append(
                .forbidden(
                    "\(path).uniqueItems",
                    "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
                )
            )
        }
        if schema.isIntOrString {
            if let type = schema.type {
                errors.append(
                    .forbidden("\(path).type", "must be empty if x-kubernetes-int-or-string is true, but is \(type)")
                )
            }
            return
        }
        guard let type = schema.type else {
            if !schema.preservesUnknown {
                errors.append(.required("\(path).type", "must not be empty for specified object fields"))
            }
            return
        }
        if !Self.types.contains(type) {
            errors.append(.notSupported("\(path).type", .string(type), Self.types.sorted()))
        }
        if schema.preservesUnknown, type != "object" {
            errors.append(
                .invalid(
                    "\(path).type",
                    .string(type),
                    "must be object if x-kubernetes-preserve-unknown-fields is true"
                )
            )
        }
        if type == "array", node["items"] == nil { errors.append(.required("\(path).items", "must be specified")) }
    }

    private mutating func parseChildren(_ schema: inout Schema, _ node: JSONTree, _ path: String) {
        for (name, child) in (node["properties"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            schema.properties[name] = parse(child, "\(path).properties[\(name)]")
        }
        if !schema.properties.isEmpty, schema.type != nil, schema.type != "object" {
            errors.append(.forbidden("\(path).properties", "must be empty unless type is object"))
        }
        switch node["additionalProperties"] {
        case .object?:
            if !schema.properties.isEmpty {
                errors.append(
                    .forbidden(
                        "\(path).additionalProperties",
                        "additionalProperties and properties are mutual exclusive"
                    )
                )
            }
            schema.additional = [parse(node["additionalProperties"] ?? .null, "\(path).additionalProperties")]
        case .bool(true)?: schema.preservesUnknown = true
        case .bool(false)?:
            errors.append(.forbidden("\(path).additionalProperties", "additionalProperties cannot be set to false"))
        default: break
        }
        if let items = node["items"] {
            if items.array != nil {
                errors.append(.forbidden("\(path).items", "items must be a schema object and not an array"))
            }
            schema.items = [parse(items, "\(path).items")]
        }
    }

    private mutating func parseOwnership(_ schema: inout Schema, _ node: JSONTree, _ path: String) {
        if schema.type == "object" {
            let mapType = node["x-kubernetes-map-type"]?.string
            schema.ownership = mapType == "atomic" ? .atomic : .granular
            if let mapType, mapType != "atomic", mapType != "granular" {
                errors.append(.notSupported("\(path).x-kubernetes-map-type", .string(mapType), ["atomic", "granular"]))
            }
        }
        let keys = node["x-kubernetes-list-map-keys"]?.array?.compactMap(\.string) ?? []
        guard let listType = node["x-kubernetes-list-type"]?.string else {
            if !keys.isEmpty {
                errors.append(
                    .forbidden("\(path).x-kubernetes-list-map-keys", "must not be set if list-type is not map")
                )
            }
            return
        }
        if schema.type != "array" {
            errors.append(
                .invalid(
                    "\(path).type",
                    .string(schema.type ?? ""),
                    "must be array if x-kubernetes-list-type is specified"
                )
            )
        }
        switch listType {
        case "atomic": schema.ownership = .atomic
        case "set": schema.ownership = .set
        case "map":
            if keys.isEmpty {
                errors.append(
                    .required(
                        "\(path).x-kubernetes-list-map-keys",
                        "must not be empty if x-kubernetes-list-type is map"
                    )
                )
            }
            let items = schema.items.first ?? .anything
            if items.type != "object" {
                errors.append(
                    .invalid(
                        "\(path).items.type",
                        .string(items.type ?? ""),
                        "must be object if parent array's x-kubernetes-list-type is map"
                    )
                )
            }
            for key in keys {
                guard let property = items.properties[key] else {
                    errors.append(
                        .invalid(
                            "\(path).x-kubernetes-list-map-keys",
                            .string(key),
                            "entries must all be names of item properties"
                        )
                    )
                    continue
                }
                if property.defaultValue == nil, !items.required.contains(key) {
                    errors.append(
                        .required(
                            "\(path).items.properties[\(key)].default",
                            "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
                        )
                    )
                }
            }
            schema.ownership = .map(keys: keys)
        default:
            errors.append(.notSupported("\(path).x-kubernetes-list-type", .string(listType), ["atomic", "set", "map"]))
        }
    }

    /// The parts that may also stand below `allOf` and the like.
    private mutating func parseValue(_ node: JSONTree, _ path: String) -> Schema {
        var schema = Schema()
        schema.type = node["type"]?.string
        schema.format = node["format"]?.string
        schema.required = node["required"]?.array?.compactMap(\.string) ?? []
        schema.limits.enumeration = node["enum"]?.array
        if let pattern = node["pattern"]?.string {
            schema.limits.pattern = pattern
            if let problem = RE2.problem(pattern) {
                errors.append(
                    .invalid(
                        "\(path).pattern",
                        .string(pattern),
                        "must be a valid regular expression, but isn't: \(problem)"
                    )
                )
            }
        }
        schema.limits.minimum = node["minimum"]?.double
        schema.limits.maximum = node["maximum"]?.double
        schema.limits.isExclusiveMinimum = node["exclusiveMinimum"]?.bool ?? false
        schema.limits.isExclusiveMaximum = node["exclusiveMaximum"]?.bool ?? false
        schema.limits.multipleOf = node["multipleOf"]?.double
        let whole = { (key: String) in node[key]?.integer.map { Int($0) } }
        schema.limits.minLength = whole("minLength")
        schema.limits.maxLength = whole("maxLength")
        schema.limits.minItems = whole("minItems")
        schema.limits.maxItems = whole("maxItems")
        schema.limits.minProperties = whole("minProperties")
        schema.limits.maxProperties = whole("maxProperties")
        schema.limits.allOf = parseJunctor(node, "allOf", path)
        schema.limits.anyOf = parseJunctor(node, "anyOf", path)
        schema.limits.oneOf = parseJunctor(node, "oneOf", path)
        if let not = node["not"] { schema.limits.not = [parseJunction(not, "\(path).not")] }
        return schema
    }

    private mutating func parseJunctor(_ node: JSONTree, _ key: String, _ path: String) -> [Schema] {
        (node[key]?.array ?? []).enumerated().map {
            parseJunction($1, "\(path).\(key)[\($0)]", isIntOrString: node["x-kubernetes-int-or-string"]?.bool ?? false)
        }
    }

    private mutating func parseJunction(_ node: JSONTree, _ path: String, isIntOrString: Bool = false) -> Schema {
        var schema = parseValue(node, path)
        for key in [
            "description", "default", "additionalProperties", "nullable", "x-kubernetes-preserve-unknown-fields",
            "x-kubernetes-validations", "x-kubernetes-list-type",
        ] where node[key] != nil {
            errors.append(.forbidden("\(path).\(key)", "must be undefined to be structural"))
        }
        if schema.type != nil, !isIntOrString {
            errors.append(.forbidden("\(path).type", "must be empty to be structural"))
        }
        for (name, child) in node["properties"]?.object ?? [:] {
            schema.properties[name] = parseJunction(child, "\(path).properties[\(name)]")
        }
        if let items = node["items"] { schema.items = [parseJunction(items, "\(path).items")] }
        return schema
    }
}
