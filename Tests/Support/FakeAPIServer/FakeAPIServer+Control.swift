extension FakeAPIServer {
    /// Arranges that requests are answered badly.
    ///
    /// - Parameters:
    ///   - behaviour: how.
    ///   - verb: only requests with this one, like `watch`; nil: all.
    ///   - path: only those whose path holds this.
    ///   - times: how many of them.
    /// - Returns: the fault, which can be lifted and counts what it hit.
    @discardableResult public func misbehave(
        _ behaviour: Misbehaviour,
        verb: String? = nil,
        path: String = "",
        times: Int = 1
    ) -> Fault {
        let fault = Fault(verb: verb, path: path, times: times, behaviour: behaviour)
        core.faults.add(fault)
        return fault
    }

    /// Lifts all faults.
    public func behave() { core.faults.liftAll() }

    /// Forgets the history: watches and continued lists from before get 410.
    public func forgetHistory() { core.store.write { $0.compactAll() } }

    /// Adds another party's change to objects on their way in.
    public func add(_ mutator: Mutator) { core.mutators.add(mutator) }

    /// Removes all that were added.
    public func removeMutators() { core.mutators.removeAll() }

    /// Says where a service is, for webhooks that are named by their service.
    ///
    /// - Parameters:
    ///   - namespace: the service's.
    ///   - name: its name.
    ///   - port: the service's port.
    ///   - target: port on the loopback interface; nil: the service has no endpoints.
    public func route(namespace: String, service name: String, port: Int = 443, to target: Int?) {
        core.services.set(
            namespace: namespace,
            name: name,
            port: port,
            target.map { ServiceTable.Place(address: "127.0.0.1", port: $0) }
        )
    }

    /// Everything that was asked by HTTP so far.
    public var requests: [LoggedRequest] { core.log.requests }

    /// All connections that were made so far, in their order.
    public var connections: [LoggedConnection] { core.connections.connections }

    /// Asks the clients of all connections to go elsewhere, as a server that shuts down does; requests under way go on.
    public func goAway() { core.connections.goAway() }

    /// Cuts all connections, as the end of the server's process does.
    public func cutConnections() { core.connections.cut() }

    /// Lets nothing through on the connections that are open, as a machine does that has gone without a word.
    public func freezeConnections() async { await core.connections.freeze() }

    /// Watches that are open now.
    ///
    /// - Parameter path: only those of exactly this path.
    /// - Returns: their number.
    public func openWatches(_ path: String = "") -> Int { core.log.openWatches(path) }

    /// Webhooks that gave no good answer and were passed over, and why.
    public var failedOpen: [(webhook: String, reason: String)] {
        core.log.notes.compactMap {
            if case .failedOpen(let webhook, let reason) = $0 { (webhook, reason) } else { nil }
        }
    }

    /// How long each call of a webhook took.
    public var webhookCalls: [(webhook: String, duration: Duration)] {
        core.log.notes.compactMap { if case .webhook(let name, _, let duration) = $0 { (name, duration) } else { nil } }
    }

    /// Waits until a request of that kind has come.
    ///
    /// - Parameters:
    ///   - what: for the error.
    ///   - limit: how long at most.
    ///   - isWanted: which.
    /// - Returns: the request.
    /// - Throws: ``FakeAPIServerError`` when none came.
    @discardableResult public func waitForRequest(
        _ what: String,
        within limit: Duration = .seconds(30),
        _ isWanted: @Sendable (LoggedRequest) -> Bool
    ) async throws -> LoggedRequest {
        let found = await core.log.wait(atMost: limit) { core.log.requests.first(where: isWanted) }
        guard let found else { throw FakeAPIServerError("waited \(limit) in vain for a request: \(what)") }
        return found
    }

    /// Waits until so many watches of a path are open.
    ///
    /// - Throws: ``FakeAPIServerError``.
    public func waitForWatches(_ path: String = "", count: Int, within limit: Duration = .seconds(30)) async throws {
        let isThere = await core.log.wait(atMost: limit) { core.log.openWatches(path) == count ? true : nil }
        guard isThere != nil else {
            throw FakeAPIServerError(
                "waited \(limit) in vain for \(count) watches of '\(path)'; there are \(openWatches(path))"
            )
        }
    }

    /// Waits until a condition on the stored objects gives a value.
    ///
    /// - Throws: ``FakeAPIServerError`` when the time is over.
    @discardableResult public func waitUntil<Value>(
        _ what: String,
        within limit: Duration = .seconds(60),
        _ condition: (FakeAPIServer) -> Value?
    ) async throws -> Value {
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        while true {
            let revision = core.store.read { $0.revision }
            if let value = condition(self) { return value }
            guard clock.now < deadline, !Task.isCancelled else {
                throw FakeAPIServerError("waited \(limit) in vain until \(what)")
            }
            await core.store.bell.wait(past: revision, until: deadline)
        }
    }
}
