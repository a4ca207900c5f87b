/// One step of a task (kind `Function`), of the whole cluster.
public typealias FunctionObject = Resource<FunctionSpec>

/// What a `Function` says (Stash's field names, and some of ours).
///
/// With `stream` it is one of your own: which program agents run to dump or to load a database that Remora doesn't know.
/// Without, its name must be that of a built-in one, as Stash's own are, and its recipe is unused.
public struct FunctionSpec: ResourceSpec {
    /// Which way the bytes go; absent: the function is built in.
    public var stream: CommandStream?
    /// Name of the program in the agent's directory of programs, and arguments.
    public var command: [String]?
    /// More arguments.
    public var args: [String]?
    /// What the program's environment holds besides the little that every program gets.
    public var env: [CommandRecipe.Variable]?
    /// Name of the file in the snapshot.
    public var file: String?
    /// What the end of a backup's stream must contain.
    ///
    /// Absent: a dump counts as whole when its program has ended well.
    public var check: String?
    /// The longest that the program may run.
    ///
    /// Absent: as long as the session.
    public var timeOut: GoDuration?
    /// Stash's: unused where the function is built in, like everything below, and refused in one of your own: agents bring
    /// what they run with them.
    public var image: String?
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
    public init(
        stream: CommandStream? = nil,
        image: String? = nil,
        command: [String]? = nil,
        args: [String]? = nil,
        file: String? = nil
    ) {
        self.stream = stream
        self.image = image
        self.command = command
        self.args = args
        self.file = file
    }

    /// `Function`.
    public static let kind = "Function"
    /// False.
    public static var isNamespaced: Bool { false }

    /// Why it can't have that name: built-in names belong to what is built in, all others to functions with a stream.
    public func reasonAgainst(name: String) -> String? {
        let isBuiltIn = BuiltIn.isOne(name, of: BuiltIn.functions)
        if stream != nil, isBuiltIn {
            return "is '\(name)', which is built in (\(BuiltIn.list(BuiltIn.functions))); give yours another name"
        }
        if stream == nil, !isBuiltIn {
            return "is '\(name)', which is not built in (\(BuiltIn.list(BuiltIn.functions))); one of your own needs "
                + "spec.stream: Backup or Restore"
        }
        return nil
    }

    /// What is accepted but does nothing: one sentence each, for conditions.
    public var notices: [String] {
        guard stream == nil else { return [] }
        return foreign.isEmpty && command == nil && args == nil
            ? [] : ["spec is unused: agents bring what they run with them"]
    }

    /// Stash's fields that are given.
    var foreign: [String] {
        [
            ("image", image != nil), ("workingDir", workingDir != nil), ("ports", ports != nil),
            ("volumeMounts", volumeMounts != nil), ("volumeDevices", volumeDevices != nil),
            ("runtimeSettings", runtimeSettings != nil), ("podSecurityPolicyName", podSecurityPolicyName != nil),
        ].filter(\.1).map(\.0)
    }
}

extension FunctionSpec {
    /// What was observed.
    public typealias Status = ObservedStatus
}
