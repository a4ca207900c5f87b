import Foundation
import TestSupport
import Testing

@testable import Coordinator

@Suite("Certificates that we make")
struct AuthorityTests {
    /// What openssl, who is not us, says.
    private func openssl(_ arguments: [String], in directory: TestDirectory) async throws -> (
        isGood: Bool, text: String
    ) {
        let output = try await Command(try Tools.openssl(), arguments, directory: directory.path).output()
        return (output.status.succeeded, output.text + output.errorText)
    }

    @Test("openssl verifies them for each of their names, and for no other")
    func verified() async throws {
        try await withTestDirectory("authority") { directory in
            let now = Int64(Date().timeIntervalSince1970)
            let authority = try Authority.make(now: now)
            let served = try authority.issue(
                ["remora-webhook.remora-system.svc", "localhost", "127.0.0.1", "::1"],
                now: now
            )
            try directory.write(authority.certificate, to: "ca.pem")
            try directory.write(served.chain, to: "leaf.pem")
            let verify = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem"]
            for name in ["remora-webhook.remora-system.svc", "localhost"] {
                let answer = try await openssl(verify + ["-verify_hostname", name, "leaf.pem"], in: directory)
                #expect(answer.isGood, "\(answer.text)")
            }
            for address in ["127.0.0.1", "::1"] {
                let answer = try await openssl(verify + ["-verify_ip", address, "leaf.pem"], in: directory)
                #expect(answer.isGood, "\(answer.text)")
            }
            #expect(
                try await !openssl(verify + ["-verify_hostname", "evil.example", "leaf.pem"], in: directory).isGood
            )
        }
    }

    @Test(
        "an authority is a P-384 key for a year that may sign certificates; a certificate of ours is good for a week and may not"
    )
    func shape() async throws {
        try await withTestDirectory("authority") { directory in
            let now: Int64 = 1_800_000_000
            let authority = try Authority.make(now: now)
            let served = try authority.issue(["a.example"], now: now)
            try directory.write(authority.certificate, to: "ca.pem")
            try directory.write(served.chain, to: "leaf.pem")
            let ca = try await openssl(["x509", "-in", "ca.pem", "-noout", "-text"], in: directory).text
            for part in ["NIST CURVE: P-384", "ecdsa-with-SHA384", "CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign"] {
                #expect(ca.contains(part), "\(part) in \(ca)")
            }
            let leaf = try await openssl(["x509", "-in", "leaf.pem", "-noout", "-text"], in: directory).text
            for part in ["CA:FALSE", "TLS Web Server Authentication", "DNS:a.example", "Digital Signature"] {
                #expect(leaf.contains(part), "\(part) in \(leaf)")
            }
            #expect(authority.notAfter - now == 365 * 86_400)
            #expect(served.notAfter - now == 7 * 86_400)
            let print = try await openssl(
                ["x509", "-in", "ca.pem", "-noout", "-fingerprint", "-sha256"],
                in: directory
            ).text
            #expect(print.replacing(":", with: "").lowercased().contains(authority.fingerprint))
        }
    }

    @Test("what an authority signs doesn't outlive it")
    func endsTogether() throws {
        let authority = try Authority.make(now: 0)
        #expect(try authority.issue(["a"], now: authority.notAfter - 3600).notAfter == authority.notAfter)
    }

    @Test(
        "a name that would mean something to libcrypto is refused",
        arguments: ["a,DNS:b", "a b", "", "dirName:x", "a\n", "é"]
    )
    func badNames(name: String) throws {
        let authority = try Authority.make(now: 0)
        #expect(throws: CertificateError.self) { try authority.issue([name], now: 0) }
    }

    @Test("a damaged or foreign part of an authority is noticed")
    func damaged() throws {
        let good = try Authority.make(now: 0)
        let other = try Authority.make(now: 0)
        #expect(good.reasonAgainst(now: 1000) == nil)
        #expect(good.reasonAgainst(now: good.notAfter) == "it has expired")
        var changed = good
        changed.key = other.key
        #expect(changed.reasonAgainst(now: 0) == "its key belongs to another certificate")
        changed = good
        changed.certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        #expect(changed.reasonAgainst(now: 0)?.hasPrefix("can't read a certificate") == true)
        changed = good
        (changed.certificate, changed.key) = (other.certificate, other.key)
        #expect(changed.reasonAgainst(now: 0) == "its certificate was exchanged")
        changed = good
        changed.notAfter += 1
        #expect(changed.reasonAgainst(now: 0) == "its times were changed")
    }
}
