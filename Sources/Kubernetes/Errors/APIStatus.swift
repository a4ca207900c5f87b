/// What the API server says about a call that failed (`Status` of `meta/v1`).
public struct APIStatus: Sendable, Hashable {
    /// One of several reasons, each with its field.
    public struct Cause: Sendable, Hashable {
        /// The field, like `spec.replicas`; may be empty.
        public var field: String
        /// A word for programs, like `FieldValueRequired`; may be empty.
        public var reason: String
        /// The sentence for people.
        public var message: String
    }

    /// The HTTP status.
    public var code: Int
    /// A word for programs, like `AlreadyExists`; may be empty.
    public var reason: String
    /// The sentence for people; may be empty.
    public var message: String
    /// The object that was meant; may be empty.
    public var name: String
    /// Everything that is wrong, when the server says more than one thing.
    public var causes: [Cause]
    /// How long the server asks us to wait before the next try, in seconds.
    public var retryAfterSeconds: Int?

    /// Reads a `Status`; nil when the tree is none.
    public init?(_ tree: JSONTree) {
        guard tree["kind"]?.string == "Status", tree["status"]?.string != "Success" else { return nil }
        code = Int(tree["code"]?.integer ?? 0)
        reason = tree["reason"]?.string ?? ""
        message = tree["message"]?.string ?? ""
        name = tree[path: "details", "name"]?.string ?? ""
        retryAfterSeconds = tree[path: "details", "retryAfterSeconds"]?.integer.map { Int($0) }
        causes =
            tree[path: "details", "causes"]?.array?.map { cause in
                Cause(
                    field: cause["field"]?.string ?? "",
                    reason: cause["reason"]?.string ?? "",
                    message: cause["message"]?.string ?? ""
                )
            } ?? []
    }
}
