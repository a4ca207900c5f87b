import Foundation
import TestSupport
import Testing

@testable import ObjectStorage

/// What the S3 back end does with a real server, beyond the common contract.
@Suite("S3 on a real server")
struct S3ServerTests {
    @Test("lists page after page")
    func pages() async throws {
        let store = try S3Store(try await RealS3.configuration())
        let keys = (0..<1203).map { "data/\($0 % 7)/\($0)" }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, key) in keys.enumerated() {
                if index >= 16 { try await group.next() }
                group.addTask { try await store.put(key, [UInt8(index & 0xFF)]) }
            }
            try await group.waitForAll()
        }
        let listed = try await store.list(prefix: "data/")
        #expect(listed.count == keys.count)
        #expect(Set(listed) == Set(keys.map { ObjectInfo(key: $0, size: 1) }))
        #expect(try await store.list(prefix: "data/3/").count == keys.count { $0.hasPrefix("data/3/") })
    }

    @Test("writes an object in parts only if it is absent, and leaves no parts behind")
    func multipart() async throws {
        var configuration = try await RealS3.configuration()
        configuration.partConcurrency = 2
        let store = try S3Store(configuration)
        let bytes = pseudoRandomBytes(23 << 20)
        try await store.put("big", bytes, options: PutOptions(ifAbsent: true))
        #expect(try await store.get("big") == bytes)
        let error = await #expect(throws: ObjectStorageError.self) {
            try await store.put("big", pseudoRandomBytes(9 << 20), options: PutOptions(ifAbsent: true))
        }
        #expect(error?.code == .alreadyExists)
        #expect(try await store.stat("big").size == bytes.count)
        try await store.put("big", pseudoRandomBytes(9 << 20, seed: 3))
        #expect(try await store.get("big") == pseudoRandomBytes(9 << 20, seed: 3))
    }

    @Test("has the store refuse bytes that aren't those of the given SHA-256")
    func wrongHash() async throws {
        let store = try S3Store(try await RealS3.configuration())
        let error = await #expect(throws: ObjectStorageError.self) {
            try await store.put("key", [1, 2, 3], options: PutOptions(sha256: [UInt8](repeating: 9, count: 32)))
        }
        #expect(error?.code == .corrupt)
        #expect(error?.isTransient == true)
        let there = try await store.list(prefix: "")
        #expect(there.isEmpty)
    }

    @Test("says what is wrong with the credentials, and never shows the secret")
    func credentials() async throws {
        let good = try await RealS3.configuration()
        var wrongSecret = good
        wrongSecret.secretAccessKey = "not-the-secret-4711"
        var unknownKey = good
        unknownKey.accessKeyID = "AKNOBODY"
        unknownKey.secretAccessKey = "not-the-secret-4711"
        for (configuration, code, hint) in [
            (wrongSecret, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
            (unknownKey, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        ] {
            let store = try S3Store(configuration)
            for error in [
                await #expect(throws: ObjectStorageError.self) { try await store.put("key", [1]) },
                await #expect(throws: ObjectStorageError.self) { _ = try await store.get("key") },
                await #expect(throws: ObjectStorageError.self) { _ = try await store.list(prefix: "") },
                await #expect(throws: ObjectStorageError.self) { try await store.delete("key") },
            ] {
                #expect(error?.code == .accessDenied)
                #expect(error?.isTransient == false)
                let message = error?.description ?? ""
                #expect(message.contains("403 \(code)") && message.contains(hint) && message.contains(store.location))
                #expect(!message.contains("4711"))
            }
            let head = await #expect(throws: ObjectStorageError.self) { _ = try await store.stat("key") }
            #expect(head?.code == .accessDenied)
        }
    }

    @Test("says that the key may not write")
    func readOnly() async throws {
        var configuration = try await RealS3.configuration()
        try await S3Store(configuration).put("there", [1])
        configuration.accessKeyID = SeaweedFS.readOnlyAccessKeyID
        configuration.secretAccessKey = SeaweedFS.readOnlySecretAccessKey
        let store = try S3Store(configuration)
        #expect(try await store.get("there") == [1])
        let error = await #expect(throws: ObjectStorageError.self) { try await store.put("key", [1]) }
        #expect(error?.code == .accessDenied)
        #expect(error?.message.contains("cannot write object 'key' in \(store.location)") == true)
        let other = await #expect(throws: ObjectStorageError.self) { try await store.delete("there") }
        #expect(other?.code == .accessDenied)
    }

    @Test("says that the bucket isn't there")
    func noBucket() async throws {
        var configuration = try await RealS3.configuration()
        configuration.bucket = "no-such-bucket"
        let store = try S3Store(configuration)
        for error in [
            await #expect(throws: ObjectStorageError.self) { try await store.put("key", [1]) },
            await #expect(throws: ObjectStorageError.self) { _ = try await store.get("key") },
            await #expect(throws: ObjectStorageError.self) { _ = try await store.list(prefix: "") },
        ] {
            #expect(error?.code == .notFound)
            #expect(error?.message.contains("NoSuchBucket") == true, "\(String(describing: error))")
            #expect(error?.message.contains("no-such-bucket") == true)
        }
    }

    @Test("says that clocks differ")
    func skew() async throws {
        let configuration = try await RealS3.configuration()
        let store = try S3Store(configuration, now: { Int(Date().timeIntervalSince1970) - 3600 })
        let error = await #expect(throws: ObjectStorageError.self) { try await store.put("key", [1]) }
        #expect(error?.code == .accessDenied)
        #expect(error?.message.contains("clock") == true, "\(String(describing: error))")
    }

    @Test("trusts the given authority and no other, and none blindly unless told to")
    func tls() async throws {
        let good = try await RealS3.configuration(tls: true)
        guard case .file(let path) = good.trust else { throw TestSupportError("the fixture gives a file") }
        let pem = Array(try Data(contentsOf: URL(filePath: path)))
        for trust in [StorageTrust.pem(pem), .systemAnd(pem: pem)] {
            var configuration = good
            configuration.trust = trust
            try await S3Store(configuration).put("key", [1])
        }
        var insecure = good
        insecure.trust = .system
        insecure.insecureTLS = true
        try await S3Store(insecure).put("key", [1])

        var system = good
        system.trust = .system
        let untrusted = await #expect(throws: ObjectStorageError.self) { try await S3Store(system).put("key", [1]) }
        #expect(untrusted?.code == .invalidConfiguration)
        #expect(untrusted?.isTransient == false)
        #expect(untrusted?.message.contains("certificate isn't trusted") == true, "\(String(describing: untrusted))")
        for trust in [StorageTrust.file("/no/such/file"), .pem(Array("nonsense".utf8))] {
            var configuration = good
            configuration.trust = trust
            let error = await #expect(throws: ObjectStorageError.self) {
                try await S3Store(configuration).put("k", [1])
            }
            #expect(error?.code == .invalidConfiguration, "\(String(describing: error))")
        }
        var plain = good
        plain.endpoint = plain.endpoint.replacing("https://", with: "http://")
        plain.trust = .system
        let error = await #expect(throws: ObjectStorageError.self) { try await S3Store(plain).put("key", [1]) }
        #expect(error != nil)
    }

    @Test("is opened by location and credentials, and shows what stock restic shows")
    func location() async throws {
        let configuration = try await RealS3.configuration(tls: true)
        guard case .file(let path) = configuration.trust else { throw TestSupportError("the fixture gives a file") }
        let pem = try String(contentsOfFile: path, encoding: .utf8)
        let location = try StorageLocation(
            "s3:\(configuration.endpoint)/\(configuration.bucket)/\(configuration.prefix)"
        )
        let credentials = StorageCredentials([
            "AWS_ACCESS_KEY_ID": configuration.accessKeyID + "\n",
            "AWS_SECRET_ACCESS_KEY": configuration.secretAccessKey + "\n",
            "CA_CERT_DATA": pem, "AWS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt",
        ])
        let store = try location.open(credentials: credentials)
        try await store.put("config", [1, 2])
        #expect(try await S3Store(configuration).get("config") == [1, 2])
        #expect(store.location == "\(location)")
    }
}
