/// Canonical extended JSON, version 2, byte for byte as mongodump writes it into `.metadata.json`.
public enum ExtendedJSON {
    /// The document as canonical extended JSON without white space.
    public static func canonical(_ document: BSONDocument) -> String {
        String(decoding: canonicalBytes(document), as: UTF8.self)
    }

    /// The document as UTF-8 bytes of canonical extended JSON.
    public static func canonicalBytes(_ document: BSONDocument) -> [UInt8] {
        var writer = ExtendedJSONWriter()
        writer.write(document, isArray: false)
        return writer.bytes
    }

    /// Reads a document from canonical or relaxed extended JSON.
    ///
    /// - Throws: `BSONError` with code `.badJSON` and the offset of what could not be understood, or `.tooDeep`.
    public static func parse(_ text: [UInt8]) throws(BSONError) -> BSONDocument {
        var parser = ExtendedJSONParser(text)
        let value = try parser.document()
        guard case .document(let document) = value else {
            throw BSONError(.badJSON, "the text holds a value where a document is expected")
        }
        // Documents that are nested too deep.
        try BSONView.validate(document.bytes.span.bytes)
        return document
    }
}

/// Writes from the bytes, so that field names and strings pass as they are wherever they are valid UTF-8.
struct ExtendedJSONWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ document: BSONDocument, isArray: Bool) {
        put(isArray ? "[" : "{")
        for (index, element) in document.places.enumerated() {
            if index > 0 { put(",") }
            if !isArray {
                string(document.bytes[element.key])
                put(":")
            }
            value(element.type, document.bytes[element.value])
        }
        put(isArray ? "]" : "}")
    }

    private mutating func value(_ type: BSONType, _ raw: ArraySlice<UInt8>) {
        switch type {
        case .document: write(BSONDocument(trusted: [UInt8](raw)), isArray: false)
        case .array: write(BSONDocument(trusted: [UInt8](raw)), isArray: true)
        case .string: string(raw.dropFirst(4).dropLast())
        default: scalar(BSONDecoder.value(type, raw))
        }
    }

    private mutating func scalar(_ value: BSONValue) {
        switch value {
        case .double(let number): wrap("$numberDouble", Self.text(number))
        case .int32(let number): wrap("$numberInt", String(number))
        case .int64(let number): wrap("$numberLong", String(number))
        case .decimal128(let number): wrap("$numberDecimal", number.description)
        case .bool(let truth): put(truth ? "true" : "false")
        case .null: put("null")
        case .undefined: put(#"{"$undefined":true}"#)
        case .minKey: put(#"{"$minKey":1}"#)
        case .maxKey: put(#"{"$maxKey":1}"#)
        case .objectID(let id): wrap("$oid", id.description)
        case .date(let milliseconds): put(#"{"$date":{"$numberLong":"\#(milliseconds)"}}"#)
        case .timestamp(let bits):
            put(#"{"$timestamp":{"t":\#(bits >> 32),"i":\#(bits & 0xFFFF_FFFF)}}"#)
        case .symbol(let text): wrap("$symbol", text)
        case .javascript(let code): wrap("$code", code)
        case .binary(let subtype, let content):
            put(#"{"$binary":{"base64":"\#(Base64.encode(content))","#)
            put(#""subType":"\#(Hexadecimal.encode([subtype]))"}}"#)
        case .regex(let pattern, let options):
            put(#"{"$regularExpression":{"pattern":"#)
            string([UInt8](pattern.utf8))
            put(#","options":"#)
            string([UInt8](options.utf8))
            put("}}")
        case .dbPointer(let namespace, let id):
            put(#"{"$dbPointer":{"$ref":"#)
            string([UInt8](namespace.utf8))
            put(#","$id":{"$oid":"\#(id)"}}}"#)
        case .javascriptWithScope(let code, let scope):
            put(#"{"$code":"#)
            string([UInt8](code.utf8))
            put(#","$scope":"#)
            write(scope, isArray: false)
            put("}")
        case .string(let text): string([UInt8](text.utf8))
        case .document(let document): write(document, isArray: false)
        case .array: break
        }
    }

    private mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func wrap(_ key: String, _ text: String) {
        put("{\"\(key)\":")
        string([UInt8](text.utf8))
        put("}")
    }

    /// A JSON string; what isn't valid UTF-8 becomes U+FFFD, as the Go driver has it.
    private mutating func string(_ raw: some Collection<UInt8>) {
        put("\"")
        for scalar in String(decoding: raw, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "\"": put("\\\"")
            case "\\": put("\\\\")
            case "\n": put("\\n")
            case "\r": put("\\r")
            case "\t": put("\\t")
            case "\u{8}": put("\\b")
            case "\u{C}": put("\\f")
            case "\u{2028}": put("\\u2028")
            case "\u{2029}": put("\\u2029")
            case "\0"..."\u{1F}": put("\\u00" + Hexadecimal.encode([UInt8(truncatingIfNeeded: scalar.value)]))
            default: bytes.append(contentsOf: String(scalar).utf8)
            }
        }
        put("\"")
    }

    /// The shortest digits that read back equal, in the form of Go's `strconv.FormatFloat(x, 'G', -1, 64)`.
    static func text(_ number: Double) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
        if number == 0 { return number.sign == .minus ? "-0.0" : "0.0" }
        let (digits, exponent) = shortestDigits(number.magnitude)
        let sign = number < 0 ? "-" : ""
        // Go's %G with shortest digits changes to an exponent below -4 and from 6 on.
        if exponent < -4 || exponent >= 6 {
            let tail = digits.count > 1 ? "." + digits.dropFirst() : ""
            let magnitude = String(abs(exponent))
            return sign + digits.prefix(1) + tail + (exponent < 0 ? "E-" : "E+")
                + (magnitude.count < 2 ? "0" + magnitude : magnitude)
        }
        if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
        if digits.count > exponent + 1 {
            return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
        }
        return sign + digits + String(repeating: "0", count: exponent + 1 - digits.count) + ".0"
    }

    /// Significant digits without trailing zeros, and the decimal exponent of the first of them.
    private static func shortestDigits(_ number: Double) -> (String, Int) {
        let parts = number.description.split(separator: "e", maxSplits: 1)
        var exponent = parts.count == 2 ? Int(parts[1]) ?? 0 : 0
        let halves = parts[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        exponent += halves[0].count - 1
        var digits = halves.joined()[...]
        while digits.first == "0" {
            digits = digits.dropFirst()
            exponent -= 1
        }
        while digits.last == "0" { digits = digits.dropLast() }
        return (String(digits), exponent)
    }
}
