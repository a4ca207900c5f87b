import Kubernetes

extension CELType {
    /// The type of values that a schema describes.
    init(_ schema: Schema, name: String, isRoot: Bool = false) {
        if schema.isIntOrString || schema.type == nil {
            self = .dyn
            return
        }
        switch schema.type {
        case "boolean": self = .bool
        case "integer": self = .int
        case "number": self = .double
        case "string":
            self =
                switch schema.format {
                case "date-time", "date": .timestamp
                case "duration": .duration
                case "byte": .bytes
                default: .string
                }
        case "array": self = .list(CELType(schema.items.first ?? .anything, name: "\(name).@idx"))
        case "object":
            if let additional = schema.additional.first {
                self = .map(.string, CELType(additional, name: "\(name).@elem"))
            } else if schema.properties.isEmpty, schema.preservesUnknown {
                self = .dyn
            } else {
                self = .object(Self.object(schema, name, isRoot: isRoot))
            }
        default: self = .dyn
        }
    }

    private static func object(_ schema: Schema, _ name: String, isRoot: Bool) -> CELObjectType {
        var fields: [String: CELType] = [:]
        for (property, child) in schema.properties {
            guard let escaped = CELNames.escaped(property) else { continue }
            if isRoot || schema.isEmbeddedResource, property == "metadata" {
                fields[escaped] = .object(
                    CELObjectType(name: "\(name).metadata", fields: ["name": .string, "generateName": .string])
                )
            } else {
                fields[escaped] = CELType(child, name: "\(name).\(property)")
            }
        }
        if isRoot || schema.isEmbeddedResource {
            fields["apiVersion"] = .string
            fields["kind"] = .string
        }
        return CELObjectType(name: name, fields: fields)
    }
}

extension CELValue {
    /// A value as its schema says it is to be understood.
    init(_ value: JSONTree, _ schema: Schema?) {
        switch value {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .integer(let number): self = schema?.type == "number" ? .double(Double(number)) : .int(number)
        case .number(let number):
            self =
                schema?.type == "integer" && number == number.rounded() && abs(number) < 9e18
                ? .int(Int64(number)) : .double(number)
        case .string(let text): self = Self.text(text, schema)
        case .array(let elements): self = .list(elements.map { CELValue($0, schema?.items.first) })
        case .object(let members):
            var entries: [CELValue: CELValue] = [:]
            for (key, child) in members {
                let childSchema = schema?.member(key)
                // A null that may be there is as good as absent.
                if child.isNull, schema != nil { continue }
                entries[.string(key)] = CELValue(child, childSchema)
            }
            self = .map(entries)
        }
    }

    private static func text(_ text: String, _ schema: Schema?) -> CELValue {
        switch schema?.format {
        case "date-time": Times.parse(text).map { .timestamp($0) } ?? .string(text)
        case "date": Times.parse("\(text)T00:00:00Z").map { .timestamp($0) } ?? .string(text)
        case "duration": CELDuration.parse(text).map { .duration($0) } ?? .string(text)
        case "byte": .bytes(Array(text.utf8))
        default: .string(text)
        }
    }
}
