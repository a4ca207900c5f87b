/// One way in which a function can be called.
struct CELOverload: Sendable {
    /// The receiver first, when it is called on one.
    var parameters: [CELType]
    var result: CELType
    var isMember: Bool
    /// How the cost of a call grows with the sizes of its arguments.
    var cost: CELCallCost
    var body: @Sendable ([CELValue]) throws(CELError) -> CELValue
}

/// What a call costs, besides one.
enum CELCallCost: Sendable {
    case constant
    /// A tenth of the size of the arguments with these numbers.
    case scan([Int])
    /// The text's size by that of the pattern.
    case match
    /// The size of the list.
    case elements
    /// A fixed number.
    case fixed(UInt64)
}

/// All functions that rules may call.
enum CELLibrary {
    static let functions: [String: [CELOverload]] = {
        var functions: [String: [CELOverload]] = [:]
        for (name, overload) in operators + conversions + strings + lists + kubernetes {
            functions[name, default: []].append(overload)
        }
        return functions
    }()

    static func member(
        _ name: String,
        _ parameters: [CELType],
        _ result: CELType,
        _ cost: CELCallCost = .constant,
        _ body: @escaping @Sendable ([CELValue]) throws(CELError) -> CELValue
    ) -> (String, CELOverload) {
        (name, CELOverload(parameters: parameters, result: result, isMember: true, cost: cost, body: body))
    }

    static func global(
        _ name: String,
        _ parameters: [CELType],
        _ result: CELType,
        _ cost: CELCallCost = .constant,
        _ body: @escaping @Sendable ([CELValue]) throws(CELError) -> CELValue
    ) -> (String, CELOverload) {
        (name, CELOverload(parameters: parameters, result: result, isMember: false, cost: cost, body: body))
    }

    static func noOverload(_ name: String) -> CELError { CELError("no such overload: \(name)") }
}
