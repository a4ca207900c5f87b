import BackupModel
import Testing

@Suite struct TimestampTests {
    @Test("at the ends of time a moment stays there: numbers from elsewhere don't end the process")
    func ends() {
        let now = Timestamp(unixMs: 1000)
        #expect(now.adding(milliseconds: .max).unixMs == .max)
        #expect(now.adding(seconds: .max).unixMs == .max)
        #expect(now.adding(seconds: .min).unixMs == .min + 1000)
        #expect(Timestamp(unixMs: .max).milliseconds(since: Timestamp(unixMs: -1)) == .max)
        #expect(Timestamp(unixMs: .min).milliseconds(since: now) == .min)
        #expect(now.adding(seconds: 2).milliseconds(since: now) == 2000)
    }

    @Test(
        "a timestamp reads RFC 3339 and writes it in UTC",
        arguments: [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
            ("2026-08-22T10:00:00.25Z", 1_787_392_800_250, "2026-08-22T10:00:00.250Z"),
            ("2026-08-22T12:00:00+02:00", 1_787_392_800_000, "2026-08-22T10:00:00Z"),
            ("2024-02-29T23:59:59Z", 1_709_251_199_000, "2024-02-29T23:59:59Z"),
            ("1969-12-31T23:59:59.999Z", -1, "1969-12-31T23:59:59.999Z"),
        ] as [(String, Int64, String)]
    )
    func readsAndWrites(text: String, milliseconds: Int64, canonical: String) {
        #expect(Timestamp(text)?.unixMs == milliseconds)
        #expect(Timestamp(unixMs: milliseconds).description == canonical)
    }

    @Test(
        "what isn't RFC 3339 is no timestamp",
        arguments: ["", "2026-08-22", "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z", "2026-08-22T10:00:00", "x"]
    )
    func refuses(text: String) {
        #expect(Timestamp(text) == nil)
    }
}

@Suite struct GoDurationTests {
    @Test(
        "a duration reads Go's form",
        arguments: [
            ("90s", 90_000, "1m30s"), ("1h30m", 5_400_000, "1h30m"), ("1.5h", 5_400_000, "1h30m"),
            ("250ms", 250, "250ms"), ("0", 0, "0s"), ("2m3s4ms", 123_004, "2m3s4ms"),
        ] as [(String, Int64, String)]
    )
    func reads(text: String, milliseconds: Int64, canonical: String) {
        #expect(GoDuration(text)?.milliseconds == milliseconds)
        #expect(GoDuration(milliseconds: milliseconds).description == canonical)
    }

    @Test(
        "what isn't Go's form is no duration",
        arguments: ["", "5", "1d", "h", "-1h", "1h 5m", "1..5h", "99999999999h"]
    )
    func refuses(text: String) {
        #expect(GoDuration(text) == nil)
    }
}

@Suite struct ObjectTests {
    static func configuration() -> BackupConfiguration {
        BackupConfiguration(
            metadata: ResourceMetadata(name: "orders-hourly", namespace: "shop"),
            spec: BackupConfigurationSpec(
                schedule: "0 * * * *",
                repository: ResourceReference(name: "main"),
                target: TargetReference(name: "orders")
            )
        )
    }

    @Test("objects survive JSON and good ones have no problems")
    func roundTrip() throws {
        let object = Self.configuration()
        #expect(object.problems().isEmpty)
        let bytes = try WireJSON.encode(object)
        #expect(try WireJSON.decode(BackupConfiguration.self, from: bytes) == object)
    }

    @Test("a bad name is named with its field")
    func badName() {
        var object = Self.configuration()
        object.metadata.name = "Orders"
        #expect(object.problems().map(\.path) == ["metadata.name"])
        object.metadata.name = String(repeating: "a", count: 53)
        #expect(object.problems().first?.message == "has 53 bytes, more than the 52 allowed")
    }

    @Test(
        "a task's parameters are read, and a wrong one is named with what is allowed",
        arguments: [
            ("consistency", "locked", "lock, snapshot, oplog, none"),
            ("parallelism", "65", "from 0"),
            ("lockBudgetSeconds", "0", "from 1 to 86400"),
            ("speed", "1", "allowed: consistency, lockBudgetSeconds"),
        ]
    )
    func badParameter(name: String, value: String, allowed: String) throws {
        var object = Self.configuration()
        object.spec.task = TaskReference(name: "mongodb-backup", params: [.init(name: name, value: value)])
        let problem = try #require(object.problems().first)
        #expect(problem.path.hasPrefix("spec.task.params[0]"))
        #expect(problem.message.contains(allowed))
    }

    @Test("a task name with Stash's version behind it is the same task")
    func stashTaskName() throws {
        let task = TaskReference(
            name: "mongodb-backup-4.2.3",
            params: [.init(name: "consistency", value: "oplog"), .init(name: "include", value: "a.*, b.c")]
        )
        let parameters = try BackupParameters(task)
        #expect(parameters.spec.consistency == .oplog)
        #expect(parameters.spec.selection.include == ["a.*", "b.c"])
    }

    @Test("the place of a back end is a URL in restic's form")
    func backendURL() {
        let local = StorageBackend(local: .init(mountPath: "/backups/", subPath: "/a/b/"), storageSecretName: "s")
        #expect(local.url == "/backups/a/b")
        #expect(local.url(below: "shop/orders/rs0") == "/backups/a/b/shop/orders/rs0")
        let s3 = StorageBackend(
            s3: .init(endpoint: "https://127.0.0.1:8333/", bucket: "b", prefix: "p/"),
            storageSecretName: "s"
        )
        #expect(s3.url == "s3:https://127.0.0.1:8333/b/p")
        let amazon = StorageBackend(s3: .init(bucket: "b", region: "eu-central-1"), storageSecretName: "s")
        #expect(amazon.url == "s3:https://s3.eu-central-1.amazonaws.com/b?region=eu-central-1")
        let hasty = StorageBackend(s3: .init(bucket: "b", retrySeconds: 30), storageSecretName: "s")
        #expect(hasty.url == "s3:https://s3.us-east-1.amazonaws.com/b?retry-seconds=30")
        #expect(amazon.url(below: "x/y") == "s3:https://s3.eu-central-1.amazonaws.com/b/x/y?region=eu-central-1")
    }

    @Test("a back end is a directory or a bucket, never both, never neither")
    func oneBackend() {
        var spec = RepositorySpec(backend: StorageBackend(storageSecretName: "s"))
        #expect(spec.problems().map(\.path) == ["backend.local"])
        spec.backend.local = .init(mountPath: "relative/../x")
        #expect(spec.problems().map(\.path) == ["backend.local.mountPath", "backend.local.mountPath"])
        spec.backend = StorageBackend(s3: .init(bucket: "b", retrySeconds: 0), storageSecretName: "s")
        #expect(spec.problems().map(\.path) == ["backend.s3.retrySeconds"])
    }

    @Test("users and roles can't come back with a part of the data only")
    func usersNeedEverything() {
        var spec = RestoreSessionSpec(target: "orders")
        spec.include = ["shop.*"]
        #expect(spec.problems().isEmpty)
        spec.usersAndRoles = true
        #expect(spec.problems().map(\.path) == ["usersAndRoles"])
    }

    @Test("the time of a condition's last transition changes with its status only")
    func conditionTransition() {
        var conditions: [Condition] = []
        conditions.set("Ready", .no, reason: "A", message: "a", now: Timestamp(unixMs: 1))
        conditions.set("Ready", .no, reason: "B", message: "b", now: Timestamp(unixMs: 2))
        #expect(conditions[type: "Ready"]?.lastTransitionTime == Timestamp(unixMs: 1))
        #expect(conditions[type: "Ready"]?.reason == "B")
        conditions.set("Ready", .yes, reason: "C", message: "c", now: Timestamp(unixMs: 3))
        #expect(conditions[type: "Ready"]?.lastTransitionTime == Timestamp(unixMs: 3))
    }

    @Test("a value that nobody looks into comes back as it was")
    func opaque() throws {
        let text = #"{"a":[1,2.5,"x",true,null],"b":{"c":"d"}}"#
        let value = try WireJSON.decode(OpaqueValue.self, from: Array(text.utf8))
        #expect(String(decoding: try WireJSON.encode(value), as: UTF8.self) == text)
    }
}
