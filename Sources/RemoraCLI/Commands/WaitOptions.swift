import ArgumentParser
import BackupModel

/// `--wait`, `--follow`, and what comes after a session was asked for.
struct WaitOptions: ParsableArguments {
    @Flag(help: "Wait for the session's end and end as it does (remora exit-codes).")
    var wait = false

    @Flag(name: .shortAndLong, help: "As --wait, and show the log lines of all pods as they come.")
    var follow = false

    /// Says what was begun and what to do next, or waits for its end.
    func conclude(_ session: SessionView, _ client: CoordinatorClient, _ output: OutputOptions) async throws {
        let surroundings = Surroundings.current
        guard wait || follow else {
            try output.show(session) { Self.next(session) }
            return
        }
        let key = ResourceKey(namespace: session.namespace, name: session.name)
        let display = ProgressDisplay.suitable(surroundings, isJSON: output.isJSON)
        let showsLogs = follow && display.mode != .silent
        let ended = try await Interruption.cancelling(
            ended: CommandFailure(
                .stoppedWatching,
                "stopped waiting; \(session.kind.rawValue) \(key) goes on",
                hint: "remora describe \(key) shows how it goes, remora cancel \(key) stops it"
            )
        ) {
            try await SessionWatch(client: client, key: key, display: display, showsLogs: showsLogs).run()
        }
        if output.isJSON { try output.show(ended) { Page() } }
        if let failure = SessionText.failure(ended) { throw failure }
        if !output.isJSON { surroundings.console.print(SessionText.success(ended, clock: surroundings.clock)) }
    }

    private static func next(_ session: SessionView) -> Page {
        let key = "\(session.namespace)/\(session.name)"
        var page = Page()
        page.add("\(session.kind.rawValue) \(key, .bold): \(session.phase.rawValue, SessionText.style(session.phase))")
        page.add(
            [
                ("see how it goes", "remora describe \(key)"),
                ("follow its log", "remora logs \(key) -f"),
                ("stop it", "remora cancel \(key)"),
            ],
            indentation: 2
        )
        return page
    }
}
