/// Where the authorities are kept; all replicas of a coordinator share it.
public protocol AuthorityStore: Sendable {
    /// What is stored, and its version.
    ///
    /// - Returns: nil when nothing is.
    /// - Throws: whatever keeps it from being read; that is no reason to make another authority.
    func load() async throws -> StoredAuthorities?

    /// Stores a state in place of the one with this version.
    ///
    /// - Parameters:
    ///   - state: what is to be stored.
    ///   - version: of what it replaces; nil: there must be nothing.
    /// - Returns: false when somebody else was faster; then his is read.
    /// - Throws: whatever keeps it from being written.
    func save(_ state: AuthorityState, replacing version: String?) async throws -> Bool
}

/// Stored authorities with the version to replace.
public struct StoredAuthorities: Sendable, Hashable {
    /// The authorities; nil when what is stored can't be read as such, and has to be replaced.
    public var state: AuthorityState?
    /// Changes with everything that is stored.
    public var version: String

    /// Makes one.
    public init(state: AuthorityState?, version: String) {
        self.state = state
        self.version = version
    }
}
