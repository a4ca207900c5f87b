/// Knows which JSON objects stand for a single value (extended JSON specification, version 2).
enum ExtendedJSONTypes {
    /// The value that the object stands for, or nil when it is a plain document that has `$` names.
    static func value(_ elements: [(String, BSONValue)]) throws(BSONError) -> BSONValue? {
        if elements.count == 1 { return try single(elements[0].0, elements[0].1) }
        guard elements.count == 2 else { return nil }
        if case .string(let code)? = field("$code", elements), case .document(let scope)? = field("$scope", elements) {
            return .javascriptWithScope(code, scope: scope)
        }
        // mongoexport's older spelling of binary and regular expressions.
        if case .string(let base64)? = field("$binary", elements), case .string(let type)? = field("$type", elements) {
            return try binary(base64: base64, subtype: type)
        }
        return nil
    }

    private static func field(_ key: String, _ elements: [(String, BSONValue)]) -> BSONValue? {
        elements.first { $0.0 == key }?.1
    }

    private static func single(_ key: String, _ value: BSONValue) throws(BSONError) -> BSONValue? {
        switch (key, value) {
        case ("$numberInt", .string(let text)): .int32(try number(text, Int32(text)))
        case ("$numberLong", .string(let text)): .int64(try number(text, Int64(text)))
        case ("$numberDouble", .string(let text)): .double(try number(text, double(text)))
        case ("$numberDecimal", .string(let text)): .decimal128(try BSONDecimal128(text))
        case ("$oid", .string(let text)):
            .objectID(try number(text, Hexadecimal.decode(text).flatMap { BSONObjectID($0) }))
        case ("$symbol", .string(let text)): .symbol(text)
        case ("$code", .string(let text)): .javascript(text)
        case ("$undefined", .bool(true)): .undefined
        case ("$minKey", .int32(1)): .minKey
        case ("$maxKey", .int32(1)): .maxKey
        case ("$uuid", .string(let text)): try uuid(text)
        case ("$date", _): try date(value)
        case ("$timestamp", .document(let parts)): try timestamp(parts)
        case ("$binary", .document(let parts)):
            try binary(base64: parts["base64"]?.string ?? "", subtype: parts["subType"]?.string ?? "")
        case ("$regularExpression", .document(let parts)): regex(parts)
        case ("$dbPointer", .document(let parts)): dbPointer(parts)
        default: nil
        }
    }

    private static func number<Value>(_ text: String, _ value: Value?) throws(BSONError) -> Value {
        guard let value else { throw BSONError(.badJSON, "'\(text)' is not what its type says") }
        return value
    }

    private static func double(_ text: String) -> Double? {
        switch text {
        case "NaN": .nan
        case "Infinity": .infinity
        case "-Infinity": -.infinity
        default: Double(text)
        }
    }

    /// Only the canonical spelling: milliseconds.
    ///
    /// ISO 8601 text is for people and not what backups hold.
    private static func date(_ value: BSONValue) throws(BSONError) -> BSONValue {
        if let milliseconds = value.integer { return .date(milliseconds) }
        throw BSONError(.badJSON, "a $date must be {\"$numberLong\": milliseconds}")
    }

    private static func timestamp(_ parts: BSONDocument) throws(BSONError) -> BSONValue {
        guard let seconds = parts["t"]?.integer, let ordinal = parts["i"]?.integer,
            let t = UInt32(exactly: seconds), let i = UInt32(exactly: ordinal)
        else { throw BSONError(.badJSON, "a $timestamp needs t and i") }
        return .timestamp(UInt64(t) << 32 | UInt64(i))
    }

    private static func binary(base64: String, subtype: String) throws(BSONError) -> BSONValue {
        let padded = subtype.count == 1 ? "0" + subtype : subtype
        guard let bytes = Base64.decode(base64), let type = Hexadecimal.decode(padded), type.count == 1 else {
            throw BSONError(.badJSON, "a $binary needs base64 and a subType of two hexadecimal digits")
        }
        return .binary(subtype: type[0], bytes: bytes)
    }

    private static func uuid(_ text: String) throws(BSONError) -> BSONValue {
        guard let bytes = Hexadecimal.decode(text.filter { $0 != "-" }), bytes.count == 16 else {
            throw BSONError(.badJSON, "'\(text)' is no UUID")
        }
        return .binary(subtype: 4, bytes: bytes)
    }

    private static func regex(_ parts: BSONDocument) -> BSONValue? {
        guard let pattern = parts["pattern"]?.string, let options = parts["options"]?.string else { return nil }
        return .regex(pattern: pattern, options: options)
    }

    private static func dbPointer(_ parts: BSONDocument) -> BSONValue? {
        guard let namespace = parts["$ref"]?.string, case .objectID(let id)? = parts["$id"] else { return nil }
        return .dbPointer(namespace: namespace, id: id)
    }
}
