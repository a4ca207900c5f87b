/// The authorities of an installation, as they are stored: which one signs, which one comes, which ones went.
public struct AuthorityState: Codable, Sendable, Hashable {
    /// An authority that signs no more, and that is trusted for a while.
    public struct Former: Codable, Sendable, Hashable {
        /// Its certificate (PEM); its key is gone.
        public var certificate: String
        /// SHA-256 of its certificate, as lower-case hexadecimal digits.
        public var fingerprint: String
        /// Until when it is trusted, in seconds since 1970.
        public var until: Int64
        /// Since when it signs no more, in seconds since 1970; nil from a version that didn't say.
        public var since: Int64?
    }

    /// The one that signs.
    public var current: Authority
    /// The one that will sign when everybody trusts it.
    public var next: Authority?
    /// When everybody was known to trust ``next``, in seconds since 1970.
    public var nextIsTrustedSince: Int64?
    /// Those that signed before.
    public var former: [Former] = []

    /// Makes a state with one authority.
    public init(current: Authority) { self.current = current }

    /// What the API server and agents are to trust (PEM): the newest first.
    public var bundle: String {
        let all = [next?.certificate, current.certificate].compactMap(\.self) + former.map(\.certificate)
        return all.map { $0.hasSuffix("\n") ? $0 : $0 + "\n" }.joined()
    }

    /// The fingerprints of everything in ``bundle``.
    public var fingerprints: [String] {
        [next?.fingerprint, current.fingerprint].compactMap(\.self) + former.map(\.fingerprint)
    }
}
