/// When authorities come and go: a function of what is stored, what is known and the time.
///
/// Two phases, so that nobody ever meets a certificate that he can't check: a new authority is published beside the old
/// one first, and signs only when every publication is confirmed and some time has passed (cert-manager's model has the
/// first half).
public enum AuthorityRotation {
    /// Between the last confirmation and the first signature, in seconds: mounted files follow within a minute or two,
    /// API servers at once.
    public static let settling: Int64 = 600
    /// How long an authority that signs no more is trusted, in seconds.
    public static let farewell: Int64 = 30 * 86_400
    /// An authority with less time than this is replaced even though nobody confirms: what it signs would not last.
    public static let lastMoment: Int64 = 2 * 86_400

    /// What is known beside the stored state.
    public struct Observations: Sendable, Hashable {
        /// Seconds since 1970.
        public var now: Int64
        /// Fingerprints of authorities that stand in every published bundle.
        public var published: Set<String>
        /// Fingerprints of authorities that every agent has reported to trust.
        public var trustedByAgents: Set<String>

        /// Makes observations.
        public init(now: Int64, published: Set<String> = [], trustedByAgents: Set<String> = []) {
            self.now = now
            self.published = published
            self.trustedByAgents = trustedByAgents
        }
    }

    /// What is to be done; one thing at a time.
    public enum Step: Sendable, Hashable {
        /// Nothing.
        case wait
        /// There is no authority that could be used: a new one takes over at once.
        case create(reason: String)
        /// A new one is to be published.
        case prepare
        /// Everybody trusts the new one from now on.
        case confirm
        /// The new one is to sign.
        case take
        /// These former ones are to be trusted no more.
        case drop([String])
    }

    /// What is to be done now.
    public static func step(_ state: AuthorityState?, _ seen: Observations) -> Step {
        guard let state else { return .create(reason: "there is none") }
        if let reason = state.current.reasonAgainst(now: seen.now) { return .create(reason: reason) }
        let isTrusted = seen.trustedByAgents.contains(state.current.fingerprint)
        let gone = state.former.filter { former in
            // Agents may be ahead of a replica that serves for some seconds yet what the former one has signed.
            former.until <= seen.now || isTrusted && former.since.map { seen.now - $0 >= settling } ?? false
        }
        if !gone.isEmpty { return .drop(gone.map(\.fingerprint)) }
        guard let next = state.next else {
            let age = seen.now - state.current.notBefore
            return age >= (state.current.notAfter - state.current.notBefore) * 2 / 3 ? .prepare : .wait
        }
        if next.reasonAgainst(now: seen.now) != nil { return .prepare }
        if state.current.notAfter - seen.now < lastMoment { return .take }
        guard let since = state.nextIsTrustedSince else {
            return seen.published.contains(next.fingerprint) ? .confirm : .wait
        }
        return seen.now - since >= settling ? .take : .wait
    }

    /// The state after a step.
    ///
    /// - Parameters:
    ///   - step: from ``step(_:_:)``.
    ///   - state: what is stored.
    ///   - now: seconds since 1970.
    ///   - make: makes an authority, when the step needs one.
    /// - Returns: the state to store; nil for ``Step/wait``.
    /// - Throws: ``CertificateError`` when none can be made.
    public static func carryOut(
        _ step: Step,
        _ state: AuthorityState?,
        now: Int64,
        make: (Int64) throws(CertificateError) -> Authority = Authority.make
    ) throws(CertificateError) -> AuthorityState? {
        switch step {
        case .wait: return nil
        case .create:
            var fresh = AuthorityState(current: try make(now))
            // Others may serve what the old ones signed until they have read this.
            fresh.former = (state.map { former($0, now: now) } ?? []).filter { $0.until > now }
            return fresh
        default: break
        }
        guard var state else { return nil }
        switch step {
        case .wait, .create: break
        case .prepare:
            state.next = try make(now)
            state.nextIsTrustedSince = nil
        case .confirm: state.nextIsTrustedSince = now
        case .take:
            guard let next = state.next else { return nil }
            state.former = former(state, now: now)
            state.current = next
            state.next = nil
            state.nextIsTrustedSince = nil
        case .drop(let fingerprints):
            state.former.removeAll { fingerprints.contains($0.fingerprint) }
        }
        return state
    }

    /// The former ones when the current one is among them.
    private static func former(_ state: AuthorityState, now: Int64) -> [AuthorityState.Former] {
        let current = AuthorityState.Former(
            certificate: state.current.certificate,
            fingerprint: state.current.fingerprint,
            until: min(now + farewell, state.current.notAfter),
            since: now
        )
        return [current] + state.former
    }
}
