public import Logging
import Synchronization

/// Keeps a good certificate in use: its own authority's, or the one that somebody else renews in files.
///
/// No leader is needed: replicas share the authority by its store, and each makes its own key in memory.
public final class CertificateKeeper: Sendable {
    /// Where certificates come from.
    public enum Source: Sendable {
        /// An authority of our own.
        case authority(any AuthorityStore)
        /// Files that somebody else renews.
        case files(CertificateFiles)
    }

    private struct State {
        var served: ServedCertificate?
        var authorities: AuthorityState?
        var bundle = ""
        var published: Set<String> = []
        var trustedByAgents: Set<String> = []
    }

    /// How often everything is looked at: a paused process misses timers, so the clock is read instead.
    static let interval = Duration.seconds(10)
    /// Steps of one look: none needs more, and a store that is written by others all the time ends the look.
    private static let mostSteps = 6

    /// What servers serve.
    public let serving = CertificateServing()
    private let source: Source
    private let names: [String]
    private let clock: @Sendable () -> Int64
    private let logger: Logger
    private let state = Mutex(State())

    /// Makes a keeper; nothing is read yet.
    ///
    /// - Parameters:
    ///   - source: where certificates come from.
    ///   - names: DNS names and addresses that ours are good for.
    ///   - clock: seconds since 1970.
    ///   - logger: for what changes.
    public init(
        _ source: Source,
        names: [String],
        clock: @escaping @Sendable () -> Int64,
        logger: Logger
    ) {
        self.source = source
        self.names = names
        self.clock = clock
        self.logger = logger
    }

    /// What has to be trusted to trust us (PEM), for the webhook's `caBundle` and the agents' ConfigMaps; empty before
    /// the first look.
    public var bundle: String { state.withLock { $0.bundle } }

    /// Fingerprints of the authorities in ``bundle``, in its order; empty for files.
    public var fingerprints: [String] { state.withLock { $0.authorities?.fingerprints ?? [] } }

    /// Fingerprint of the authority that signs: of files the first one of their bundle.
    ///
    /// Nil before the first look.
    public var authority: String? {
        state.withLock { state in
            if let authorities = state.authorities { return authorities.current.fingerprint }
            // One that can't be read was refused when it was to be served.
            return try? Certificate(pem: state.bundle).fingerprint()
        }
    }

    /// Until when the certificate in use is good, in seconds since 1970.
    public var servedUntil: Int64? { state.withLock { $0.served?.notAfter } }

    /// Tells what is known of the bundle's way: which authorities stand in every publication, and which are trusted by
    /// every agent.
    public func observed(published: Set<String>, trustedByAgents: Set<String>) {
        state.withLock { state in
            state.published = published
            state.trustedByAgents = trustedByAgents
        }
    }

    /// One look: takes the steps that are due and renews the certificate when it is time.
    ///
    /// - Throws: whatever the store throws, or ``CertificateError``; what was served before goes on being served.
    public func refresh() async throws {
        switch source {
        case .files(let files): try refresh(files)
        case .authority(let store): try await refresh(store)
        }
    }

    private func refresh(_ files: CertificateFiles) throws {
        let read = try files.read()
        let bundle = try files.bundle()
        state.withLock { $0.bundle = bundle }
        try serve(read)
    }

    private func refresh(_ store: any AuthorityStore) async throws {
        let authorities = try await settle(store)
        let now = clock()
        let served = state.withLock { state in
            state.authorities = authorities
            state.bundle = authorities.bundle
            return state.served
        }
        if let served, served.authority == authorities.current.fingerprint, !served.isDue(now: now) { return }
        try serve(try authorities.current.issue(names, now: now))
    }

    /// Takes every step that is due, each on what is stored at that time.
    private func settle(_ store: any AuthorityStore) async throws -> AuthorityState {
        for _ in 0..<Self.mostSteps {
            let stored = try await store.load()
            let now = clock()
            let seen = state.withLock {
                AuthorityRotation.Observations(now: now, published: $0.published, trustedByAgents: $0.trustedByAgents)
            }
            let step = AuthorityRotation.step(stored?.state, seen)
            guard let after = try AuthorityRotation.carryOut(step, stored?.state, now: now) else {
                if let current = stored?.state { return current }
                break
            }
            // Refused: another replica was faster, and his is as good.
            if try await store.save(after, replacing: stored?.version) {
                logger.notice(
                    "certificate authority: \(Self.text(step))",
                    metadata: ["fingerprints": "\(after.fingerprints)"]
                )
            }
        }
        throw CertificateError(
            "the certificate authority is written by others all the time; it is looked at again soon"
        )
    }

    private func serve(_ certificate: ServedCertificate) throws(CertificateError) {
        guard state.withLock({ $0.served }) != certificate else { return }
        try serving.serve(certificate)
        state.withLock { $0.served = certificate }
        logger.info("a new certificate is served", metadata: ["until": "\(certificate.notAfter)"])
    }

    private static func text(_ step: AuthorityRotation.Step) -> String {
        switch step {
        case .wait: "nothing to do"
        case .create(let reason): "made, because of the one before: \(reason)"
        case .prepare: "a new one is published beside the one that signs"
        case .confirm: "everybody trusts the new one"
        case .take: "the new one signs from now on"
        case .drop: "a former one is trusted no more"
        }
    }
}
