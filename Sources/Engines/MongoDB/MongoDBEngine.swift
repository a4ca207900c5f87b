import BSON
public import BackupModel
import Synchronization

/// MongoDB 5.0 to 8.0 (tested on 6.0): logical backup of one member, made consistent by a lock or by the oplog.
///
/// One instance serves one member. The dump is a mongodump directory with `remora.json` beside it; `MongoDBManifest`
/// says what it promises.
public final class MongoDBEngine: Sendable {
    /// `mongodb`.
    public let name = "mongodb"
    let configuration: MongoDBConfiguration
    let tuning: MongoDBTuning
    let notes: LockNotes
    let balancerNotes: BalancerNotes
    let historyNotes: HistoryNotes
    private let inspector: Mutex<MongoConnection?> = Mutex(nil)
    /// Members that this very process has locked now, balancers that it has stopped, windows that it has raised: their
    /// notes aren't leftovers.
    let activeLocks = Mutex<Set<String>>([])

    /// Makes an engine; nothing is sent before the first call.
    public convenience init(_ configuration: MongoDBConfiguration) {
        self.init(configuration, tuning: MongoDBTuning())
    }

    init(_ configuration: MongoDBConfiguration, tuning: MongoDBTuning) {
        self.configuration = configuration
        self.tuning = tuning
        notes = LockNotes(directory: configuration.stateDirectory)
        balancerNotes = BalancerNotes(directory: configuration.stateDirectory)
        historyNotes = HistoryNotes(directory: configuration.stateDirectory)
    }

    /// A connection for questions that are answered at once.
    func connect(to host: String? = nil, timeout milliseconds: Int32 = 10_000) throws -> MongoConnection {
        do throws(MongoError) {
            return try MongoConnection(configuration, host: host, socketTimeoutMilliseconds: milliseconds)
        } catch {
            throw MongoDBFailure.failed("preparing a connection", error, host: host ?? configuration.uri)
        }
    }

    /// Looks at the member.
    ///
    /// Never throws: a member that doesn't answer is a status that says so and why. Takes two dozen small commands.
    public func inspect() async -> MemberStatus {
        do {
            let connection = try inspector.withLock { known in
                let connection = try known ?? connect()
                known = connection
                return connection
            }
            do throws(MongoError) {
                let facts = try await MemberFacts(asking: connection)
                let assessment = MemberAssessment(facts, connectedTo: connection.host)
                let (note, problem) = readNote(of: assessment.host)
                let isOurs = facts.isLocked ? try await mayBeOurs(note, connection) : false
                var status = assessment.status(ownLock: isOurs ? note : nil)
                status.problems += problem
                return status
            } catch {
                // The client remembers a failed server for seconds: the next look starts afresh.
                inspector.withLock { $0 = nil }
                if error.kind == .authentication, let status = await arbiterStatus() { return status }
                let failure = MongoDBFailure.failed("looking at the member", error, host: connection.host)
                return MemberStatus(isReachable: false, problems: [failure.message])
            }
        } catch {
            return MemberStatus(isReachable: false, problems: ["\(error)"])
        }
    }

    /// What an arbiter says of itself: it knows no users, so every log-in fails there.
    private func arbiterStatus() async -> MemberStatus? {
        var anonymous = configuration
        anonymous.username = nil
        anonymous.password = nil
        anonymous.usernameFile = nil
        anonymous.passwordFile = nil
        anonymous.credentialsURIFile = nil
        anonymous.authMechanism = nil
        anonymous.authSource = nil
        anonymous.uri = ConnectionString.withoutCredentials(configuration.uri)
        do {
            let connection = try MongoConnection(anonymous, socketTimeoutMilliseconds: 10_000)
            let facts = try await MemberFacts(asking: connection)
            guard facts.hello["arbiterOnly"]?.truth == true else { return nil }
            return MemberAssessment(facts, connectedTo: connection.host).status(ownLock: nil)
        } catch {
            // Then it isn't an arbiter that we could ask; the failed log-in is what is reported.
            return nil
        }
    }

    /// Whether the lock that the member has now is not known to be somebody else's.
    private func mayBeOurs(_ note: LockNote?, _ connection: MongoConnection) async throws(MongoError) -> Bool {
        guard let note else { return false }
        // Ours is being asked for or held this very moment, and its owner looks after it.
        if activeLocks.withLock({ $0.contains(note.host) }) { return true }
        let commands = LockCommands(connection: connection)
        guard try await commands.processID() == note.processID else { return false }
        switch try await commands.evidence(note).owner(note) {
        case .ours, .unknown, .pending: return true
        case .foreign, .nobody: return false
        }
    }

    private func readNote(of host: String) -> (LockNote?, [String]) {
        do {
            return (try notes.note(of: host), [])
        } catch {
            return (nil, ["\(error)"])
        }
    }

    /// Asks a member everything that a job decides by.
    func assess(_ connection: MongoConnection) async throws -> MemberAssessment {
        do throws(MongoError) {
            return MemberAssessment(try await MemberFacts(asking: connection), connectedTo: connection.host)
        } catch {
            throw MongoDBFailure.failed("looking at the member", error, host: connection.host)
        }
    }
}
