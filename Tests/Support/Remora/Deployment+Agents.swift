/// What tests and the demonstration do alike with the sessions and agents of a deployment.
extension Deployment {
    /// Waits until the coordinator hears from every one of these agents.
    ///
    /// - Throws: `FatalWaitError` with the log of one that has ended meanwhile.
    public func waitUntilConnected(_ agents: [Server], within limit: Duration = .seconds(60)) async throws {
        try await eventually("\(agents.count) agents are connected", within: limit, every: .milliseconds(200)) {
            for agent in agents where !agent.isRunning { throw FatalWaitError(agent.logTail()) }
            return try await connectedAgents().count == agents.count
        }
    }

    /// The agents that the coordinator hears from, as it describes them.
    public func connectedAgents() async throws -> [JSONValue] {
        let status = try await json("status")
        return status["targets"].elements.flatMap { $0["agents"].elements }.filter { $0["connected"] == .bool(true) }
    }

    /// Starts a backup, with more of the command's options, and returns its session's name.
    public func startBackup(_ options: [String] = []) async throws -> String {
        let session = try await json(["backup", "shop"] + options)
        guard let name = session["name"].string else { throw TestSupportError("backup printed no name: \(session)") }
        return name
    }

    /// Waits until a session has ended and returns it.
    public func waitForEnd(of session: String, within limit: Duration = .seconds(120)) async throws -> JSONValue {
        try await eventually("session \(session) ends", within: limit, every: .milliseconds(200)) {
            let view = try await json("describe", session)
            guard let phase = view["phase"].string, ["Succeeded", "Failed", "Cancelled"].contains(phase) else {
                return nil
            }
            return view
        }
    }

    /// The newest attempt at a group in a session; nil as long as there is none.
    public func attempt(of session: String, at group: String) async throws -> JSONValue? {
        try await json("describe", session)["hosts"].elements.last { $0["group"].string == group }
    }

    /// Ends these agents, all at once, and then the coordinator; the databases go on.
    public func stop(_ agents: [Server]) async {
        await withTaskGroup(of: Void.self) { tasks in
            for agent in agents { tasks.addTask { await agent.stop(grace: .seconds(5)) } }
        }
        await coordinator.stop(grace: .seconds(5))
    }

    /// What the coordinator and these agents said lately: for a failing test's message.
    public func logs(_ agents: [Server], lines: Int = 25) -> String {
        ([coordinator] + agents).map { $0.logTail(lines: lines) }.joined(separator: "\n")
    }
}
