/// Something wrong with an object in a file: where, and one sentence.
public struct ObjectProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file.
    public var file: String
    /// The line, from 1; nil when it is about the whole file.
    public var line: Int?
    /// The field, like `spec.target.ref.name`.
    public var path: String?
    /// What is wrong and what is allowed.
    public var message: String

    /// `file:line: field: what is wrong`.
    public var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        return "\(place): \(path.map { $0.isEmpty ? "" : "\($0) " } ?? "")\(message)"
    }
}
