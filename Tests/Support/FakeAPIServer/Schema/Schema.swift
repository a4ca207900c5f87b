import Kubernetes

/// What a value may look like: the same for built-in types and for what a CRD says.
struct Schema: Sendable {
    /// How the elements of a list, or the members of an object, belong to those who set them.
    enum Ownership: Sendable, Equatable {
        case atomic, set
        case map(keys: [String])
        /// Of objects: every member has its own owner.
        case granular
    }

    /// `object`, `array`, `string`, `integer`, `number`, `boolean`; nil: anything.
    var type: String?
    var format: String?
    var isIntOrString = false
    var preservesUnknown = false
    var isEmbeddedResource = false
    var isNullable = false
    var properties: [String: Schema] = [:]
    /// One or none: what members that `properties` doesn't name look like.
    var additional: [Schema] = []
    /// One or none: what elements look like.
    var items: [Schema] = []
    var required: [String] = []
    var defaultValue: JSONTree?
    var ownership: Ownership = .atomic
    /// Of built-in lists: what strategic merges match elements by.
    var mergeKey: String?
    /// Whether such a merge puts members of a list of scalars together.
    var mergesScalars = false
    var limits = Limits()
    var rules: [ValidationRule] = []
    var description: String?
    /// The type's name when it is built in.
    var builtinName: String?

    /// What a value's size and content may be.
    struct Limits: Sendable {
        var enumeration: [JSONTree]?
        var pattern: String?
        var minimum: Double?
        var maximum: Double?
        var isExclusiveMinimum = false
        var isExclusiveMaximum = false
        var multipleOf: Double?
        var minLength: Int?
        var maxLength: Int?
        var minItems: Int?
        var maxItems: Int?
        var minProperties: Int?
        var maxProperties: Int?
        var allOf: [Schema] = []
        var anyOf: [Schema] = []
        var oneOf: [Schema] = []
        var not: [Schema] = []
    }

    /// The schema of a member; nil when the schema knows none of that name.
    func member(_ name: String) -> Schema? { properties[name] ?? additional.first }

    /// The schema of what is at a path of members.
    func at(_ path: [String]) -> Schema? { path.reduce(self as Schema?) { $0?.member($1) } }

    static let anything = Schema(preservesUnknown: true)
}

/// One entry of `x-kubernetes-validations`, ready to be asked.
struct ValidationRule: Sendable {
    var rule: String
    var message: String?
    var messageExpression: CELProgram?
    var reason: String?
    var fieldPath: String?
    var isOptionalOldSelf = false
    var program: CELProgram
    /// Rules that mention `oldSelf` are asked when there was a value before.
    var isTransition: Bool
}
