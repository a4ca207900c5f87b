import BSON
import BackupModel
import TestSupport
import Testing

@testable import Engines

@Suite("MongoDB inspection")
struct InspectTests {
    @Test("members of every role tell what they are, and which of them may be locked")
    func roles() async throws {
        let directory = try TestDirectory("roles")
        defer { directory.remove() }
        var options = ReplicaSetOptions()
        var delayed = ReplicaSetMember.hidden
        delayed.delaySeconds = 2
        delayed.votes = 0
        var arbiter = ReplicaSetMember()
        arbiter.isArbiter = true
        options.members = [ReplicaSetMember(), ReplicaSetMember(), .hidden, delayed, arbiter, ReplicaSetMember()]
        let set = try await ReplicaSet.start(options, in: directory)
        let rig = try await BackupRig(directory)
        let primary = try await set.primary()
        var statuses: [MemberStatus] = []
        for member in set.members {
            // The delayed one doesn't know the user yet.
            statuses.append(
                try await eventually("\(member.address) answers") { () -> MemberStatus? in
                    let status = await rig.engine(member).inspect()
                    return status.isReachable ? status : nil
                }
            )
        }
        for (member, status) in zip(set.members, statuses) {
            #expect(status.isReachable)
            #expect(status.problems == [] || status.role == .arbiter, "\(status.problems)")
            #expect(status.version == "6.0.5")
            #expect(status.group == "rs0")
            #expect(status.host == member.address)
            #expect(status.primary == primary.address)
            guard status.role != .arbiter else { continue }
            #expect(status.featureCompatibilityVersion == "6.0")
            #expect(status.members.count == 6)
            #expect(status.lagSeconds != nil)
            #expect(status.oplogWindowSeconds != nil)
            #expect((status.dataBytes ?? 0) > 0)
            #expect(status.lock == nil)
        }
        #expect(statuses[0].role == .primary)
        #expect(statuses[0].isLockable == false)
        #expect(statuses[0].notLockableReason?.contains("it is the primary") == true)
        #expect(statuses[1].role == .secondary && statuses[1].isLockable == true)
        #expect(statuses[2].isHidden == true && statuses[2].priority == 0 && statuses[2].isLockable == true)
        #expect(statuses[3].delaySeconds == 2 && statuses[3].votes == 0)
        #expect(statuses[3].notLockableReason == "it is delayed by 2 s on purpose")
        #expect(statuses[4].role == .arbiter)
        #expect(statuses[4].problems.contains { $0.contains("it is an arbiter and holds no data") })
        await set.kill()
    }

    @Test("what keeps a member from being backed up is one clear sentence")
    func problems() async throws {
        let directory = try TestDirectory("problems")
        defer { directory.remove() }
        let server = try await SharedServers.standalone()
        let name = SharedServers.uniqueName("reader")
        try await server.client().command(
            #"{"createUser": "\#(name)", "pwd": "x", "roles": ["readAnyDatabase"]}"#
        )
        let rig = try await BackupRig(directory)
        let cases: [(MongoUser?, String, String)] = [
            (
                MongoUser("remora", password: "wrong"), "authenticationFailed",
                "refuses the log-in: check user name, password and authentication database"
            ),
            (nil, "missingPrivilege", "the server asks for a log-in and none is configured"),
            (
                MongoUser(name, password: "x"), "missingPrivilege",
                "action inprog (role clusterMonitor) to see whether the member is locked"
            ),
        ]
        for (user, code, text) in cases {
            let engine = rig.engine(server, as: user)
            let status = await engine.inspect()
            #expect(status.problems.contains { $0.contains(text) }, "\(status.problems)")
            #expect(!status.problems.joined().contains("wrong"))
            let failure = await #expect(throws: JobFailure.self) { try await rig.backUp(engine) }
            #expect(failure?.code == code)
            #expect(failure?.isRetryable == false)
        }
        let nobody = MongoDBEngine(MongoDBConfiguration(uri: "mongodb://127.0.0.1:1", stateDirectory: directory.path))
        let status = await nobody.inspect()
        #expect(!status.isReachable)
        #expect(status.problems.count == 1)
        #expect(status.problems.first?.contains("can't reach MongoDB at 127.0.0.1:1") == true)
        let failure = await #expect(throws: JobFailure.self) { try await rig.backUp(nobody) }
        #expect(failure?.code == "databaseUnreachable")
        #expect(failure?.isRetryable == true)
    }

    @Test(
        "versions that aren't supported are named",
        arguments: [
            ("3.6.23", false), ("4.2.0", false), ("4.4.29", false), ("5.0.0", true), ("6.0.5", true), ("7.0.16", true),
            ("8.0.4", true), ("8.1.0", false),
            ("9.0.0", false), ("unknown", false), ("", false), ("6", true), ("six.0", false), ("-6.0", false),
        ]
    )
    func versions(version: String, isSupported: Bool) async throws {
        let server = try await SharedServers.standalone()
        var facts = try await MemberFacts(asking: MongoConnection(MongoDBConfiguration(uri: server.uri())))
        facts.version = version
        let assessment = MemberAssessment(facts, connectedTo: "h:1")
        #expect((assessment.obstacle == nil) == isSupported)
        if !isSupported {
            #expect(assessment.obstacle?.code == "unsupportedVersion")
            #expect(assessment.obstacle?.message.contains("is version \(version); supported are 5.0 to 8.0") == true)
        }
    }

    @Test("a member may be locked only where the others do without it", arguments: LockabilityCase.all)
    func lockability(_ example: LockabilityCase) throws {
        let view = try #require(ReplicaSetView(status: example.status, config: example.config))
        let reason = view.notLockableReason
        if let expected = example.reason {
            #expect(reason?.contains(expected) == true, "\(reason ?? "lockable")")
        } else {
            #expect(reason == nil)
        }
    }
}

/// A set as `P` primary, `S` secondary, `A` arbiter, `D` down, and what follows for its member `me`.
struct LockabilityCase: Sendable, CustomTestStringConvertible {
    var states: String
    var me: Int
    var priorities: [Double] = []
    var votes: [Int] = []
    var reason: String?

    var testDescription: String { "\(states) me \(me)" }

    static let all = [
        LockabilityCase(states: "PSS", me: 1),
        LockabilityCase(states: "PSS", me: 2, priorities: [1, 1, 0]),
        LockabilityCase(states: "PSSSS", me: 4),
        LockabilityCase(states: "PSS", me: 2, votes: [1, 1, 0]),
        LockabilityCase(states: "PSSS", me: 3, votes: [1, 1, 1, 0]),
        LockabilityCase(states: "PSS", me: 0, reason: "it is the primary"),
        LockabilityCase(states: "PSA", me: 1, reason: "members needed to confirm majority writes"),
        LockabilityCase(states: "PS", me: 1, reason: "votes needed for a primary"),
        LockabilityCase(states: "PSD", me: 1, reason: "votes needed for a primary"),
        LockabilityCase(states: "DSS", me: 1, reason: "the set has no primary"),
        LockabilityCase(states: "PSS", me: 1, priorities: [1, 2, 1], reason: "is higher than that of the primary"),
        LockabilityCase(states: "PRS", me: 1, reason: "it is RECOVERING, not SECONDARY"),
    ]

    var config: BSONDocument {
        let members = states.enumerated().map { index, state -> BSONValue in
            [
                "_id": .integer(index), "host": .string("h:\(index)"), "arbiterOnly": .bool(state == "A"),
                "votes": .integer(votes.isEmpty ? 1 : votes[index]),
                "priority": .double(priorities.isEmpty ? 1 : priorities[index]),
            ]
        }
        return ["members": .array(members)]
    }

    var status: BSONDocument {
        let names: [Character: String] = [
            "P": "PRIMARY", "S": "SECONDARY", "A": "ARBITER", "D": "(not reachable/healthy)", "R": "RECOVERING",
        ]
        let members = states.enumerated().map { index, state -> BSONValue in
            [
                "_id": .integer(index), "stateStr": .string(names[state] ?? ""), "self": .bool(index == me),
                "health": .double(state == "D" ? 0 : 1),
            ]
        }
        return ["members": .array(members)]
    }
}
