import BackupModel

/// `remora agents`.
enum AgentsPage {
    /// One row a pod with an agent.
    struct Row: Codable, Sendable, Hashable {
        var namespace: String
        var pod: String
        var target: String?
        var image: String
        /// What the running agent says it is; nil when the coordinator doesn't hear from it.
        var version: String?
        var isConnected: Bool
        /// `native` or `container`.
        var kind: String
        var restarts: Int64
        /// The job it works on.
        var job: String?
        /// Why its container doesn't run.
        var waiting: String?
    }

    static func rows(_ pods: [PodFacts], _ status: StatusView) -> [Row] {
        var views: [String: (target: String, agent: AgentView)] = [:]
        for target in status.targets {
            for agent in target.agents { views["\(target.namespace)/\(agent.pod)"] = (target.name, agent) }
        }
        return pods.sorted { $0.place < $1.place }.compactMap { pod in
            guard let agent = pod.agent else { return nil }
            let view = views[pod.place]
            return Row(
                namespace: pod.namespace,
                pod: pod.name,
                target: view?.target ?? pod.cluster,
                image: agent.image,
                version: view?.agent.version,
                isConnected: view?.agent.connected ?? false,
                kind: agent.isNative ? "native" : "container",
                restarts: agent.restarts,
                job: view?.agent.job,
                waiting: agent.isRunning ? nil : agent.waiting
            )
        }
    }

    static func make(_ rows: [Row]) -> Page {
        var page = Page()
        guard !rows.isEmpty else {
            page.add("no pod has an agent; \("remora enroll statefulset/NAME", .bold) gives a database's pods one each")
            return page
        }
        var table = Table([
            .text("NAMESPACE"), .text("POD"), .text("TARGET"), .text("VERSION"), .text("STATE"), .text("KIND"),
            .number("RESTARTS"), .text("IMAGE"),
        ])
        for row in rows {
            let state: StyledText =
                if let waiting = row.waiting {
                    "\(waiting, .bad)"
                } else if !row.isConnected {
                    "\("away", .bad)"
                } else {
                    row.job == nil ? "\("idle", .good)" : "\("working", .accent)"
                }
            table.add(
                "\(row.namespace)",
                "\(row.pod, .bold)",
                "\(row.target ?? "")",
                "\(row.version ?? "")",
                state,
                "\(row.kind)",
                "\(row.restarts)",
                "\(row.image)"
            )
        }
        page.add(table, isCut: true)
        return page
    }

    static func make(_ plan: UpgradePlan) -> Page {
        var page = Page()
        if plan.steps.isEmpty {
            page.add("\("nothing to do", .good): \(Format.count(Int64(plan.current.count), "agent")) run \(plan.image)")
            return page
        }
        page.add(
            "\(Format.count(Int64(plan.steps.count), "agent"), .bold) get \(plan.image), one after the other; no database restarts"
        )
        var table = Table([.text("POD"), .text("NOW"), .text("ROLE"), .text("")], indentation: 2)
        for step in plan.steps {
            let note =
                step.agent?.connected != true
                ? "not connected" : step.agent?.job != nil ? "after its job" : step.isCanary ? "the first one" : ""
            table.add(
                "\(step.pod.place, .bold)",
                "\(step.from)",
                "\(step.agent?.role?.rawValue ?? "")",
                "\(note, .dim)"
            )
        }
        page.add(table)
        if !plan.current.isEmpty { page.add("  \(Format.count(Int64(plan.current.count), "agent")) have it already") }
        return page
    }
}
