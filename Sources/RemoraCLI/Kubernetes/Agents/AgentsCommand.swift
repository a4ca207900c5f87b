import ArgumentParser
import BackupModel
import Kubernetes

/// `remora agents`.
struct AgentsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agents",
        abstract: "Agents in Kubernetes: what runs where, and giving them another version.",
        subcommands: [AgentsListCommand.self, AgentsUpgradeCommand.self],
        defaultSubcommand: AgentsListCommand.self
    )
}

/// What the commands about agents look at.
struct AgentsOptions: ParsableArguments {
    @OptionGroup var namespace: NamespaceOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    /// Cluster, coordinator, and pods with agents; of one target if it is named.
    func look(_ target: String?) async throws -> (FactGatherer, [PodFacts], StatusView) {
        let surroundings = Surroundings.current
        let cluster = try Cluster.open(connection.cluster, surroundings)
        let route: any CoordinatorRoute =
            connection.coordinator == nil ? KubernetesRoute(cluster, surroundings) : try connection.route()
        var gatherer = FactGatherer(cluster: cluster, coordinator: CoordinatorClient(route), clock: surroundings.clock)
        gatherer.namespace = namespace.namespace
        let status = try await gatherer.coordinator.status()
        var facts = ClusterFacts()
        facts.status = .found(status)
        var key: ResourceKey?
        if let target {
            let found = try Finder.target(target, namespace: namespace.namespace, among: status.targets)
            gatherer.namespace = found.namespace
            key = found
        }
        switch await gatherer.databasePods() {
        case .found(let pods): facts.pods = .found(pods.map(PodFacts.init).filter { $0.agent != nil })
        case .denied(let reason):
            throw CommandFailure(.kubernetes, reason, hint: "-n names a namespace whose pods you may see")
        case .failed(let reason): throw CommandFailure(.kubernetes, reason)
        case .missing, .notAsked: facts.pods = .found([])
        }
        if let key { facts = facts.narrowed(to: key) }
        return (gatherer, facts.pods.value ?? [], status)
    }
}

/// `remora agents list`.
struct AgentsListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Every agent: version, image, state."
    )

    @Argument(help: "Only this target's.")
    var target: String?

    @OptionGroup var options: AgentsOptions

    func run() async throws {
        let (_, pods, status) = try await options.look(target)
        let rows = AgentsPage.rows(pods, status)
        try options.output.show(rows) { AgentsPage.make(rows) }
    }
}

/// `remora agents upgrade`.
struct AgentsUpgradeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Give running agents another image; only they restart, not the databases.",
        discussion: """
            One after the other, first one whose failure would cost least; never one that works on a job: that is waited \
            for. Each must come back to the coordinator before the next one's turn, and the first that doesn't ends it. \
            Pod templates need no change: new pods get what the installation says.
            """
    )

    @Argument(help: "Only this target's agents.")
    var target: String?

    @Option(help: "The image; if left out: what new pods get.")
    var image: String?

    @Flag(help: "Only show what it would do.")
    var plan = false

    @Flag(name: .shortAndLong, help: "Don't ask.")
    var yes = false

    @Option(help: "Seconds that an agent may take to come back, 10 to 3600.")
    var timeout = 300

    @OptionGroup var options: AgentsOptions

    /// `-o json`.
    struct Answer: Codable, Sendable, Hashable {
        var image: String
        var planned: [String]
        var current: [String]
        var upgraded: [AgentUpgrade.Outcome]
    }

    func validate() throws {
        guard (10...3600).contains(timeout) else { throw ValidationError("--timeout is 10 to 3600.") }
        if image?.isEmpty == true { throw ValidationError("--image is empty.") }
    }

    func run() async throws {
        let surroundings = Surroundings.current
        let (gatherer, pods, status) = try await options.look(target)
        let namespace = options.namespace.namespace ?? pods.first?.namespace ?? gatherer.cluster.namespace
        let image = if let image { image } else { try await injectedImage(gatherer, namespace) }
        let upgrade = UpgradePlan.make(pods, status, image: image)
        var answer = Answer(
            image: image,
            planned: upgrade.steps.map(\.pod.place),
            current: upgrade.current,
            upgraded: []
        )
        if plan || upgrade.steps.isEmpty {
            return try options.output.show(answer) { AgentsPage.make(upgrade) }
        }
        if !options.output.isJSON { surroundings.console.print(AgentsPage.make(upgrade)) }
        if !yes {
            guard let ask = surroundings.ask, !options.output.isJSON else {
                throw CommandFailure(
                    .usage,
                    "no agent was changed: nobody is here to be asked",
                    hint: "--yes does it without asking, --plan shows what would be done"
                )
            }
            guard ask("Change them?") else { throw CommandFailure(.cancelled, "no agent was changed") }
        }
        let console = surroundings.console
        let work = AgentUpgrade(
            cluster: gatherer.cluster,
            coordinator: gatherer.coordinator,
            patience: .seconds(timeout),
            say: { console.note($0) }
        )
        do {
            try await work.run(upgrade) { answer.upgraded.append($0) }
        } catch {
            // What came back before it is still told.
            if options.output.isJSON { try options.output.show(answer) { Page() } }
            throw error
        }
        let finished = answer
        try options.output.show(finished) {
            var page = Page()
            page.add("\("done", .good): \(Format.count(Int64(finished.upgraded.count), "agent")) run \(image)")
            return page
        }
    }

    /// What the webhook would put into a new pod.
    private func injectedImage(_ gatherer: FactGatherer, _ namespace: String) async throws -> String {
        let trial = await gatherer.trial(in: namespace)
        if let image = trial.value.map({ PodFacts($0) })?.agent?.image { return image }
        let reason =
            switch trial {
            case .denied(let reason), .failed(let reason): reason
            default: "a pod that asks for an agent gets none in namespace \(namespace)"
            }
        throw CommandFailure(
            .kubernetes,
            "can't find out which image new pods get: \(reason)",
            hint: "give --image, or see what is wrong: remora doctor"
        )
    }
}
