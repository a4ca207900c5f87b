public import BSON
import CMongoC
import Dispatch

/// One connection to one member, on a thread of its own: `directConnection`, application name `remora`.
///
/// Every call blocks that thread until the server has answered; callers suspend. Cancelling a caller does not
/// abort a command that is on its way. A connection that broke is mended by the next command; what that command
/// was is for the caller to know.
public final actor MongoConnection {
    private let executor: ConnectionExecutor
    private let client: ClientBox
    private let secrets: [String]
    /// The member's address, without credentials.
    public nonisolated let host: String
    private var session: OpaquePointer?
    private var sessionOptions: [UInt8]?

    /// Where this actor runs.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// libmongoc's client, destroyed on the connection's own thread: that says good-bye to the server and may block.
    private final class ClientBox: @unchecked Sendable {
        // Unchecked: the pointers are used only on the executor's queue.
        let client: OpaquePointer
        var session: OpaquePointer?
        private let executor: ConnectionExecutor

        init(_ client: OpaquePointer, on executor: ConnectionExecutor) {
            self.client = client
            self.executor = executor
        }

        deinit {
            nonisolated(unsafe) let client = client
            nonisolated(unsafe) let session = session
            executor.queue.async {
                if let session { mongoc_client_session_destroy(session) }
                mongoc_client_destroy(client)
            }
        }
    }

    /// Prepares a connection with the credentials that their files have now; nothing is sent before the first command.
    ///
    /// - Parameters:
    ///   - configuration: How to reach and open the member.
    ///   - host: Another member of the same group, `host:port`, instead of the configured one.
    ///   - socketTimeoutMilliseconds: Another limit for the next byte of a reply, for commands that may wait long.
    /// - Throws: `MongoError` of kind `.configuration`.
    public init(
        _ configuration: MongoDBConfiguration,
        host: String? = nil,
        socketTimeoutMilliseconds: Int32? = nil
    ) throws(MongoError) {
        MongoLibrary.start
        let configuration = configuration.current()
        var address = try ConnectionString(configuration.uri)
        if let host { address = address.replacingHost(host) }
        self.host = address.display
        let secrets =
            address.secrets
            + [
                configuration.password?.value, configuration.tls?.certificateKeyPassword?.value,
            ].compactMap(\.self)
        self.secrets = secrets
        executor = ConnectionExecutor(label: "remora.mongodb")
        client = ClientBox(
            try Self.makeClient(
                configuration,
                address,
                socketTimeout: socketTimeoutMilliseconds ?? configuration.socketTimeoutMilliseconds,
                secrets: secrets
            ),
            on: executor
        )
    }

    private static func makeClient(
        _ configuration: MongoDBConfiguration,
        _ address: ConnectionString,
        socketTimeout: Int32,
        secrets: [String]
    ) throws(MongoError) -> OpaquePointer {
        var error = bson_error_t()
        guard let uri = mongoc_uri_new_with_error(address.text, &error) else {
            throw MongoError(
                .configuration,
                redact("the connection string can't be read: \(MongoLibrary.message(error))", secrets)
            )
        }
        defer { mongoc_uri_destroy(uri) }
        var isAccepted = mongoc_uri_set_option_as_bool(uri, "directconnection", true)
        func set(_ key: String, _ value: String?) {
            if let value { isAccepted = mongoc_uri_set_option_as_utf8(uri, key, value) && isAccepted }
        }
        func set(_ key: String, _ value: Int32) {
            isAccepted = mongoc_uri_set_option_as_int32(uri, key, value) && isAccepted
        }
        set("appname", configuration.appName)
        set("connecttimeoutms", configuration.connectTimeoutMilliseconds)
        set("serverselectiontimeoutms", configuration.connectTimeoutMilliseconds)
        set("sockettimeoutms", socketTimeout)
        if let username = configuration.username {
            isAccepted = mongoc_uri_set_username(uri, username) && isAccepted
        }
        if let password = configuration.password {
            isAccepted = mongoc_uri_set_password(uri, password.value) && isAccepted
        }
        if let mechanism = configuration.authMechanism {
            isAccepted = mongoc_uri_set_auth_mechanism(uri, mechanism) && isAccepted
        }
        let isX509 = configuration.authMechanism == "MONGODB-X509"
        if let source = configuration.authSource ?? (isX509 ? "$external" : nil) {
            isAccepted = mongoc_uri_set_auth_source(uri, source) && isAccepted
        }
        if let tls = configuration.tls {
            isAccepted = mongoc_uri_set_option_as_bool(uri, "tls", true) && isAccepted
            set("tlscafile", tls.caFile)
            set("tlscertificatekeyfile", tls.certificateKeyFile)
            set("tlscertificatekeyfilepassword", tls.certificateKeyPassword?.value)
            isAccepted =
                mongoc_uri_set_option_as_bool(uri, "tlsallowinvalidcertificates", tls.allowInvalidCertificates)
                && mongoc_uri_set_option_as_bool(uri, "tlsallowinvalidhostnames", tls.allowInvalidHostnames)
                && isAccepted
        }
        guard isAccepted else {
            throw MongoError(
                .configuration,
                "the options for \(address.display) don't go together: check authMechanism, authSource and TLS files"
            )
        }
        guard let client = mongoc_client_new_from_uri_with_error(uri, &error) else {
            throw MongoError(
                .configuration,
                redact("can't prepare a connection to \(address.display): \(MongoLibrary.message(error))", secrets)
            )
        }
        mongoc_client_set_error_api(client, 2)
        return client
    }

    /// Runs a command and returns its reply as a document.
    ///
    /// - Throws: `MongoError`; a reply with `ok: 0` is one of kind `.server`.
    public func command(_ database: String, _ command: BSONDocument) throws(MongoError) -> BSONDocument {
        do {
            return try reply(database, command).document()
        } catch let error as MongoError {
            throw error
        } catch {
            throw MongoError(.badReply, "\(host) sent a reply that isn't BSON: \(error)")
        }
    }

    /// Runs a command and returns its reply in the memory that it was received into.
    public func reply(_ database: String, _ command: BSONDocument) throws(MongoError) -> MongoReply {
        try reply(database, commandBytes: command.bytes)
    }

    /// Runs a command that has been built as bytes, like an insert of many documents.
    public func reply(_ database: String, commandBytes: [UInt8]) throws(MongoError) -> MongoReply {
        try reply(database, commandBytes, options: sessionBytes())
    }

    /// The server's number of this connection.
    ///
    /// Asked outside the session: any command makes the server remember the session that it comes with, `hello` too
    /// (observed).
    func connectionID() throws(MongoError) -> Int64? {
        let hello: BSONDocument = ["hello": 1]
        let reply = try reply("admin", hello.bytes, options: BSONDocument([]).bytes)
        do {
            return try reply.document()["connectionId"]?.integer
        } catch {
            throw MongoError(.badReply, "\(host) sent a reply that isn't BSON: \(error)")
        }
    }

    private func reply(_ database: String, _ commandBytes: [UInt8], options: [UInt8]) throws(MongoError) -> MongoReply {
        var error = bson_error_t()
        var isOK = false
        let reply = MongoReply { place in
            let sent = MongoLibrary.withBSON(commandBytes) { command in
                MongoLibrary.withBSON(options) { options in
                    mongoc_client_command_with_opts(client.client, database, command, nil, options, place, &error)
                }
            }
            if let sent, let sent {
                isOK = sent
            } else {
                bson_init(place)
            }
        }
        guard isOK else { throw failure(error, reply) }
        return reply
    }

    /// The 16 bytes that name this connection's session to the server; nil where the server has no sessions.
    func sessionID() throws(MongoError) -> [UInt8]? {
        _ = try sessionBytes()
        guard let session = client.session, let document = mongoc_client_session_get_lsid(session),
            let data = bson_get_data(document)
        else { return nil }
        let length = Int(UnsafeRawPointer(data).loadUnaligned(as: Int32.self).littleEndian)
        let bytes = [UInt8](UnsafeBufferPointer(start: data, count: length))
        do throws(BSONError) {
            guard case .binary(_, let identifier)? = try BSONDocument(validating: bytes)["id"] else { return nil }
            return identifier
        } catch {
            throw MongoError(.badReply, "libmongoc made a session whose name can't be read: \(error)")
        }
    }

    /// One explicit session for everything on this connection: a cursor's `getMore` must come with its `find`'s.
    ///
    /// Never causally consistent: that would add `afterClusterTime`, which waits on a locked member.
    private func sessionBytes() throws(MongoError) -> [UInt8] {
        if let sessionOptions { return sessionOptions }
        var error = bson_error_t()
        let options = mongoc_session_opts_new()
        defer { mongoc_session_opts_destroy(options) }
        mongoc_session_opts_set_causal_consistency(options, false)
        guard let session = mongoc_client_start_session(client.client, options, &error) else {
            // Arbiters, and members that aren't ready, have no sessions; what they answer needs none.
            if error.domain == MONGOC_ERROR_CLIENT.rawValue,
                error.code == MONGOC_ERROR_CLIENT_SESSION_FAILURE.rawValue
            {
                return BSONDocument([]).bytes
            }
            throw failure(error, nil)
        }
        client.session = session
        let document = bson_new()
        defer { bson_destroy(document) }
        guard mongoc_client_session_append(session, document, &error), let data = bson_get_data(document) else {
            throw failure(error, nil)
        }
        let length = Int(UnsafeRawPointer(data).loadUnaligned(as: Int32.self).littleEndian)
        let bytes = [UInt8](UnsafeBufferPointer(start: data, count: length))
        sessionOptions = bytes
        return bytes
    }

    private func failure(_ error: bson_error_t, _ reply: MongoReply?) -> MongoError {
        // A reply that can't be read adds nothing to the error we are about to report.
        let document = reply.flatMap { try? $0.document() }
        let message = Self.redact(MongoLibrary.message(error), secrets)
        let labels = document?["errorLabels"]?.array?.compactMap(\.string) ?? []
        if let document, document["ok"]?.truth == false {
            let code = Int32(truncatingIfNeeded: document["code"]?.integer ?? Int64(error.code))
            let text = document["errmsg"]?.string.map { Self.redact($0, secrets) } ?? message
            let isLogin = code == MongoError.ServerCode.authenticationFailed
            return MongoError(
                isLogin ? .authentication : .server,
                code: code,
                codeName: document["codeName"]?.string,
                text,
                labels: labels
            )
        }
        switch error.domain {
        case MONGOC_ERROR_SERVER.rawValue:
            return MongoError(.server, code: Int32(bitPattern: error.code), message, labels: labels)
        case MONGOC_ERROR_CLIENT.rawValue where error.code == MONGOC_ERROR_CLIENT_AUTHENTICATE.rawValue:
            return MongoError(.authentication, message)
        case MONGOC_ERROR_SERVER_SELECTION.rawValue: return MongoError(.unreachable, "\(host): \(message)")
        case MONGOC_ERROR_SASL.rawValue, MONGOC_ERROR_SCRAM.rawValue: return MongoError(.authentication, message)
        case MONGOC_ERROR_STREAM.rawValue: return MongoError(.connection, "\(host): \(message)")
        default: return MongoError(.badReply, "\(host): \(message)")
        }
    }

    private static func redact(_ text: String, _ secrets: [String]) -> String {
        var result = text
        for secret in secrets where !secret.isEmpty {
            result = result.split(separator: secret, omittingEmptySubsequences: false).joined(separator: "***")
        }
        return result
    }
}
