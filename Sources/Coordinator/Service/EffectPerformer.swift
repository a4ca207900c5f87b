import BackupModel
import Logging

/// Carries out what the machine wants done in storage, one thing at a time for each session.
struct EffectPerformer: Sendable {
    let conductor: Conductor
    let keeper: RepositoryKeeper
    let logs: LogShelf
    let logger: Logger
    let turnstile = Turnstile()

    /// Works until the stream ends or the task is cancelled.
    func run(_ work: AsyncStream<Conductor.Work>) async {
        await withDiscardingTaskGroup { group in
            for await item in work {
                group.addTask {
                    await turnstile.enter(item.session.key.description)
                    await perform(item)
                    await turnstile.leave(item.session.key.description)
                }
            }
            group.cancelAll()
        }
    }

    private func perform(_ item: Conductor.Work) async {
        let key = item.session.key
        // What waited its turn may be overtaken: a cancelled session has nothing to prepare any more.
        guard let session = await conductor.active[key], SessionMachine.resume(session).contains(item.effect) else {
            return
        }
        let event: SessionEvent
        switch item.effect {
        case .prepare: event = await prepare(session)
        case .writeManifest: event = await writeManifest(session)
        case .clean: event = await clean(session)
        case .record: return
        }
        // A coordinator that is shutting down leaves the state as it is; the next one begins this effect again.
        guard !Task.isCancelled else { return }
        do {
            try await conductor.together { conductor in
                conductor.apply(event, to: key)
                conductor.observe(key, conductor.clock())
            }
        } catch {
            logger.error("session \(key): \(error)")
        }
        for old in await conductor.takeForgotten() {
            do {
                try await logs.remove(old.key)
            } catch {
                logger.warning("logs of session \(old.key) could not be removed: \(error)")
            }
        }
    }

    private func prepare(_ session: SessionState) async -> SessionEvent {
        let active = Set(await conductor.active.keys.map(\.name))
        do {
            return .prepared(try await keeper.prepare(session) { active.contains($0) })
        } catch {
            return .prepareFailed(message: error.description, isRetryable: error.isRetryable, reason: error.reason)
        }
    }

    private func writeManifest(_ session: SessionState) async -> SessionEvent {
        if session.manifestFailures > 0 {
            let seconds = min(30, 1 << session.manifestFailures)
            // Cancelled only when the coordinator shuts down, which is looked at before anything is told.
            try? await Task.sleep(for: .seconds(seconds))
        }
        guard let manifest = ManifestMaker.make(session, writtenBy: "remora \(conductor.identity.version)") else {
            return .manifestFailed(message: "not every group has a snapshot", isRetryable: false)
        }
        do {
            try await keeper.writeManifest(manifest, session.plan)
            return .manifestWritten
        } catch {
            return .manifestFailed(message: error.description, isRetryable: error.isRetryable)
        }
    }

    private func clean(_ session: SessionState) async -> SessionEvent {
        // Secrets are gone by now, or go any moment; the namespace's end must not wait for storage.
        if await conductor.endingNamespaces.contains(session.key.namespace) {
            return .cleaned(
                problem: "its namespace is being deleted; lock files stay until the next session removes them"
            )
        }
        var problems: [String] = []
        do {
            for (pod, bytes) in try await collectLogs(session) where !bytes.isEmpty {
                try await keeper.archiveLog(bytes, pod: pod, of: session)
            }
        } catch {
            problems.append("logs could not be archived and stay with the coordinator: \(error)")
        }
        do {
            try await keeper.removeLocks(of: session)
        } catch {
            problems.append("lock files could not be removed: \(error); the next session removes them")
        }
        return .cleaned(problem: problems.isEmpty ? nil : problems.joined(separator: "; "))
    }

    /// What each pod wrote in all attempts, in their order.
    private func collectLogs(_ session: SessionState) async throws -> [(pod: String, bytes: [UInt8])] {
        var collected: [(pod: String, bytes: [UInt8])] = []
        for attempt in session.groups.flatMap(\.attempts).sorted(by: { $0.assignedAt < $1.assignedAt }) {
            let limit = Int(LogShelf.maximumBytes)
            let bytes = try await logs.read(session.key, attempt.jobID, from: 0, atMost: limit)
            if let index = collected.firstIndex(where: { $0.pod == attempt.pod }) {
                collected[index].bytes += bytes
            } else {
                collected.append((attempt.pod, bytes))
            }
        }
        return collected
    }
}

/// Lets one task in for each key, in the order in which they came.
actor Turnstile {
    private var waiting: [String: [CheckedContinuation<Void, Never>]] = [:]

    /// Waits for those who came before.
    func enter(_ key: String) async {
        guard waiting[key] != nil else {
            waiting[key] = []
            return
        }
        await withCheckedContinuation { waiting[key, default: []].append($0) }
    }

    /// Lets the next one in.
    func leave(_ key: String) {
        guard var queue = waiting[key] else { return }
        if queue.isEmpty {
            waiting[key] = nil
        } else {
            let next = queue.removeFirst()
            waiting[key] = queue
            next.resume()
        }
    }
}
