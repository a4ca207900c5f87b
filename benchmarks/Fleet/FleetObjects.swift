import BackupModel
import Foundation
import TestSupport

/// What is declared: replica sets that are targets, each with a configuration, and one repository for all.
struct FleetObjects: Sendable {
    static let namespace = "fleet"

    /// Agents in all.
    let agents: Int
    /// Members of a set; the last set may have fewer.
    let membersPerSet: Int

    /// How many sets.
    var sets: Int { (agents + membersPerSet - 1) / membersPerSet }

    private static func name(_ set: Int) -> String { "set-\(set)" }

    /// Writes the objects, whole at once, as a person's tool would.
    ///
    /// - Parameters:
    ///   - directory: with a folder `objects`.
    ///   - minute: when the schedules fire, in milliseconds since 1970; nil: only at New Year.
    /// - Throws: `TestSupportError` when the file can't be written.
    func write(to directory: TestDirectory, firingAt minute: Int64?) throws {
        var documents = [
            """
            apiVersion: remora.dev/v1alpha1
            kind: Repository
            metadata: {name: main, namespace: \(Self.namespace)}
            spec:
              backend:
                local: {mountPath: \(directory.appending("repository"))}
                storageSecretName: storage
            """
        ]
        let schedule = minute.map(Self.schedule) ?? "@yearly"
        for set in 0..<sets {
            documents.append(
                """
                apiVersion: remora.dev/v1alpha1
                kind: AppBinding
                metadata: {name: \(Self.name(set)), namespace: \(Self.namespace)}
                spec: {type: mongodb}
                ---
                apiVersion: remora.dev/v1alpha1
                kind: BackupConfiguration
                metadata: {name: \(Self.name(set)), namespace: \(Self.namespace)}
                spec:
                  schedule: "\(schedule)"
                  repository: {name: main}
                  target: {ref: {apiVersion: remora.dev/v1alpha1, kind: AppBinding, name: \(Self.name(set))}}
                """
            )
        }
        let fresh = try directory.write(documents.joined(separator: "\n---\n") + "\n", to: "fleet.yaml")
        guard rename(fresh, directory.appending("objects/fleet.yaml")) == 0 else {
            throw TestSupportError("cannot write the objects")
        }
    }

    /// Five fields that fire at one minute (UTC) and not again within a day.
    private static func schedule(_ minute: Int64) -> String {
        var time = time_t(minute / 1000)
        var parts = tm()
        gmtime_r(&time, &parts)
        return "\(parts.tm_min) \(parts.tm_hour) * * *"
    }

    /// The agents, set by set: the first member of each is the primary, the others can be locked.
    func makeAgents(_ settings: FleetSettings) -> [PlayedAgent] {
        (0..<agents).map { index in
            let (set, place) = (index / membersPerSet, index % membersPerSet)
            let size = min(membersPerSet, agents - set * membersPerSet)
            return PlayedAgent(
                pod: "\(Self.name(set))-\(place)",
                cluster: Self.name(set),
                member: Self.member(set, place, of: size),
                settings
            )
        }
    }

    private static func member(_ set: Int, _ place: Int, of size: Int) -> MemberStatus {
        let host = { (place: Int) in "\(name(set))-\(place).db:27017" }
        var member = MemberStatus(isReachable: true)
        member.version = "6.0.5"
        member.featureCompatibilityVersion = "6.0"
        member.role = place == 0 ? .primary : .secondary
        member.group = "rs0"
        member.host = host(place)
        member.primary = host(0)
        member.members = (0..<size).map {
            GroupMember(
                host: host($0),
                state: $0 == 0 ? "PRIMARY" : "SECONDARY",
                isHealthy: true,
                votes: 1,
                priority: 1
            )
        }
        member.lagSeconds = 0
        member.priority = 1
        member.isHidden = false
        member.votes = 1
        member.delaySeconds = 0
        member.oplogWindowSeconds = 86_400
        member.dataBytes = 1 << 30
        member.isLockable = place > 0 && size > 2
        member.notLockableReason = member.isLockable == true ? nil : "its group can't spare it"
        return member
    }
}

/// What all played agents share.
struct FleetSettings: Sendable {
    var port: Int
    var enrolmentToken: String
    /// How long a job works.
    var jobDuration: Duration
    var records: Records
}
