/// One thing that `remora doctor` looks at: a function of the facts.
struct DoctorCheck: Sendable {
    /// A stable word for programs.
    let name: String
    /// What is asked.
    let question: String
    /// Whether everything after it depends on it.
    var isFundamental = false
    let judge: @Sendable (ClusterFacts, inout Findings) -> Void

    /// In the order in which one depends on the other: the first failure is the one to mend first.
    static let all = [
        DoctorCheck(name: "api-server", question: "does the API server answer?", isFundamental: true, judge: apiServer),
        DoctorCheck(name: "definitions", question: "are our objects defined?", judge: definitions),
        DoctorCheck(name: "coordinator", question: "do the coordinators run?", judge: coordinators),
        DoctorCheck(name: "leader", question: "does one of them lead?", judge: leader),
        DoctorCheck(name: "permissions", question: "may the coordinator do what it must?", judge: permissions),
        DoctorCheck(name: "webhook", question: "is the webhook registered, and trusted?", judge: webhook),
        DoctorCheck(name: "injection", question: "does a pod get its agent?", judge: injection),
        DoctorCheck(name: "clock", question: "do the clocks agree?", judge: clock),
        DoctorCheck(name: "namespaces", question: "do namespaces let agents in?", judge: namespaces),
        DoctorCheck(name: "pods", question: "has every pod its agent?", judge: pods),
        DoctorCheck(name: "credentials", question: "are the pods' secrets there?", judge: credentials),
        DoctorCheck(name: "repositories", question: "are the repositories usable?", judge: repositories),
        DoctorCheck(name: "agents", question: "are agents connected, and content?", judge: agents),
        DoctorCheck(name: "targets", question: "are the targets protected?", judge: targets),
    ]

    /// Judges everything, in order.
    static func run(_ facts: ClusterFacts) -> [Finding] {
        var result: [Finding] = []
        for check in all {
            var findings = Findings(check.name)
            check.judge(facts, &findings)
            result += findings.all
            if check.isFundamental, findings.all.contains(where: { $0.level == .fail }) { break }
        }
        return result
    }
}
