import BackupModel

/// `remora status`: one screen; what needs a person comes first.
struct StatusPage {
    let status: StatusView
    /// The newest failed backup of a target, for targets whose last one failed.
    var failures: [ResourceKey: SessionView] = [:]
    /// Where the coordinator is.
    let url: String
    let clock: Clock

    func make() -> Page {
        var page = Page()
        addProblems(to: &page)
        addTargets(to: &page)
        addRunning(to: &page)
        addAgents(to: &page)
        page.add()
        let up = Format.duration(seconds: clock.now().milliseconds(since: status.startedAt) / 1000)
        page.add("\("coordinator \(status.version) at \(url), up \(up), epoch \(status.epoch)", .dim)")
        return page
    }

    // MARK: What is wrong

    private struct Problem {
        var place: String
        var text: String
        var hint: String?
    }

    private var problems: [Problem] {
        var all = status.problems.map { Problem(place: "coordinator", text: $0) }
        for target in status.targets {
            let key = ResourceKey(namespace: target.namespace, name: target.name)
            for text in target.problems { all.append(problem(text, of: target, key)) }
            for agent in target.agents where !agent.connected {
                let seen = agent.lastSeen.map { ", last heard of \(clock.age($0))" } ?? ""
                all.append(Problem(place: "\(key) \(agent.pod)", text: "the agent is not connected\(seen)"))
            }
            for agent in target.agents {
                for text in agent.problems { all.append(Problem(place: "\(key) \(agent.pod)", text: text)) }
            }
        }
        return all
    }

    private func problem(_ text: String, of target: TargetView, _ key: ResourceKey) -> Problem {
        if text == "the last backup failed", let failed = failures[key] {
            return Problem(
                place: "\(key)",
                text: "\(text), \(clock.age(failed.endTime ?? failed.startTime)): \(failed.message ?? "")",
                hint: "remora describe \(failed.name) -n \(failed.namespace)"
            )
        }
        if text == "there is no good backup yet", let configuration = target.configurations.first {
            let hint = "remora backup \(configuration) -n \(target.namespace) --follow"
            return Problem(place: "\(key)", text: text, hint: hint)
        }
        return Problem(place: "\(key)", text: text)
    }

    private func addProblems(to page: inout Page) {
        let problems = problems
        guard !problems.isEmpty else {
            let count = Int64(status.targets.count)
            page.add(
                status.targets.isEmpty
                    ? "\("No targets", .caution): the coordinator knows no AppBinding"
                    : "\("All is well", .good): \(Format.count(count, "target")), nothing needs you"
            )
            return
        }
        page.add("\(Format.count(Int64(problems.count), "problem"), .bad)")
        for problem in problems {
            page.add("  \("!", .bad) \(problem.place, .bold): \(problem.text)")
            if let hint = problem.hint { page.add("    \("-> \(hint)", .accent)") }
        }
    }

    // MARK: Targets

    private func addTargets(to page: inout Page) {
        guard !status.targets.isEmpty else { return }
        page.heading("Targets")
        var table = Table(
            [
                .text("TARGET"), .text("ENGINE"), .text("LAST GOOD BACKUP"), .text("SESSION"), .text("LAST RUN"),
                .text("NEXT RUN"), .text("AGENTS"),
            ],
            indentation: 2
        )
        for target in status.targets {
            let connected = target.agents.count { $0.connected }
            table.add(
                "\("\(target.namespace)/\(target.name)", .bold)",
                "\(target.engine)",
                target.lastSuccess.map { "\(clock.timeAndAge($0))" } ?? "\("none", .bad)",
                "\(target.lastSuccessSession ?? "")",
                target.lastPhase.map { "\($0.rawValue, SessionText.style($0))" } ?? "",
                target.nextRun.map { "\(clock.timeAndAge($0))" } ?? "\("not scheduled", .dim)",
                "\("\(connected) of \(target.agents.count)", connected == target.agents.count && connected > 0 ? .good : .bad)"
            )
        }
        page.add(table)
    }

    // MARK: Running

    private func addRunning(to page: inout Page) {
        guard !status.running.isEmpty else { return }
        page.heading("Running")
        for session in status.running {
            page.add("  \(SessionText.title(session))")
            var meters: [String: RateMeter] = [:]
            for row in SessionText.rows(session, &meters, at: .zero) { page.add("    \(row.sentence)") }
        }
    }

    // MARK: Agents

    private func addAgents(to page: inout Page) {
        guard status.targets.contains(where: { !$0.agents.isEmpty }) else { return }
        page.heading("Agents")
        var table = Table(
            [
                .text("POD"), .text("TARGET"), .text("MEMBER"), .text("GROUP"), .text("ROLE"), .number("LAG"),
                .text("SERVER"), .text("AGENT"), .text("STATE"),
            ],
            indentation: 2
        )
        for target in status.targets {
            for agent in target.agents {
                let state: StyledText =
                    !agent.connected
                    ? "\("away", .bad)"
                    : agent.databaseReachable == false
                        ? "\("no database", .bad)"
                        : agent.job == nil ? "\("idle", .good)" : "\("working", .accent)"
                table.add(
                    "\(agent.pod, .bold)",
                    "\(target.namespace)/\(target.name)",
                    "\(agent.host ?? "")",
                    "\(agent.group ?? "")",
                    "\(agent.role?.rawValue ?? "")",
                    "\(agent.lag.map { Format.duration(seconds: Int64($0)) } ?? "")",
                    "\(agent.serverVersion ?? "")",
                    "\(agent.version)",
                    state
                )
            }
        }
        page.add(table)
    }
}
