/// One step of a task (kind `Function`), of the whole cluster.
public typealias FunctionObject = Resource<FunctionSpec>

/// What a `Function` says (Stash's field names).
///
/// Agents of this version run only what is built in. So a function is accepted when its name is that of a built-in one,
/// as Stash's own are, and its recipe is unused; any other is refused.
public struct FunctionSpec: ResourceSpec {
    /// Accepted and unused, like everything below: agents bring what they run with them.
    public var image: String?
    /// See `image`.
    public var command: [String]?
    /// See `image`.
    public var args: [String]?
    /// See `image`.
    public var workingDir: String?
    /// See `image`.
    public var ports: OpaqueValue?
    /// See `image`.
    public var volumeMounts: OpaqueValue?
    /// See `image`.
    public var volumeDevices: OpaqueValue?
    /// See `image`.
    public var runtimeSettings: OpaqueValue?
    /// See `image`.
    public var podSecurityPolicyName: String?

    /// Makes a spec.
    public init(image: String? = nil, command: [String]? = nil, args: [String]? = nil) {
        self.image = image
        self.command = command
        self.args = args
    }

    /// `Function`.
    public static let kind = "Function"
    /// False.
    public static var isNamespaced: Bool { false }

    /// Why no built-in function has that name.
    public func reasonAgainst(name: String) -> String? {
        BuiltIn.isOne(name, of: BuiltIn.functions) ? nil : BuiltIn.refusal(name, allowed: BuiltIn.functions)
    }

    /// Nothing: what it says is not used.
    public func problems() -> [FieldProblem] { [] }

    /// What is accepted but does nothing: one sentence each, for conditions.
    public var notices: [String] {
        let isEmpty =
            image == nil && command == nil && args == nil && workingDir == nil && ports == nil && volumeMounts == nil
            && volumeDevices == nil && runtimeSettings == nil && podSecurityPolicyName == nil
        return isEmpty ? [] : ["spec is unused: agents bring what they run with them"]
    }
}

extension FunctionSpec {
    /// What was observed.
    public typealias Status = ObservedStatus
}
