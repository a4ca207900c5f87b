internal import CMongoC
import Foundation

/// One logged-in connection to one server that sends commands byte for byte as they are.
///
/// A driver adds a session of its own to every command, which forbids what a router does: one session and one
/// transaction number over several shards. libmongoc opens the connection and logs in; from then on nobody but this
/// actor reads or writes it. After an error of the network it is of no use any more.
public actor WireConnection {
    /// Where libmongoc's stream is caught when it is made.
    private final class Catch {
        var stream: UnsafeMutablePointer<mongoc_stream_t>?
    }

    // Touched by the executor's thread only, and at last by whoever lets go of the actor.
    private nonisolated(unsafe) let client: OpaquePointer
    private nonisolated(unsafe) let caught = Catch()
    private let executor = BlockingExecutor("test-raw-connection")
    private var requests: Int32 = 0
    private var isBroken = false

    private static let initialized: Void = {
        mongoc_init()
        // libmongoc tells of every connection made in this way.
        mongoc_log_set_handler(
            { level, domain, message, context in
                if level.rawValue < MONGOC_LOG_LEVEL_DEBUG.rawValue {
                    mongoc_log_default_handler(level, domain, message, context)
                }
            },
            nil
        )
    }()

    /// The executor that keeps blocking calls off the cooperative pool.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Describes a connection; the first command connects.
    ///
    /// - Parameter uri: with `directConnection=true`, and without TLS.
    /// - Throws: `TestSupportError` for what isn't a connection string.
    public init(_ uri: String) throws {
        _ = Self.initialized
        var error = bson_error_t()
        guard let parsed = mongoc_uri_new_with_error(uri, &error) else {
            throw TestSupportError("not a MongoDB connection string: \(error.text)")
        }
        defer { mongoc_uri_destroy(parsed) }
        guard let client = mongoc_client_new_from_uri_with_error(parsed, &error) else { throw MongoError(error) }
        mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2)
        self.client = client
        mongoc_client_set_stream_initiator(
            client,
            { _, host, context, _ in
                guard let host, let context, let stream = connect(to: host.pointee.port) else { return nil }
                Unmanaged<Catch>.fromOpaque(context).takeUnretainedValue().stream = stream
                return stream
            },
            Unmanaged.passUnretained(caught).toOpaque()
        )
    }

    deinit {
        mongoc_client_reset(client)
        mongoc_client_destroy(client)
    }

    /// Sends a command and returns its reply.
    ///
    /// - Parameters:
    ///   - json: extended JSON, without `$db`.
    ///   - database: where to.
    ///   - more: fields to append, as they are.
    ///   - clusterTime: is sent along, and advanced by the reply.
    ///   - limit: how long the server may take.
    /// - Returns: the whole reply.
    /// - Throws: `MongoError` when it doesn't answer `ok: 1`, also for write errors and write concern errors; its code
    ///   is 0 when the network failed: then nobody knows whether the command took place.
    @discardableResult public func command(
        _ json: String,
        on database: String = "admin",
        appending more: TestDocument? = nil,
        after clusterTime: ClusterTime? = nil,
        limit: Duration = .seconds(60)
    ) throws -> TestDocument {
        let command = try TestDocument(json: json)
        let body = TestDocument { body in
            for field in command.fields { body.value(field.name, field.value) }
            for field in more?.fields ?? [] { body.value(field.name, field.value) }
            if let time = clusterTime?.document { body.document("$clusterTime", time) }
            body.string("$db", database)
        }
        let reply = try exchange(body, milliseconds: Int32(limit.components.seconds) * 1000)
        clusterTime?.advance(by: reply)
        let failed =
            reply["ok"]?.bool != true
            ? reply : reply["writeErrors"]?.documents?.first ?? reply["writeConcernError"]?.document
        if let failed {
            throw MongoError(
                code: failed["code"]?.int ?? -1,
                message: failed["errmsg"]?.string ?? reply.json,
                reply: reply
            )
        }
        return reply
    }

    private func exchange(_ body: TestDocument, milliseconds: Int32) throws -> TestDocument {
        if caught.stream == nil {
            var error = bson_error_t()
            // Any command: it makes libmongoc connect and log in.
            let (succeeded, reply) = withBSON(try TestDocument(json: #"{"ping": 1}"#)) { ping in
                withReply { reply in
                    let succeeded = mongoc_client_command_simple(client, "admin", ping, nil, reply, &error)
                    return (succeeded, TestDocument(bytes: bytesOfBSON(reply)))
                }
            }
            guard succeeded else {
                caught.stream = nil
                throw MongoError(error, reply: reply)
            }
        }
        guard let stream = caught.stream, !isBroken else { throw networkError("there is no connection any more") }
        requests += 1
        // OP_MSG with one section: length, request, the request answered, code 2013, flags, kind 0, the document.
        var message: [UInt8] = []
        for number in [Int32(21 + body.bytes.count), requests, 0, 2013, 0] {
            withUnsafeBytes(of: number.littleEndian) { message.append(contentsOf: $0) }
        }
        message.append(0)
        message.append(contentsOf: body.bytes)
        let written = message.withUnsafeMutableBytes {
            mongoc_stream_write(stream, $0.baseAddress, $0.count, milliseconds)
        }
        guard written == message.count else { throw networkError("the command could not be sent") }
        let length = try read(stream, 4, milliseconds).withUnsafeBytes {
            Int(Int32(littleEndian: $0.loadUnaligned(as: Int32.self)))
        }
        guard (26...50_000_000).contains(length) else { throw networkError("a reply of \(length) bytes") }
        return TestDocument(bytes: Array(try read(stream, length - 4, milliseconds).dropFirst(17)))
    }

    private func read(
        _ stream: UnsafeMutablePointer<mongoc_stream_t>,
        _ count: Int,
        _ milliseconds: Int32
    ) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let received = bytes.withUnsafeMutableBytes {
            mongoc_stream_read(stream, $0.baseAddress, count, count, milliseconds)
        }
        guard received == count else { throw networkError("no whole reply came") }
        return bytes
    }

    /// After it nobody can tell which command the next reply would answer.
    private func networkError(_ message: String) -> MongoError {
        isBroken = true
        return MongoError(code: 0, message: message, reply: TestDocument { _ in })
    }
}

/// A connected stream to a port on loopback, or `nil`.
private func connect(to port: UInt16) -> UnsafeMutablePointer<mongoc_stream_t>? {
    guard let socket = mongoc_socket_new(AF_INET, Ports.stream, 0) else { return nil }
    var address = Ports.loopback(port)
    let status = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            // In microseconds on libmongoc's monotonic clock.
            mongoc_socket_connect(
                socket,
                $0,
                socklen_t(MemoryLayout<sockaddr_in>.size),
                bson_get_monotonic_time() + 5_000_000
            )
        }
    }
    guard status == 0 else {
        mongoc_socket_destroy(socket)
        return nil
    }
    return mongoc_stream_socket_new(socket)
}

extension MongoServer {
    /// A connection to this very server that adds nothing to its commands.
    public func wireConnection(as user: MongoUser? = .admin) throws -> WireConnection {
        try WireConnection(uri(as: user))
    }
}
