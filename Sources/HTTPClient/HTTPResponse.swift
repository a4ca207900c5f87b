/// Header fields of a response, in the order they came.
public struct HTTPHeaders: Sendable, Sequence {
    private var fields: [(name: String, value: String)] = []

    /// Makes an empty set.
    public init() {}

    /// The value of the first field called `name`, in whatever case.
    ///
    /// - Complexity: O(number of fields).
    public subscript(name: String) -> String? {
        fields.first { Self.isSame($0.name, name) }?.value
    }

    /// The values of all fields called `name`, in whatever case.
    ///
    /// - Complexity: O(number of fields).
    public func all(_ name: String) -> [String] {
        fields.filter { Self.isSame($0.name, name) }.map(\.value)
    }

    /// The fields, one after the other.
    public func makeIterator() -> IndexingIterator<[(name: String, value: String)]> {
        fields.makeIterator()
    }

    mutating func append(_ name: String, _ value: String) {
        fields.append((name, value))
    }

    private static func isSame(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count && left.lowercased() == right.lowercased()
    }
}

/// A response, whatever its status: a status isn't an error here.
public struct HTTPResponse: Sendable {
    /// The status code.
    public var status: Int
    /// The header fields.
    public var headers: HTTPHeaders
    /// The whole body.
    ///
    /// Whitespace that a server sent ahead to keep the connection alive is part of it.
    public var body: [UInt8]

    /// Makes a response.
    public init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// A response whose body is still coming.
public struct HTTPStreamedResponse: Sendable {
    /// The status code.
    public let status: Int
    /// The header fields.
    public let headers: HTTPHeaders
    /// The body as it comes.
    public let body: HTTPBody
}
