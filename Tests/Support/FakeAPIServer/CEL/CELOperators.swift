import Foundation

extension CELLibrary {
    static let operators: [(String, CELOverload)] = equality + ordering + arithmetic + containers

    private static let equality = [
        global("_==_", [.parameter("A"), .parameter("A")], .bool, .scan([0, 1])) { (values) throws(CELError) in
            .bool(values[0].equals(values[1]))
        },
        global("_!=_", [.parameter("A"), .parameter("A")], .bool, .scan([0, 1])) { (values) throws(CELError) in
            .bool(!values[0].equals(values[1]))
        },
        global("!_", [.bool], .bool) { (values) throws(CELError) in
            guard case .bool(let value) = values[0] else { throw noOverload("!_") }
            return .bool(!value)
        },
        global("-_", [.int], .int) { (values) throws(CELError) in try negated(values[0]) },
        global("-_", [.double], .double) { (values) throws(CELError) in try negated(values[0]) },
    ]

    private static func negated(_ value: CELValue) throws(CELError) -> CELValue {
        switch value {
        case .int(let number):
            guard number != .min else { throw CELError("integer overflow") }
            return .int(-number)
        case .double(let number): return .double(-number)
        default: throw noOverload("-_")
        }
    }

    private static let ordered: [CELType] = [.bool, .int, .uint, .double, .string, .bytes, .timestamp, .duration]
    private static let numbers: [CELType] = [.int, .uint, .double]

    private static let ordering: [(String, CELOverload)] = ["<", "<=", ">", ">="].flatMap { symbol in
        let name = "_\(symbol)_"
        let test: @Sendable (Int) -> Bool = { order in
            switch symbol {
            case "<": order < 0
            case "<=": order <= 0
            case ">": order > 0
            default: order >= 0
            }
        }
        let pairs =
            ordered.map { ($0, $0) } + numbers.flatMap { left in numbers.filter { $0 != left }.map { (left, $0) } }
        return pairs.map { left, right in
            global(name, [left, right], .bool, .scan([0, 1])) { (values) throws(CELError) in
                .bool(test(try compare(values[0], values[1])))
            }
        }
    }

    /// Less than 0, 0 or more, as the first is before, equal to or behind the second.
    static func compare(_ left: CELValue, _ right: CELValue) throws(CELError) -> Int {
        func order<T: Comparable>(_ left: T, _ right: T) -> Int { left < right ? -1 : left == right ? 0 : 1 }
        switch (left, right) {
        case (.int(let left), .int(let right)): return order(left, right)
        case (.uint(let left), .uint(let right)): return order(left, right)
        case (.bool(let left), .bool(let right)): return order(left ? 1 : 0, right ? 1 : 0)
        case (.string(let left), .string(let right)):
            let (left, right) = (left.unicodeScalars, right.unicodeScalars)
            return left.lexicographicallyPrecedes(right) ? -1 : left.elementsEqual(right) ? 0 : 1
        case (.bytes(let left), .bytes(let right)):
            return left.lexicographicallyPrecedes(right) ? -1 : left == right ? 0 : 1
        case (.timestamp(let left), .timestamp(let right)): return order(left, right)
        case (.duration(let left), .duration(let right)): return order(left, right)
        default:
            guard let left = left.number, let right = right.number else { throw noOverload("comparison") }
            return order(left, right)
        }
    }

    private static let arithmetic: [(String, CELOverload)] =
        ["+", "-", "*", "/", "%"].flatMap { symbol in
            (symbol == "%" ? [.int, .uint] : numbers).map { type in
                global("_\(symbol)_", [type, type], type) { (values) throws(CELError) in
                    try calculate(symbol, values[0], values[1])
                }
            }
        } + [
            global("_+_", [.string, .string], .string, .scan([0, 1])) { (values) throws(CELError) in
                try calculate("+", values[0], values[1])
            },
            global("_+_", [.bytes, .bytes], .bytes, .scan([0, 1])) { (values) throws(CELError) in
                try calculate("+", values[0], values[1])
            },
            global("_+_", [.list(.parameter("A")), .list(.parameter("A"))], .list(.parameter("A"))) {
                (values) throws(CELError) in
                try calculate("+", values[0], values[1])
            },
            global("_+_", [.timestamp, .duration], .timestamp) { (values) throws(CELError) in
                try calculate("+", values[0], values[1])
            },
            global("_+_", [.duration, .duration], .duration) { (values) throws(CELError) in
                try calculate("+", values[0], values[1])
            },
            global("_-_", [.timestamp, .timestamp], .duration) { (values) throws(CELError) in
                try calculate("-", values[0], values[1])
            },
            global("_-_", [.timestamp, .duration], .timestamp) { (values) throws(CELError) in
                try calculate("-", values[0], values[1])
            },
            global("_-_", [.duration, .duration], .duration) { (values) throws(CELError) in
                try calculate("-", values[0], values[1])
            },
        ]

    private static func calculate(_ symbol: String, _ left: CELValue, _ right: CELValue) throws(CELError) -> CELValue {
        switch (left, right) {
        case (.int(let left), .int(let right)): return .int(try whole(symbol, left, right))
        case (.uint(let left), .uint(let right)): return .uint(try whole(symbol, left, right))
        case (.double(let left), .double(let right)):
            switch symbol {
            case "+": return .double(left + right)
            case "-": return .double(left - right)
            case "*": return .double(left * right)
            case "/": return .double(left / right)
            default: throw noOverload("_\(symbol)_")
            }
        case (.string(let left), .string(let right)) where symbol == "+": return .string(left + right)
        case (.bytes(let left), .bytes(let right)) where symbol == "+": return .bytes(left + right)
        case (.list(let left), .list(let right)) where symbol == "+": return .list(left + right)
        case (.timestamp(let left), .duration(let right)) where symbol == "+":
            return .timestamp(left.addingTimeInterval(right))
        case (.timestamp(let left), .duration(let right)) where symbol == "-":
            return .timestamp(left.addingTimeInterval(-right))
        case (.timestamp(let left), .timestamp(let right)) where symbol == "-":
            return .duration(left.timeIntervalSince(right))
        case (.duration(let left), .duration(let right)) where symbol == "+": return .duration(left + right)
        case (.duration(let left), .duration(let right)) where symbol == "-": return .duration(left - right)
        default: throw noOverload("_\(symbol)_")
        }
    }

    private static func whole<T: FixedWidthInteger>(_ symbol: String, _ left: T, _ right: T) throws(CELError) -> T {
        let result: (partialValue: T, overflow: Bool)
        switch symbol {
        case "+": result = left.addingReportingOverflow(right)
        case "-": result = left.subtractingReportingOverflow(right)
        case "*": result = left.multipliedReportingOverflow(by: right)
        case "/":
            guard right != 0 else { throw CELError("division by zero") }
            result = left.dividedReportingOverflow(by: right)
        default:
            guard right != 0 else { throw CELError("modulus by zero") }
            result = left.remainderReportingOverflow(dividingBy: right)
        }
        guard !result.overflow else { throw CELError("integer overflow") }
        return result.partialValue
    }

    private static let containers = [
        global("@in", [.parameter("A"), .list(.parameter("A"))], .bool, .elements) { (values) throws(CELError) in
            guard case .list(let elements) = values[1] else { return try isKey(values) }
            return .bool(elements.contains { $0.equals(values[0]) })
        },
        global("@in", [.parameter("A"), .map(.parameter("A"), .parameter("B"))], .bool) { (values) throws(CELError) in
            try isKey(values)
        },
        sizeOf("size", false, .string), sizeOf("size", true, .string), sizeOf("size", false, .bytes),
        sizeOf("size", true, .bytes), sizeOf("size", false, .list(.parameter("A"))),
        sizeOf("size", true, .list(.parameter("A"))), sizeOf("size", false, .map(.parameter("A"), .parameter("B"))),
        sizeOf("size", true, .map(.parameter("A"), .parameter("B"))),
    ]

    private static func isKey(_ values: [CELValue]) throws(CELError) -> CELValue {
        switch values[1] {
        case .map(let entries): return .bool(entries[values[0]] != nil)
        case .list(let elements): return .bool(elements.contains { $0.equals(values[0]) })
        default: throw noOverload("@in")
        }
    }

    private static func sizeOf(_ name: String, _ isMember: Bool, _ type: CELType) -> (String, CELOverload) {
        let make = isMember ? member : global
        return make(name, [type], .int, .constant) { (values) throws(CELError) in
            switch values[0] {
            case .string(let text): return .int(Int64(text.unicodeScalars.count))
            case .bytes(let bytes): return .int(Int64(bytes.count))
            case .list(let elements): return .int(Int64(elements.count))
            case .map(let entries): return .int(Int64(entries.count))
            default: throw noOverload("size")
            }
        }
    }
}
