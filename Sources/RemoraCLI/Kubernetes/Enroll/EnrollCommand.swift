import ArgumentParser
import BackupModel
import Injector
import Kubernetes

/// `remora enroll`.
struct EnrollCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enroll",
        abstract: "Give the pods of a workload an agent each: annotates its pod template.",
        discussion: """
            Shows what changes and what that restarts, and asks before it does it. Changes annotations that are there \
            already; --print changes nothing and prints what would be sent, for those who keep manifests elsewhere.
            """
    )

    @Argument(help: "statefulset/NAME, deployment/NAME or daemonset/NAME; NAME alone is a StatefulSet.")
    var workload: WorkloadReference

    @OptionGroup var annotations: EnrollOptions
    @OptionGroup var change: TemplateChangeOptions

    func run() async throws {
        let added = try annotations.annotations()
        try await change.run(workload, { Enrollment.adding(added, to: $0) }) { facts, enrollment, namespace in
            let verdict = TemplateTrial.judge(facts, annotations: enrollment.annotations, namespace: namespace)
            if let refusal = verdict.refusal {
                throw CommandFailure(
                    .refused,
                    "with these annotations \(workload)'s pods would get no agent: \(refusal)",
                    hint: "nothing was changed"
                )
            }
            return verdict.warnings
        }
    }
}

/// `remora unenroll`.
struct UnenrollCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unenroll",
        abstract: "Take the agents away from a workload's pods: removes our annotations from its pod template.",
        discussion: "What is backed up stays. Shows what changes and what that restarts, and asks before it does it."
    )

    @Argument(help: "statefulset/NAME, deployment/NAME or daemonset/NAME; NAME alone is a StatefulSet.")
    var workload: WorkloadReference

    @OptionGroup var change: TemplateChangeOptions

    func run() async throws {
        try await change.run(workload, { Enrollment.removing(from: $0) }) { _, _, _ in [] }
    }
}
