import BackupModel

/// What a person should learn of an agent that works: a function of what it knows.
enum HealthSentence {
    static func make(member: MemberStatus?, isRegistered: Bool, jobs: [String]) -> String {
        let parts: [String?] = [
            "the agent works", database(member),
            isRegistered ? "the coordinator knows it" : "no coordinator knows it yet: its log says why",
            jobs.isEmpty ? nil : "running: \(jobs.joined(separator: ", "))",
        ]
        return parts.compactMap(\.self).joined(separator: "; ")
    }

    private static func database(_ member: MemberStatus?) -> String {
        guard let member else { return "the database was not looked at yet" }
        let problems = member.problems.joined(separator: ", ")
        guard member.isReachable else { return "the database doesn't answer\(problems.isEmpty ? "" : ": \(problems)")" }
        let role = member.role.map { " (\($0.rawValue)\(member.group.map { " of \($0)" } ?? ""))" } ?? ""
        return "the database answers\(role)\(problems.isEmpty ? "" : ": \(problems)")"
    }
}
