import ArgumentParser
import BackupModel

/// `remora doctor`.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look at everything that backups in Kubernetes need, and say what mends what is broken.",
        discussion: """
            Changes nothing: a pod is tried as a dry run, secrets are read for the names of their entries only. What you \
            may not see is a warning. Ends with 1 when something is broken.
            """
    )

    @Argument(help: "Only this target's pods, agents and backups: NAME or NAMESPACE/NAME.")
    var target: String?

    @OptionGroup var namespace: NamespaceOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let surroundings = Surroundings.current
        let cluster = try Cluster.open(connection.cluster, surroundings)
        let route: any CoordinatorRoute =
            connection.coordinator == nil ? KubernetesRoute(cluster, surroundings) : try connection.route()
        var gatherer = FactGatherer(cluster: cluster, coordinator: CoordinatorClient(route), clock: surroundings.clock)
        gatherer.namespace = namespace.namespace
        var key: ResourceKey?
        if let target {
            key = ResourceKey(target) ?? ResourceKey(namespace: namespace.namespace ?? cluster.namespace, name: target)
            gatherer.namespace = key?.namespace
        }
        var facts = await gatherer.gather()
        if let key { facts = facts.narrowed(to: key) }
        let findings = DoctorCheck.run(facts)
        try output.show(findings) { DoctorPage.make(findings) }
        let failures = findings.count { $0.level == .fail }
        if failures > 0 {
            throw CommandFailure(
                .failed,
                "\(Format.count(Int64(failures), "thing")) \(failures == 1 ? "is" : "are") broken",
                hint: output.isJSON ? nil : "mend the first one first: what comes after it may depend on it"
            )
        }
    }
}
