import Foundation
import Testing

@testable import ObjectStorage

@Suite("storage locations")
struct LocationTests {
    private typealias S3 = StorageLocation.S3Location

    @Test(
        "reads the forms of directories",
        arguments: [
            ("/var/backups", "/var/backups"), ("./x", "./x"), ("x/y", "x/y"), ("./od:d", "./od:d"), ("/a:b", "/a:b"),
            ("file:///var/back%20ups", "/var/back ups"), ("local:/var/x", "/var/x"), ("local:x", "x"),
        ]
    )
    func directories(_ text: String, _ path: String) throws {
        #expect(try StorageLocation(text).kind == .directory(path: path))
    }

    @Test("reads the forms of S3")
    func s3() throws {
        for (text, expected) in [
            ("s3:https://h:9000/b-1/p/q", S3(endpoint: "https://h:9000", bucket: "b-1", prefix: "p/q")),
            ("s3:http://127.0.0.1:9000/bkt", S3(endpoint: "http://127.0.0.1:9000", bucket: "bkt")),
            ("s3:s3.amazonaws.com/bkt/p/", S3(endpoint: "https://s3.amazonaws.com", bucket: "bkt", prefix: "p")),
            ("s3:Minio.Example/bkt//p", S3(endpoint: "https://minio.example", bucket: "bkt", prefix: "p")),
            ("s3://bkt/p/q", S3(bucket: "bkt", prefix: "p/q")),
            ("s3://my.dotted.bucket", S3(bucket: "my.dotted.bucket")),
            ("s3://host:9000/bkt/p", S3(endpoint: "https://host:9000", bucket: "bkt", prefix: "p")),
            ("s3://s3.eu-west-1.amazonaws.com/bkt", S3(endpoint: "https://s3.eu-west-1.amazonaws.com", bucket: "bkt")),
            (
                "s3:http://h/bkt/p?region=eu&addressing=virtual-host&insecure-tls=true",
                S3(endpoint: "http://h", bucket: "bkt", prefix: "p", region: "eu", pathStyle: false, insecureTLS: true)
            ),
            ("s3://bkt?retry-seconds=7", S3(bucket: "bkt", retrySeconds: 7)),
            (
                "s3://bkt?endpoint=https://h:1&addressing=path",
                S3(endpoint: "https://h:1", bucket: "bkt", pathStyle: true)
            ),
        ] {
            #expect(try StorageLocation(text).kind == .s3(expected), "\(text)")
        }
    }

    @Test("a location's own time to try again takes the place of the number of tries; a caller in a hurry stays in one")
    func retryPolicy() {
        let patient = S3(bucket: "bkt", retrySeconds: 3600).retryPolicy(within: nil)
        #expect(patient.totalTime == .seconds(3600) && patient.attempts == .max)
        let hurried = S3(bucket: "bkt", retrySeconds: 3600).retryPolicy(within: RetryPolicy(totalTime: .seconds(10)))
        #expect(hurried.totalTime == .seconds(10) && hurried.attempts == RetryPolicy().attempts)
        let short = S3(bucket: "bkt", retrySeconds: 5).retryPolicy(within: RetryPolicy(totalTime: .seconds(10)))
        #expect(short.totalTime == .seconds(5))
        #expect(S3(bucket: "bkt").retryPolicy(within: nil).attempts == RetryPolicy().attempts)
    }

    @Test(
        "refuses what makes no sense, in one sentence",
        arguments: [
            "", "s3:", "s3://", "s3:https://", "s3:https://host", "s3:https://host/", "s3:host", "s3://b",
            "s3:https://h/b",
            "s3:https://h/bucket?colour=red", "s3:https://h/bucket?addressing=maybe",
            "s3:https://h/bucket?retry-seconds=0", "s3:https://h/bucket?retry-seconds=soon", "s3:https://h/bucket/../x",
            "s3:https://h/buck et", "s3:https://h:x y/bucket", "gs:bucket:/", "azure:x:/", "sftp:host:/x",
            "rest:https://h/",
            "https://h/bucket", "ftp://h/x", "file://host/x", "file:x", "file:///%zz", "local:", "line\nbreak", "c:x",
            "file:///a%1eb", "s3://bucket?endpoint=http://h:1x", "s3:https://h:99999/bucket", "s3:https://[::1/bucket",
        ]
    )
    func refused(_ text: String) {
        let error = #expect(throws: ObjectStorageError.self) { _ = try StorageLocation(text) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains("\n") == false)
        #expect((error?.message.count ?? 0) > 30)
    }

    @Test("a directory whose name looks like a scheme is written so that it is read as one")
    func directoryWithColon() throws {
        let location = try StorageLocation("local:c:x")
        #expect(location.kind == .directory(path: "c:x") && location.description == "local:c:x")
    }

    @Test("doesn't repeat a password that somebody wrote into the URL")
    func passwordInURL() {
        for text in ["s3:https://AK:hunter2@h/bucket", "s3://AK:hunter2@bucket/x", "rest:https://u:hunter2@h/"] {
            let error = #expect(throws: ObjectStorageError.self) { _ = try StorageLocation(text) }
            #expect(error?.message.contains("hunter2") == false)
        }
    }

    @Test("chooses region, endpoint and addressing")
    func configuration() throws {
        let keys = ["AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK"]
        func made(_ text: String, _ extra: [String: String] = [:]) throws -> S3Configuration {
            guard case .s3(let s3) = try StorageLocation(text).kind else { throw XMLError(reason: "not S3", offset: 0) }
            return try s3.configuration(StorageCredentials(keys.merging(extra) { $1 }), location: text)
        }
        var made1 = try made("s3://bkt/p")
        #expect(
            made1.endpoint == "https://s3.us-east-1.amazonaws.com" && made1.region == "us-east-1" && !made1.pathStyle
        )
        made1 = try made("s3://bkt/p", ["AWS_DEFAULT_REGION": "eu-west-3", "AWS_SESSION_TOKEN": "tok"])
        #expect(made1.endpoint == "https://s3.eu-west-3.amazonaws.com" && made1.sessionToken == "tok")
        made1 = try made("s3:s3.amazonaws.com/dotted.bucket", ["AWS_REGION": "eu-west-3"])
        #expect(made1.endpoint == "https://s3.eu-west-3.amazonaws.com" && made1.pathStyle)
        made1 = try made("s3:https://s3.ap-south-1.amazonaws.com/bkt", ["AWS_REGION": "eu-west-3"])
        #expect(made1.region == "ap-south-1" && !made1.pathStyle)
        made1 = try made("s3:http://minio:9000/bkt/p")
        #expect(made1.region == "us-east-1" && made1.pathStyle && made1.prefix == "p")
        for (host, region) in [
            ("s3-eu-west-1.amazonaws.com", "eu-west-1"), ("s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1"),
            ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1"), ("s3.amazonaws.com", nil), ("minio.example", nil),
        ] as [(String, String?)] {
            #expect(StorageLocation.S3Location.region(ofEndpoint: "https://\(host):443") == region)
        }
    }

    @Test("names the credentials that are missing")
    func missingCredentials() throws {
        let location = try StorageLocation("s3:http://127.0.0.1:1/bucket")
        let error = #expect(throws: ObjectStorageError.self) {
            _ = try location.open(
                credentials: StorageCredentials(["AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": " \n"])
            )
        }
        #expect(error?.message.contains("AWS_SECRET_ACCESS_KEY missing") == true)
        #expect(error?.message.contains("AWS_ACCESS_KEY_ID") == false)
    }

    @Test("trusts what is given before what is around")
    func trust() async throws {
        let pem = "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----"
        try await withTemporaryDirectory { path in
            let file = path + "/ca.pem"
            try pem.write(toFile: file, atomically: true, encoding: .utf8)
            func trust(_ values: [String: String]) throws -> StorageTrust {
                try StorageCredentials(values).trust(for: "x")
            }
            if case .pem(let bytes) = try trust(["CA_CERT_DATA": pem, "AWS_CA_BUNDLE": "/dev/null"]) {
                #expect(bytes == Array(pem.utf8))
            } else {
                Issue.record("CA_CERT_DATA doesn't win")
            }
            if case .pem = try trust(["CA_CERT_FILE": file, "AWS_CA_BUNDLE": file]) {
            } else {
                Issue.record("file doesn't win")
            }
            if case .systemAnd = try trust(["AWS_CA_BUNDLE": file]) {} else { Issue.record("the bundle isn't added") }
            for bundle in ["/etc/ssl/certs/ca-certificates.crt", "/no/such/file", "/dev/null", path] {
                if case .system = try trust(["AWS_CA_BUNDLE": bundle]) {} else { Issue.record("\(bundle) does harm") }
            }
            for values in [
                ["CA_CERT_DATA": "nonsense"], ["CA_CERT_FILE": "/no/such/file"], ["CA_CERT_FILE": "/dev/null"],
            ] {
                #expect(throws: ObjectStorageError.self) { _ = try trust(values) }
            }
        }
    }

    @Test("never shows secrets, however it is printed")
    func redaction() {
        let credentials = StorageCredentials(["AWS_SECRET_ACCESS_KEY": "hunter2", "RESTIC_PASSWORD": "hunter2"])
        let configuration = S3Configuration(
            endpoint: "https://h",
            bucket: "b",
            accessKeyID: "AK",
            secretAccessKey: "hunter2",
            sessionToken: "hunter2"
        )
        for value in [credentials, configuration] as [Any] {
            var dumped = ""
            dump(value, to: &dumped)
            for text in ["\(value)", String(reflecting: value), dumped] { #expect(!text.contains("hunter2")) }
        }
    }

    @Test("makes locations below others")
    func appending() throws {
        #expect(try "\(StorageLocation("/a/").appending("b/c"))" == "/a/b/c")
        #expect(try "\(StorageLocation("s3:http://h/bkt").appending("b/c"))" == "s3:http://h/bkt/b/c")
        #expect(try "\(StorageLocation("s3://bkt/p").appending("x"))" == "s3://bkt/p/x")
    }
}
