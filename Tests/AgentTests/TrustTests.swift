import Foundation
import TestSupport
import Testing

@testable import Agent

@Suite("Authorities that an agent says to trust")
struct TrustTests {
    /// A certificate, and what `openssl x509 -fingerprint -sha256` says of it.
    private func make(_ name: String, _ directory: TestDirectory) async throws -> (pem: String, fingerprint: String) {
        let path = directory.appending("\(name).crt")
        let openssl = try Tools.openssl()
        try await Command(
            openssl,
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(name)"]
                + ["-days", "1", "-keyout", directory.appending("\(name).key"), "-out", path]
        ).run()
        let said = try await Command(openssl, ["x509", "-in", path, "-noout", "-fingerprint", "-sha256"]).run().text
        let digits = said.split(separator: "=").last?.filter(\.isHexDigit).lowercased() ?? ""
        return (try String(contentsOfFile: path, encoding: .utf8), digits)
    }

    @Test("are the certificates of the file, as they are now")
    func fingerprints() async throws {
        try await withTestDirectory("trust") { directory in
            let (one, two) = (try await make("one", directory), try await make("two", directory))
            let file = directory.appending("ca.crt")
            try directory.write(one.pem, to: "ca.crt")
            #expect(TrustedAuthorities.fingerprints(of: file) == [one.fingerprint])
            try directory.write("# the new one\r\n" + two.pem.replacing("\n", with: "\r\n") + one.pem, to: "ca.crt")
            #expect(TrustedAuthorities.fingerprints(of: file) == [two.fingerprint, one.fingerprint])
            #expect(TrustedAuthorities.fingerprints(of: nil) == nil)
            #expect(TrustedAuthorities.fingerprints(of: directory.appending("missing")) == [])
            #expect(TrustedAuthorities.fingerprints(pem: "-----BEGIN CERTIFICATE-----\nno base64!\n") == [])
            let many = String(repeating: one.pem, count: 50)
            #expect(TrustedAuthorities.fingerprints(pem: many).count == 16)
        }
    }
}
