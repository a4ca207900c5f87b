internal import CMongoC

/// What a MongoDB server or the way to it answered instead of a result.
public struct MongoError: Error, Sendable, CustomStringConvertible {
    /// The server's code (11000 is a duplicate key), or libmongoc's own.
    public let code: Int
    /// The message.
    public let message: String
    /// The whole reply; empty when no server answered.
    public let reply: TestDocument

    init(code: Int, message: String, reply: TestDocument) {
        self.code = code
        self.message = message
        self.reply = reply
    }

    init(_ error: bson_error_t, reply: TestDocument = TestDocument(bytes: [5, 0, 0, 0, 0])) {
        code = Int(error.code)
        message = error.text
        self.reply = reply
    }

    /// Whether the reply carries an error label such as "TransientTransactionError".
    public func has(label: String) -> Bool {
        reply["errorLabels"]?.array?.contains { $0.string == label } ?? false
    }

    /// For messages.
    public var description: String { "MongoDB error \(code): \(message)" }
}
