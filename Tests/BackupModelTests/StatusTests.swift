import BackupModel
import Testing

@Suite struct StatusTests {
    static let begin = Timestamp(unixSeconds: 1_787_392_800)

    static func host() -> HostView {
        var host = HostView(
            pod: "orders-1",
            host: "orders-1:27017",
            group: "rs0",
            jobID: "j1",
            attempt: 2,
            fence: 7,
            phase: .running,
            startTime: begin
        )
        host.role = .secondary
        host.logBytes = 512
        host.progress = JobProgress(step: "dump shop.orders", bytesDone: 250, bytesTotal: 1000, bytesUploaded: 90)
        return host
    }

    @Test("an attempt becomes a host's entry with whole percents and the time that the rest takes")
    func host() throws {
        let host = SessionHost(Self.host(), podUID: "u", node: "n1", now: Self.begin.adding(seconds: 60))
        #expect(host.pod == "orders-1" && host.podUID == "u" && host.node == "n1" && host.fence == 7)
        let progress = try #require(host.progress)
        #expect(progress.percent == 25 && progress.etaSeconds == 180 && progress.step == "dump shop.orders")
        #expect(progress.updateTime == Self.begin.adding(seconds: 60))
        #expect(host.log == SessionLog(bytes: 512))
        #expect(host.error == nil && host.completionTime == nil)
    }

    @Test("an attempt that is over has no time left, and says why it failed")
    func failedHost() throws {
        var view = Self.host()
        view.phase = .failed
        view.endTime = Self.begin.adding(seconds: 30)
        view.failure = JobFailure(code: "storageUnavailable", message: "no route", isRetryable: true)
        let host = SessionHost(view, now: Self.begin.adding(seconds: 90), isArchived: true)
        #expect(host.progress?.etaSeconds == nil && host.progress?.updateTime == view.endTime)
        #expect(host.error?.code == "storageUnavailable" && host.error?.retryable == true)
        #expect(host.log?.archived == true)
    }

    @Test(
        "progress of several jobs adds up; the slowest decides the end, and an unknown total leaves the percents open"
    )
    func sum() {
        var first = SessionProgress(bytesDone: 100)
        first.bytesTotal = 200
        first.etaSeconds = 10
        var second = SessionProgress(bytesDone: 50)
        second.bytesTotal = 300
        second.etaSeconds = 40
        #expect(SessionProgress.sum([first, second])?.percent == 30)
        #expect(SessionProgress.sum([first, second])?.etaSeconds == 40)
        second.bytesTotal = nil
        #expect(SessionProgress.sum([first, second])?.percent == nil)
        #expect(SessionProgress.sum([first, second])?.bytesDone == 150)
        #expect(SessionProgress.sum([]) == nil)
    }

    @Test(
        "bytes are written with at most four digits and Kubernetes' units",
        arguments: [
            (0, "0"), (1023, "1023"), (1024, "1Ki"), (1536, "1.5Ki"), (1_048_575, "1Mi"), (81_234_567_890, "75.7Gi"),
            (-5, "0"), (.max, "8Ei"),
        ] as [(Int64, String)]
    )
    func bytes(count: Int64, text: String) {
        #expect(ByteCount.text(count) == text)
    }

    @Test("statuses survive JSON")
    func roundTrip() throws {
        var status = SessionStatus(phase: .running, startTime: Self.begin)
        status.conditions.set(
            "Succeeded",
            .unknown,
            reason: "Running",
            message: "under way",
            now: Self.begin,
            observedGeneration: 3
        )
        status.hosts = [SessionHost(Self.host(), now: Self.begin)]
        status.snapshot = SessionSnapshot(session: "s", namespace: "shop")
        status.snapshot?.cut = ClusterTime(t: .max, i: 1)
        let bytes = try WireJSON.encode(status)
        #expect(try WireJSON.decode(SessionStatus.self, from: bytes) == status)
    }

    @Test("sessions' names have room for a configuration's or target's name and what is put behind it")
    func names() {
        let long = String(repeating: "n", count: ResourceName.maximumBytes)
        let backup = BackupSession(
            metadata: ResourceMetadata(name: "\(long)-29790000"),
            spec: BackupSessionSpec(configuration: long)
        )
        let restore = RestoreSession(
            metadata: ResourceMetadata(name: "\(long)-restore-1787392800-99"),
            spec: RestoreSessionSpec(target: long)
        )
        #expect(backup.problems().isEmpty && restore.problems().isEmpty)
        let tooLong = BackupSession(
            metadata: ResourceMetadata(name: String(repeating: "n", count: 81)),
            spec: BackupSessionSpec(configuration: long)
        )
        #expect(tooLong.problems().map(\.path) == ["metadata.name"])
    }
}
