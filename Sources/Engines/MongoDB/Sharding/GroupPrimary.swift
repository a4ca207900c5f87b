import BSON
import BackupModel

/// Reaches the primary of a group, whoever that is at the moment, with the credentials of the configured member.
struct GroupPrimary: Sendable {
    let engine: MongoDBEngine
    /// Members to ask who it is when the configured one doesn't answer.
    let hosts: [String]

    /// Answers after which the same question to the next primary can succeed: elections, shutdowns, lost connections.
    private static let passing: Set<Int32> = [6, 7, 89, 91, 189, 9001, 10058, 10107, 11600, 11602, 13435, 13436]

    /// Runs `body` on the primary; again on the next one when that stepped down or broke off meanwhile.
    ///
    /// - Parameters:
    ///   - patience: How long to go on trying.
    ///   - timeout: How long the next byte of a reply may take, milliseconds.
    ///   - body: What to ask; it may be asked again.
    /// - Returns: What `body` returned.
    /// - Throws: `MongoError`, the last one; `CancellationError`.
    func run<Value: Sendable>(
        within patience: Duration,
        timeout: Int32 = 10_000,
        _ body: (MongoConnection) async throws(MongoError) -> Value
    ) async throws -> Value {
        let deadline = ContinuousClock.now + patience
        while true {
            do throws(MongoError) {
                return try await body(try await find(timeout: timeout))
            } catch {
                guard Self.isPassing(error), ContinuousClock.now < deadline else { throw error }
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    static func isPassing(_ error: MongoError) -> Bool {
        switch error.kind {
        case .unreachable, .connection: true
        case .server: passing.contains(error.code)
        case .authentication, .configuration, .badReply: false
        }
    }

    /// The primary as the first member knows it that answers.
    private func find(timeout: Int32) async throws(MongoError) -> MongoConnection {
        var failure = MongoError(.unreachable, "no member of the group knows a primary")
        for host in [nil] + hosts.map(Optional.some) {
            do throws(MongoError) {
                let connection = try MongoConnection(
                    engine.configuration,
                    host: host,
                    socketTimeoutMilliseconds: timeout
                )
                let hello = try await connection.command("admin", ["hello": 1])
                if hello["isWritablePrimary"]?.truth == true { return connection }
                if let primary = hello["primary"]?.string {
                    return try MongoConnection(
                        engine.configuration,
                        host: primary,
                        socketTimeoutMilliseconds: timeout
                    )
                }
            } catch {
                if !Self.isPassing(error) { throw error }
                failure = error
            }
        }
        throw failure
    }
}
