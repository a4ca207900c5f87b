import Foundation
import TestSupport
import Testing

@testable import HTTPClient

/// Against `openssl s_server`, which comes with the library that libcurl uses.
@Suite("the HTTP client: TLS", .serialized)
struct TLSTests {
    @Test("trusts the given authority, from a file or from memory, and no other")
    func trust() async throws {
        try await withTLSServer { server in
            let pem = Array(try Data(contentsOf: URL(filePath: server.file("ca.pem"))))
            for configuration in [
                HTTPClientConfiguration(caFile: server.file("ca.pem")),
                HTTPClientConfiguration(caFile: nil, caPEM: pem),
                HTTPClientConfiguration(trust: .systemAnd(pem: pem)),
                HTTPClientConfiguration(caFile: nil, insecureTLS: true),
            ] {
                let response = try await HTTPClient(configuration).send(HTTPRequest(url: server.url))
                #expect(response.status == 200)
            }
            for configuration in [
                HTTPClientConfiguration(), HTTPClientConfiguration(caFile: server.file("other.pem")),
                HTTPClientConfiguration(caFile: "/no/such/file"),
                HTTPClientConfiguration(caFile: nil, caPEM: [1, 2, 3]),
                HTTPClientConfiguration(caFile: nil, caPEM: []),
            ] {
                let error = await #expect(throws: HTTPClientError.self) {
                    _ = try await HTTPClient(configuration).send(HTTPRequest(url: server.url))
                }
                #expect(error?.code == .tls)
                #expect(error?.isTransient == false)
            }
        }
    }

    @Test("an authority's file that is replaced counts from the next connection on")
    func replacedAuthority() async throws {
        try await withTLSServer { server in
            let path = server.file("rotating.pem")
            try FileManager.default.copyItem(atPath: server.file("other.pem"), toPath: path)
            let client = HTTPClient(HTTPClientConfiguration(caFile: path))
            let error = await #expect(throws: HTTPClientError.self) {
                _ = try await client.send(HTTPRequest(url: server.url))
            }
            #expect(error?.code == .tls)
            try Data(contentsOf: URL(filePath: server.file("ca.pem"))).write(to: URL(filePath: path))
            #expect(try await client.send(HTTPRequest(url: server.url)).status == 200)
        }
    }

    @Test("refuses a certificate for another name")
    func otherName() async throws {
        try await withTLSServer { server in
            let client = HTTPClient(HTTPClientConfiguration(caFile: server.file("ca.pem")))
            let error = await #expect(throws: HTTPClientError.self) {
                _ = try await client.send(HTTPRequest(url: "https://localhost:\(server.port)/"))
            }
            #expect(error?.code == .tls)
            #expect(error?.message.contains("localhost") == true)
        }
    }

    @Test("shows its own certificate to a server that asks for one")
    func clientCertificate() async throws {
        try await withTLSServer(asksForCertificate: true) { server in
            var configuration = HTTPClientConfiguration(caFile: server.file("ca.pem"))
            let error = await #expect(throws: HTTPClientError.self) {
                _ = try await HTTPClient(configuration).send(HTTPRequest(url: server.url))
            }
            #expect(error != nil)
            configuration.clientCertificateFile = server.file("server.pem")
            configuration.clientKeyFile = server.file("server.key")
            let response = try await HTTPClient(configuration).send(HTTPRequest(url: server.url))
            #expect(response.status == 200)
            configuration.clientKeyFile = server.file("ca.key")
            let mismatch = await #expect(throws: HTTPClientError.self) {
                _ = try await HTTPClient(configuration).send(HTTPRequest(url: server.url))
            }
            #expect(mismatch?.code == .tls)
        }
    }

    @Test("shows its own certificate from memory, with the key in a text of its own or in the same one")
    func clientCertificateInMemory() async throws {
        try await withTLSServer(asksForCertificate: true) { server in
            let certificate = Array(try Data(contentsOf: URL(filePath: server.file("server.pem"))))
            let key = Array(try Data(contentsOf: URL(filePath: server.file("server.key"))))
            var configuration = HTTPClientConfiguration(caFile: server.file("ca.pem"))
            for (shown, itsKey) in [(certificate, key), (certificate + key, nil)] {
                configuration.clientCertificatePEM = shown
                configuration.clientKeyPEM = itsKey
                let response = try await HTTPClient(configuration).send(HTTPRequest(url: server.url))
                #expect(response.status == 200)
            }
            for (shown, itsKey) in [(certificate, [1, 2]), ([1, 2], key), (certificate, nil)] {
                configuration.clientCertificatePEM = shown
                configuration.clientKeyPEM = itsKey
                let error = await #expect(throws: HTTPClientError.self) {
                    _ = try await HTTPClient(configuration).send(HTTPRequest(url: server.url))
                }
                #expect(error?.code == .tls)
            }
        }
    }

    @Test("compares the certificate with the name it was told, and connects to where the URL says")
    func serverName() async throws {
        try await withTLSServer { server in
            var configuration = HTTPClientConfiguration(caFile: server.file("ca.pem"))
            configuration.serverName = "127.0.0.1"
            let request = HTTPRequest(url: "https://localhost:\(server.port)/")
            let response = try await HTTPClient(configuration).send(request)
            #expect(response.status == 200)
            configuration.serverName = "other.example"
            let error = await #expect(throws: HTTPClientError.self) {
                _ = try await HTTPClient(configuration).send(HTTPRequest(url: server.url))
            }
            #expect(error?.code == .tls)
        }
    }

    @Test(
        "leads a connection for another name to the URL's host and port",
        arguments: [
            ("https://10.0.0.1/a?b=https://c", "https://kube:443/a?b=https://c", "::10.0.0.1:443", "10.0.0.1"),
            ("https://[fd00::1]:6443", "https://kube:6443", "::[fd00::1]:6443", "[fd00::1]:6443"),
            ("https://[fd00::1]/", "https://kube:443/", "::[fd00::1]:443", "[fd00::1]"),
            ("https://u:p@h:1/x", "https://u:p@kube:1/x", "::h:1", "h:1"),
        ]
    )
    func target(url: String, shown: String, connection: String, host: String) {
        let target = Target(url, serverName: "kube")
        #expect(target.url == shown && target.connection == connection && target.hostField == host)
        #expect(Target(url, serverName: nil).url == url && Target(url, serverName: nil).connection == nil)
    }

    @Test("goes through the proxy it was given, also to loopback addresses")
    func proxy() async throws {
        try await withRawServer { connection in
            while let request = connection.readRequest() { connection.respond("200 OK", [], request.line) }
        } _: { server in
            let client = HTTPClient(HTTPClientConfiguration(proxy: server.url))
            for url in ["http://no-such-host.invalid/a", "http://127.0.0.1:1/a"] {
                let response = try await client.send(HTTPRequest(url: url))
                #expect(String(decoding: response.body, as: UTF8.self) == "GET \(url) HTTP/1.1")
            }
        }
    }

    @Test("says that a server doesn't speak TLS")
    func plainServer() async throws {
        try await withRawServer { connection in
            connection.write("HTTP/1.1 400 Bad Request\r\n\r\n")
        } _: { server in
            let error = await #expect(throws: HTTPClientError.self) {
                _ = try await HTTPClient().send(HTTPRequest(url: "https://127.0.0.1:\(server.port)/"))
            }
            #expect(error?.code == .tls)
            #expect(error?.message.contains("check that the server speaks TLS") == true)
        }
    }
}

/// A running `openssl s_server` and the files it was made with.
private struct TLSServer {
    var directory: String
    var port: UInt16
    var url: String { "https://127.0.0.1:\(port)/" }
    func file(_ name: String) -> String { "\(directory)/\(name)" }
}

private func withTLSServer(asksForCertificate: Bool = false, _ body: (TLSServer) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory.path + "/remora-tls-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer {
        // Only clutter would stay behind.
        try? FileManager.default.removeItem(atPath: directory)
    }
    func make(_ name: String, _ extra: [String]) async throws {
        let status = try await openssl(
            directory,
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
                + ["-keyout", "\(name).key", "-out", "\(name).pem", "-subj", "/CN=\(name)"] + extra
        )
        try #require(status == 0)
    }
    try await make("ca", [])
    try await make("other", [])
    try await make("server", ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1"])
    // A port that was free a moment ago: the system doesn't hand it out again so soon.
    let probe = try RawServer { _ in }
    probe.stop()
    let server = TLSServer(directory: directory, port: probe.port)
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/openssl")
    process.currentDirectoryURL = URL(filePath: directory)
    process.arguments =
        [
            "s_server", "-accept", "127.0.0.1:\(server.port)", "-cert", "server.pem", "-key", "server.key", "-www",
            "-quiet",
        ]
        + (asksForCertificate ? ["-Verify", "1", "-CAfile", "ca.pem", "-verify_return_error"] : [])
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    defer { process.terminate() }
    try await waitUntilListening(server)
    try await body(server)
}

private func waitUntilListening(_ server: TLSServer) async throws {
    let client = HTTPClient(HTTPClientConfiguration(caFile: nil, insecureTLS: true))
    let begun = ContinuousClock.now
    while true {
        do {
            _ = try await client.send(HTTPRequest(url: server.url))
            return
        } catch let error as HTTPClientError where error.code == .cannotConnect {
            try #require(ContinuousClock.now - begun < .seconds(20), "openssl s_server doesn't listen")
            try await Task.sleep(for: .milliseconds(5))
        } catch is HTTPClientError {
            // It listens, and wants a certificate.
            return
        }
    }
}

private func openssl(_ directory: String, _ arguments: [String]) async throws -> Int32 {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/openssl")
    process.currentDirectoryURL = URL(filePath: directory)
    process.arguments = arguments
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    return try await withCheckedThrowingContinuation { continuation in
        process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
        do { try process.run() } catch { continuation.resume(throwing: error) }
    }
}
