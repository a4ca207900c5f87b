/// What could not be done with a certificate or key: what was attempted on what, and why it failed.
public struct CertificateError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The sentence for people; no key is in it.
    public var description: String

    /// Makes an error.
    public init(_ description: String) { self.description = description }
}
