import BackupModel
import Synchronization

/// Makes one of several candidates the leader, by a `Lease` that it renews.
///
/// Others are judged only by when *this* candidate saw the lease change on its own monotonic clock, never by the times
/// in it: clocks may differ, as long as they run at about the same rate. It doesn't fence: an old leader may act for a
/// moment after a new one began. ``KubernetesClient/nextEpoch(name:namespace:floor:)`` gives the number that does.
public final class LeaderElection: Sendable {
    private struct State {
        var observation = LeaseObservation()
        /// When the last renewal that succeeded was sent; nil when not leading.
        var renewed: Duration?
        /// The last try got no answer.
        var isUnheard = false
    }

    /// What this candidate calls itself.
    public let identity: String
    private let client: KubernetesClient
    private let name: String
    private let namespace: String
    private let labels: [String: String]
    private let timing: ElectionTiming
    private let onTrouble: @Sendable (KubernetesError) -> Void
    private let state = Mutex(State())

    /// Makes a candidate; nothing happens before ``lead(onLost:_:)``.
    ///
    /// - Parameters:
    ///   - client: calls the API server; its clock is the one that counts.
    ///   - name: the lease's name.
    ///   - namespace: the lease's namespace.
    ///   - identity: unique to this process, such as the pod's name with something random behind it.
    ///   - labels: of a lease that has to be made.
    ///   - timing: how long everything takes.
    ///   - onTrouble: told of each try that failed, for the log.
    public init(
        _ client: KubernetesClient,
        name: String,
        namespace: String,
        identity: String,
        labels: [String: String] = [:],
        timing: ElectionTiming = ElectionTiming(),
        onTrouble: @escaping @Sendable (KubernetesError) -> Void = { _ in }
    ) {
        self.client = client
        self.name = name
        self.namespace = namespace
        self.identity = identity
        self.labels = labels
        self.timing = timing
        self.onTrouble = onTrouble
    }

    /// Whether this candidate leads now, as far as its own clock can tell.
    public var isLeading: Bool {
        let now = time.elapsed()
        return state.withLock { state in state.renewed.map { now < $0 + timing.renewDeadline } ?? false }
    }

    /// Who leads, as far as is known; nil when nobody does.
    public var leader: String? {
        state.withLock { $0.observation.record?.holder }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private var time: TimeSource { client.time }

    /// The longest that one try may take.
    ///
    /// A kept connection may have gone dead without a word, which only shows by its silence: the tries after it, over a
    /// new connection, must come before the deadline.
    private var tryLimit: Duration { timing.renewDeadline / 3 }

    /// Waits until this candidate leads, runs `body`, and gives the lease back.
    ///
    /// - Parameters:
    ///   - onLost: called at once when the lease is lost, before `body` has come to its end. The simplest safe choice is
    ///     to end the process.
    ///   - body: what only a leader may do. Its task is cancelled when the lease is lost or this task is cancelled.
    /// - Returns: what `body` gave.
    /// - Throws: what `body` threw; `KubernetesError` with `.leadershipLost` or `.cancelled`.
    public func lead<Value: Sendable>(
        onLost: @escaping @Sendable () -> Void = {},
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await acquire()
        let result = await withTaskGroup(of: Result<Value, any Error>.self) { group in
            group.addTask {
                do { return .success(try await body()) } catch { return .failure(error) }
            }
            group.addTask {
                let error = await self.renewUntilLost()
                if error.code == .leadershipLost { onLost() }
                return .failure(error)
            }
            let first = await group.next()
            group.cancelAll()
            for await _ in group {}
            return first ?? .failure(KubernetesError.cancelled("leading"))
        }
        // Given back although this task may be cancelled by now: the next leader needn't wait for the lease to run out.
        await Task { await self.release() }.value
        return try result.get()
    }

    private func acquire() async throws(KubernetesError) {
        while true {
            do {
                if try await tryOnce(atMost: tryLimit) { return }
            } catch {
                if error.isCancelled { throw error }
                // Another was quicker: that is what elections are for.
                if !error.isConflict, !error.isAlreadyExists { onTrouble(error) }
            }
            do {
                try await time.sleep(pauseBeforeNextTry())
            } catch {
                throw .cancelled("waiting to become leader")
            }
        }
    }

    /// A period, or less when another's lease runs out before: it is tried for then, and not up to a period later.
    private func pauseBeforeNextTry() -> Duration {
        let period = timing.retryPeriod * (1 + timing.jitter * time.chance())
        let left = state.withLock { $0.observation.timeLeft(than: identity, now: time.elapsed()) }
        return left.map { min(period, $0 + timing.retryPeriod * (0.1 * time.chance())) } ?? period
    }

    /// Renews until that didn't work for too long.
    private func renewUntilLost() async -> KubernetesError {
        var last: KubernetesError?
        while true {
            do {
                try await time.sleep(timing.retryPeriod)
            } catch {
                return .cancelled("leading")
            }
            let renewed = state.withLock { $0.renewed } ?? .zero
            let left = renewed + timing.renewDeadline - time.elapsed()
            guard left > .zero else { return lost(last.map { "it couldn't be renewed: \($0.message)" }) }
            do {
                if try await !tryOnce(atMost: min(left, tryLimit)) {
                    return lost("another has it: \(leader ?? "nobody")")
                }
            } catch {
                if error.isCancelled { return error }
                last = error
                // A conflict, too, only says that somebody wrote in between: the next try reads who.
                onTrouble(error)
            }
        }
    }

    private func lost(_ reason: String?) -> KubernetesError {
        state.withLock { $0.renewed = nil }
        return KubernetesError(
            .leadershipLost,
            "lost the lease \(namespace)/\(name): \(reason ?? "it wasn't renewed in time")"
        )
    }

    /// Gets or renews the lease; false while another has it.
    private func tryOnce(atMost limit: Duration) async throws(KubernetesError) -> Bool {
        do {
            let isOurs = try await exchange(atMost: limit)
            state.withLock { $0.isUnheard = false }
            return isOurs
        } catch {
            state.withLock { $0.isUnheard = error.isOfConnection }
            throw error
        }
    }

    private func exchange(atMost limit: Duration) async throws(KubernetesError) -> Bool {
        let begun = time.elapsed()
        let isUnheard = state.withLock { $0.isUnheard }
        func hurry(_ call: inout Call) {
            call.retry = .never
            call.isUrgent = true
            call.timeout = limit
            call.avoidsKeptConnections = isUnheard
        }
        var lease: KubernetesObject
        do {
            lease = try await client.get(.leases, name: name, namespace: namespace, adjust: hurry)
        } catch {
            guard error.isNotFound else { throw error }
            lease = KubernetesObject(.leases, name: name, namespace: namespace)
            lease.labels = labels
            write(holder: identity, duration: timing.leaseDuration, into: &lease)
            let created = try await client.create(lease, as: .leases, fieldManager: nil, adjust: hurry)
            won(created, sent: begun)
            return true
        }
        let record = LeaseRecord(lease)
        let now = time.elapsed()
        let isFree = state.withLock { state in
            state.observation.see(record, now: now)
            // A leader that finds another's name has been followed, even if that one's time is up by now.
            if state.renewed != nil { return record.holder.isEmpty || record.holder == identity }
            return !state.observation.isHeldByAnother(than: identity, now: now)
        }
        guard isFree else { return false }
        write(holder: identity, duration: timing.leaseDuration, into: &lease)
        let sent = time.elapsed()
        let left = limit - (sent - begun)
        let updated = try await client.update(lease, of: .leases, subresource: nil, fieldManager: nil) { call in
            hurry(&call)
            call.timeout = max(.milliseconds(1), left)
        }
        won(updated, sent: sent)
        return true
    }

    private func won(_ lease: KubernetesObject, sent: Duration) {
        let now = time.elapsed()
        state.withLock { state in
            state.observation.see(LeaseRecord(lease), now: now)
            state.renewed = sent
        }
    }

    private func write(holder: String, duration: Duration, into lease: inout KubernetesObject) {
        let now = JSONTree.string(time.wallClock().microTime)
        let before = LeaseRecord(lease)
        var spec = lease["spec"] ?? .object([:])
        if before.holder != holder, !holder.isEmpty {
            spec["acquireTime"] = now
            let isNew = lease.resourceVersion.isEmpty
            spec["leaseTransitions"] = .integer(isNew ? 0 : before.transitions + 1)
        }
        spec["holderIdentity"] = .string(holder)
        spec["leaseDurationSeconds"] = .integer(max(1, Int64((duration / .seconds(1)).rounded(.up))))
        spec["renewTime"] = now
        lease["spec"] = spec
    }

    /// How long each of the two calls may take by which a lease is given back.
    private static let releaseLimit = Duration.seconds(2)

    /// Gives the lease back, if it is still ours.
    private func release() async {
        state.withLock { $0.renewed = nil }
        func hurry(_ call: inout Call) {
            call.retry = .never
            call.isUrgent = true
            call.timeout = Self.releaseLimit
        }
        do {
            var lease = try await client.get(.leases, name: name, namespace: namespace, adjust: hurry)
            guard LeaseRecord(lease).holder == identity else { return }
            write(holder: "", duration: .seconds(1), into: &lease)
            let released = try await client.update(
                lease,
                of: .leases,
                subresource: nil,
                fieldManager: nil,
                adjust: hurry
            )
            let now = time.elapsed()
            state.withLock { $0.observation.see(LeaseRecord(released), now: now) }
        } catch {
            // It runs out by itself.
            onTrouble(error)
        }
    }
}
