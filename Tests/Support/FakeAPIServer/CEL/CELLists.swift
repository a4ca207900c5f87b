import Foundation

extension CELLibrary {
    private static let ordered: [CELType] = [.int, .uint, .double, .string, .bool, .timestamp, .duration, .bytes]

    static let lists: [(String, CELOverload)] =
        ordered.flatMap { type in
            [
                member("isSorted", [.list(type)], .bool, .elements) { (values) throws(CELError) in
                    let list = try elements(values[0], "isSorted")
                    for index in list.indices.dropFirst() where try compare(list[index - 1], list[index]) > 0 {
                        return .bool(false)
                    }
                    return .bool(true)
                },
                member("min", [.list(type)], type, .elements) { (values) throws(CELError) in
                    try extreme(values[0], "min", -1)
                },
                member("max", [.list(type)], type, .elements) { (values) throws(CELError) in
                    try extreme(values[0], "max", 1)
                },
            ]
        }
        + [CELType.int, .uint, .double, .duration].map { type in
            member("sum", [.list(type)], type, .elements) { (values) throws(CELError) in
                let list = try elements(values[0], "sum")
                guard var total = list.first else {
                    return switch type {
                    case .uint: .uint(0)
                    case .double: .double(0)
                    case .duration: .duration(0)
                    default: .int(0)
                    }
                }
                for element in list.dropFirst() { total = try call("_+_", [total, element]) }
                return total
            }
        } + [
            member("indexOf", [.list(.parameter("A")), .parameter("A")], .int, .elements) { (values) throws(CELError) in
                .int(Int64(try elements(values[0], "indexOf").firstIndex { $0.equals(values[1]) } ?? -1))
            },
            member("lastIndexOf", [.list(.parameter("A")), .parameter("A")], .int, .elements) {
                (values) throws(CELError) in
                .int(Int64(try elements(values[0], "lastIndexOf").lastIndex { $0.equals(values[1]) } ?? -1))
            },
            set("sets.contains", .bool) { left, right in
                .bool(right.allSatisfy { one in left.contains { $0.equals(one) } })
            },
            set("sets.intersects", .bool) { left, right in
                .bool(right.contains { one in left.contains { $0.equals(one) } })
            },
            set("sets.equivalent", .bool) { left, right in
                .bool(
                    right.allSatisfy { one in left.contains { $0.equals(one) } }
                        && left.allSatisfy { one in right.contains { $0.equals(one) } }
                )
            },
        ] + optionals

    private static func set(
        _ name: String,
        _ result: CELType,
        _ body: @escaping @Sendable ([CELValue], [CELValue]) -> CELValue
    ) -> (String, CELOverload) {
        global(name, [.list(.parameter("A")), .list(.parameter("A"))], result, .elements) { (values) throws(CELError) in
            body(try elements(values[0], name), try elements(values[1], name))
        }
    }

    private static func elements(_ value: CELValue, _ name: String) throws(CELError) -> [CELValue] {
        guard case .list(let elements) = value else { throw noOverload(name) }
        return elements
    }

    private static func extreme(_ value: CELValue, _ name: String, _ sign: Int) throws(CELError) -> CELValue {
        let list = try elements(value, name)
        guard var best = list.first else { throw CELError("\(name) called on empty list") }
        for element in list.dropFirst() where try compare(element, best) * sign > 0 { best = element }
        return best
    }

    private static let optionals = [
        member("hasValue", [.optional(.parameter("A"))], .bool) { (values) throws(CELError) in
            guard case .optional(let content) = values[0] else { throw noOverload("hasValue") }
            return .bool(!content.isEmpty)
        },
        member("value", [.optional(.parameter("A"))], .parameter("A")) { (values) throws(CELError) in
            guard case .optional(let content) = values[0] else { throw noOverload("value") }
            guard let value = content.first else { throw CELError("optional.none() dereference") }
            return value
        },
        member("orValue", [.optional(.parameter("A")), .parameter("A")], .parameter("A")) { (values) throws(CELError) in
            guard case .optional(let content) = values[0] else { throw noOverload("orValue") }
            return content.first ?? values[1]
        },
        member("or", [.optional(.parameter("A")), .optional(.parameter("A"))], .optional(.parameter("A"))) {
            (values) throws(CELError) in
            guard case .optional(let content) = values[0] else { throw noOverload("or") }
            return content.isEmpty ? values[1] : values[0]
        },
        global("optional.of", [.parameter("A")], .optional(.parameter("A"))) { (values) throws(CELError) in
            .optional([values[0]])
        },
        global("optional.none", [], .optional(.parameter("A"))) { (_) throws(CELError) in .optional([]) },
        global("optional.ofNonZeroValue", [.parameter("A")], .optional(.parameter("A"))) { (values) throws(CELError) in
            let isZero: Bool =
                switch values[0] {
                case .null: true
                case .bool(let value): !value
                case .string(let text): text.isEmpty
                case .list(let list): list.isEmpty
                case .map(let map): map.isEmpty
                default: values[0].number == 0
                }
            return .optional(isZero ? [] : [values[0]])
        },
    ]
}
