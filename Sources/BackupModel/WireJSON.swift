import FoundationEssentials

/// JSON as Remora speaks it: sorted keys, no escaped slashes, so that equal values give equal bytes.
public enum WireJSON {
    /// The value as JSON bytes.
    public static func encode(_ value: some Encodable, pretty: Bool = false) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
        return [UInt8](try encoder.encode(value))
    }

    /// The value from JSON bytes; leading white space (a server's keep-alive) is fine.
    public static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try JSONDecoder().decode(type, from: Data(bytes))
    }
}
