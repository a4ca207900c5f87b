import Foundation

extension CELLibrary {
    static let conversions: [(String, CELOverload)] =
        [
            global("dyn", [.parameter("A")], .dyn) { (values) throws(CELError) in values[0] },
            global("type", [.parameter("A")], .type) { (values) throws(CELError) in .type(values[0].typeName) },
            global("duration", [.string], .duration) { (values) throws(CELError) in
                guard case .string(let text) = values[0], let seconds = CELDuration.parse(text) else {
                    throw CELError("invalid duration")
                }
                return .duration(seconds)
            },
            global("timestamp", [.string], .timestamp) { (values) throws(CELError) in
                guard case .string(let text) = values[0], let date = Times.parse(text) else {
                    throw CELError("invalid timestamp")
                }
                return .timestamp(date)
            },
            global("timestamp", [.timestamp], .timestamp) { (values) throws(CELError) in values[0] },
            global("bool", [.string], .bool) { (values) throws(CELError) in
                guard case .string(let text) = values[0], let value = Bool(text) else {
                    throw CELError("type conversion error from 'string' to 'bool'")
                }
                return .bool(value)
            },
            global("bool", [.bool], .bool) { (values) throws(CELError) in values[0] },
            global("bytes", [.string], .bytes) { (values) throws(CELError) in
                guard case .string(let text) = values[0] else { throw noOverload("bytes") }
                return .bytes(Array(text.utf8))
            },
        ]
        + [CELType.int, .uint, .double, .string, .timestamp, .duration].map { type in
            global("int", [type], .int) { (values) throws(CELError) in .int(try integer(values[0])) }
        }
        + [CELType.int, .uint, .double, .string].map { type in
            global("uint", [type], .uint) { (values) throws(CELError) in
                guard let value = UInt64(exactly: try integer(values[0])) else {
                    throw CELError("unsigned integer overflow")
                }
                return .uint(value)
            }
        }
        + [CELType.int, .uint, .double, .string].map { type in
            global("double", [type], .double) { (values) throws(CELError) in
                if let number = values[0].number { return .double(number) }
                guard case .string(let text) = values[0], let number = Double(text) else {
                    throw CELError("type conversion error from 'string' to 'double'")
                }
                return .double(number)
            }
        }
        + [CELType.int, .uint, .double, .string, .bool, .bytes, .timestamp, .duration].map { type in
            global("string", [type], .string, .scan([0])) { (values) throws(CELError) in .string(try text(values[0])) }
        } + dates

    private static func integer(_ value: CELValue) throws(CELError) -> Int64 {
        switch value {
        case .int(let number): return number
        case .uint(let number):
            guard let result = Int64(exactly: number) else { throw CELError("integer overflow") }
            return result
        case .double(let number):
            guard number > -9.2e18, number < 9.2e18 else { throw CELError("integer overflow") }
            return Int64(number)
        case .string(let text):
            guard let number = Int64(text) else { throw CELError("type conversion error from 'string' to 'int'") }
            return number
        case .timestamp(let date): return Int64(date.timeIntervalSince1970)
        case .duration(let seconds): return Int64(seconds * 1e9)
        default: throw noOverload("int")
        }
    }

    static func text(_ value: CELValue) throws(CELError) -> String {
        switch value {
        case .string(let text): return text
        case .int(let number): return String(number)
        case .uint(let number): return String(number)
        case .double(let number):
            return number == number.rounded() && abs(number) < 1e15 ? String(Int64(number)) : String(number)
        case .bool(let value): return value ? "true" : "false"
        case .bytes(let bytes):
            guard let text = String(validating: bytes, as: UTF8.self) else { throw CELError("invalid UTF-8 in bytes") }
            return text
        case .timestamp(let date): return Times.text(date)
        case .duration(let seconds): return seconds == seconds.rounded() ? "\(Int64(seconds))s" : "\(seconds)s"
        default: throw noOverload("string")
        }
    }

    private static let dates: [(String, CELOverload)] =
        [
            ("getFullYear", .year), ("getMonth", .month), ("getDayOfMonth", .day), ("getDate", .day),
            ("getHours", .hour),
            ("getMinutes", .minute), ("getSeconds", .second), ("getDayOfWeek", .weekday),
        ].map { (name: String, component: Calendar.Component) in
            member(name, [.timestamp], .int) { (values) throws(CELError) in
                guard case .timestamp(let date) = values[0] else { throw noOverload(name) }
                var calendar = Calendar(identifier: .gregorian)
                calendar.timeZone = .gmt
                let value = calendar.component(component, from: date)
                let countsFromZero = ["getMonth", "getDayOfMonth", "getDayOfWeek"].contains(name)
                return .int(Int64(countsFromZero ? value - 1 : value))
            }
        }
        + ["getHours", "getMinutes", "getSeconds", "getMilliseconds"].map { name in
            member(name, [.duration], .int) { (values) throws(CELError) in
                guard case .duration(let seconds) = values[0] else { throw noOverload(name) }
                let divisor: Double = ["getHours": 3600.0, "getMinutes": 60.0, "getSeconds": 1.0][name] ?? 0.001
                return .int(Int64(seconds / divisor))
            }
        }
}
