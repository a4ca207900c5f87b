import BackupModel
import Testing

@testable import Coordinator

@Suite struct CronScheduleTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var schedule: String
        var zone: String?
        var after: String
        var next: [String]

        init(_ schedule: String, _ zone: String? = nil, after: String, next: String...) {
            self.schedule = schedule
            self.zone = zone
            self.after = after
            self.next = next
        }

        var testDescription: String { "\(schedule) in \(zone ?? "UTC") after \(after)" }
    }

    @Test(
        "a schedule fires at the next wall-clock time that its fields allow",
        arguments: [
            Case("0 * * * *", after: "2026-08-22T10:00:00Z", next: "2026-08-22T11:00:00Z", "2026-08-22T12:00:00Z"),
            Case("0 * * * *", after: "2026-08-22T09:59:59.999Z", next: "2026-08-22T10:00:00Z"),
            Case("*/15 * * * *", after: "2026-08-22T10:01:00Z", next: "2026-08-22T10:15:00Z", "2026-08-22T10:30:00Z"),
            Case("5/20 3 * * *", after: "2026-08-22T10:00:00Z", next: "2026-08-23T03:05:00Z", "2026-08-23T03:25:00Z"),
            Case("0 1,13 * * *", after: "2026-08-22T10:00:00Z", next: "2026-08-22T13:00:00Z", "2026-08-23T01:00:00Z"),
            Case("30 22 31 12 *", after: "2026-08-22T10:00:00Z", next: "2026-12-31T22:30:00Z", "2027-12-31T22:30:00Z"),
            Case("0 0 29 2 *", after: "2026-08-22T10:00:00Z", next: "2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"),
            Case("0 0 29 feb *", after: "2097-01-01T00:00:00Z", next: "2104-02-29T00:00:00Z"),
            Case("0 9-17/4 * * mon-fri", after: "2026-08-22T10:00:00Z", next: "2026-08-24T09:00:00Z"),
            Case("0 0 * * 7", after: "2026-08-22T10:00:00Z", next: "2026-08-23T00:00:00Z"),
            Case("0 0 * * SUN", after: "2026-08-22T10:00:00Z", next: "2026-08-23T00:00:00Z"),
            Case("0 0 * * 5-7", after: "2026-08-20T10:00:00Z", next: "2026-08-21T00:00:00Z", "2026-08-22T00:00:00Z"),
            // Both day fields are restricted: either is enough.
            Case("0 0 13 * fri", after: "2026-08-01T00:00:00Z", next: "2026-08-07T00:00:00Z", "2026-08-13T00:00:00Z"),
            // `*/n` counts as unrestricted: both must match.
            Case("0 0 */2 * mon", after: "2026-08-01T00:00:00Z", next: "2026-08-03T00:00:00Z", "2026-08-17T00:00:00Z"),
            Case("@hourly", after: "2026-08-22T10:00:00Z", next: "2026-08-22T11:00:00Z"),
            Case("@daily", after: "2026-08-22T10:00:00Z", next: "2026-08-23T00:00:00Z"),
            Case("@midnight", after: "2026-08-22T10:00:00Z", next: "2026-08-23T00:00:00Z"),
            Case("@weekly", after: "2026-08-22T10:00:00Z", next: "2026-08-23T00:00:00Z"),
            Case("@monthly", after: "2026-08-22T10:00:00Z", next: "2026-09-01T00:00:00Z"),
            Case("@yearly", after: "2026-08-22T10:00:00Z", next: "2027-01-01T00:00:00Z"),
            Case("@annually", after: "2026-08-22T10:00:00Z", next: "2027-01-01T00:00:00Z"),
            Case("@every 6h", after: "2026-08-22T10:00:00Z", next: "2026-08-22T12:00:00Z", "2026-08-22T18:00:00Z"),
            Case("@every 90m", after: "2026-08-22T00:00:00Z", next: "2026-08-22T01:30:00Z"),
            Case(
                "0 3 * * *",
                "Asia/Kolkata",
                after: "2026-08-22T10:00:00Z",
                next: "2026-08-22T21:30:00Z",
                "2026-08-23T21:30:00Z"
            ),
            // Clocks go forward on 29 March 2026 at 02:00 to 03:00: half past two fires when they jump.
            Case(
                "30 2 * * *",
                "Europe/Berlin",
                after: "2026-03-28T02:00:00Z",
                next: "2026-03-29T01:00:00Z",
                "2026-03-30T00:30:00Z"
            ),
            Case(
                "*/30 * * * *",
                "Europe/Berlin",
                after: "2026-03-29T00:30:00Z",
                next: "2026-03-29T01:00:00Z",
                "2026-03-29T01:30:00Z"
            ),
            // Clocks go back on 25 October 2026 at 03:00 to 02:00: half past two fires once, the hourly one twice.
            Case(
                "30 2 * * *",
                "Europe/Berlin",
                after: "2026-10-24T12:00:00Z",
                next: "2026-10-25T00:30:00Z",
                "2026-10-26T01:30:00Z"
            ),
            Case(
                "30 * * * *",
                "Europe/Berlin",
                after: "2026-10-25T00:00:00Z",
                next: "2026-10-25T00:30:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:30:00Z"
            ),
            // Midnight itself is skipped here on 6 September 2026.
            Case(
                "0 0 * * *",
                "America/Santiago",
                after: "2026-09-05T12:00:00Z",
                next: "2026-09-06T04:00:00Z",
                "2026-09-07T03:00:00Z"
            ),
        ]
    )
    func next(_ item: Case) throws {
        let schedule = try CronSchedule(item.schedule, timeZone: item.zone)
        var moment = try #require(Timestamp(item.after))
        for expected in item.next {
            let next = try #require(schedule.next(after: moment))
            #expect(next.description == expected)
            moment = next
        }
    }

    @Test(
        "what is no schedule is refused with what is allowed",
        arguments: [
            ("", "has 0 fields"), ("* * * *", "has 4 fields"),
            ("60 * * * *", "'60' is not a minute; allowed are 0 to 59"),
            ("* 24 * * *", "is not a hour"), ("* * 0 * *", "is not a day of month"), ("* * * foo *", "names like jan"),
            ("* * * * 8", "is not a day of week"), ("5-1 * * * *", "is not a minute"),
            ("*/0 * * * *", "is not a minute"),
            ("1,,2 * * * *", "is not a minute"), ("-1 * * * *", "is not a minute"),
            ("@fortnightly", "allowed macros are"),
            ("@every 5", "@every needs a duration"), ("@every 10s", "@every needs a duration"),
            ("0 0 30 2 *", "never happens"), ("0 0 31 4,6 *", "never happens"),
        ]
    )
    func refuses(text: String, part: String) {
        let error = #expect(throws: CronSchedule.ParseError.self) { try CronSchedule(text) }
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
    }

    @Test("an unknown time zone is refused by name")
    func refusesZone() {
        let error = #expect(throws: CronSchedule.ParseError.self) {
            try CronSchedule("@daily", timeZone: "Europe/Atlantis")
        }
        #expect(error?.description.contains("'Europe/Atlantis' is not a time zone") == true)
    }
}

@Suite struct SchedulerTests {
    private func entry(last: String?, deadline: Int? = nil) throws -> Scheduler.Entry {
        var spec = BackupConfigurationSpec(
            schedule: "0 * * * *",
            repository: ResourceReference(name: "main"),
            target: TargetReference(name: "orders")
        )
        spec.startingDeadlineSeconds = deadline
        return Scheduler.Entry(
            configuration: BackupConfiguration(metadata: ResourceMetadata(name: "hourly"), spec: spec),
            lastHandled: try last.map { try #require(Timestamp($0)) }
        )
    }

    private func decide(last: String?, now: String, deadline: Int? = nil) throws -> Scheduler.Decision {
        Scheduler.decide(
            try entry(last: last, deadline: deadline),
            schedule: try CronSchedule("0 * * * *"),
            now: try #require(Timestamp(now))
        )
    }

    @Test("a schedule that is seen for the first time has missed nothing")
    func first() throws {
        let now = try #require(Timestamp("2026-08-22T10:30:00Z"))
        #expect(try decide(last: nil, now: "2026-08-22T10:30:00Z") == .adopt(now: now))
    }

    @Test("a run fires at its time and not before")
    func fires() throws {
        let eleven = try #require(Timestamp("2026-08-22T11:00:00Z"))
        #expect(try decide(last: "2026-08-22T10:00:00Z", now: "2026-08-22T10:59:59Z") == .wait(until: eleven))
        #expect(
            try decide(last: "2026-08-22T10:00:00Z", now: "2026-08-22T11:00:00Z")
                == .fire(scheduled: eleven, skipped: 0)
        )
    }

    @Test("of several missed runs the newest is caught up")
    func catchUp() throws {
        let twelve = try #require(Timestamp("2026-08-22T12:00:00Z"))
        #expect(
            try decide(last: "2026-08-22T09:00:00Z", now: "2026-08-22T12:30:00Z")
                == .fire(scheduled: twelve, skipped: 2)
        )
    }

    @Test("a run that was missed for too long is left out")
    func tooLate() throws {
        let twelve = try #require(Timestamp("2026-08-22T12:00:00Z"))
        #expect(
            try decide(last: "2026-08-22T11:00:00Z", now: "2026-08-22T12:30:00Z", deadline: 600)
                == .missed(scheduled: twelve, count: 1)
        )
        #expect(
            try decide(last: "2026-08-22T11:00:00Z", now: "2026-08-22T12:00:01Z", deadline: 0)
                == .fire(scheduled: twelve, skipped: 0)
        )
    }

    @Test("jitter makes a run late, always equally late, and changes neither its name nor its deadline")
    func jitter() throws {
        var late = try entry(last: "2026-08-22T10:00:00Z", deadline: 60)
        late.configuration.spec.jitterSeconds = 600
        let milliseconds = Scheduler.jitterMilliseconds(of: late.configuration)
        #expect((1..<600_000).contains(milliseconds))
        let schedule = try CronSchedule("0 * * * *")
        let eleven = try #require(Timestamp("2026-08-22T11:00:00Z"))
        let due = eleven.adding(milliseconds: milliseconds)
        let before = due.adding(milliseconds: -1)
        #expect(Scheduler.decide(late, schedule: schedule, now: before) == .wait(until: due))
        #expect(Scheduler.decide(late, schedule: schedule, now: due) == .fire(scheduled: eleven, skipped: 0))
        let tooLate = due.adding(seconds: 61)
        #expect(Scheduler.decide(late, schedule: schedule, now: tooLate) == .missed(scheduled: eleven, count: 1))
        late.lastHandled = eleven
        #expect(
            Scheduler.decide(late, schedule: schedule, now: due) == .wait(until: due.adding(seconds: 3600))
        )
    }

    @Test("jitter spreads configurations, whose names differ by one letter, over its whole length")
    func jitterSpreads() {
        var thirds: [Int64: Int] = [:]
        for number in 0..<300 {
            var spec = BackupConfigurationSpec(
                repository: ResourceReference(name: "main"),
                target: TargetReference(name: "orders")
            )
            spec.jitterSeconds = 300
            let name = ResourceMetadata(name: "orders-\(number)")
            let late = Scheduler.jitterMilliseconds(of: BackupConfiguration(metadata: name, spec: spec))
            thirds[late / 100_000, default: 0] += 1
        }
        #expect(thirds.keys.sorted() == [0, 1, 2] && thirds.values.allSatisfy { $0 > 60 }, "\(thirds)")
    }

    @Test("a session's name says its minute")
    func names() throws {
        let moment = try #require(Timestamp("2026-08-22T12:00:00Z"))
        #expect(Scheduler.sessionName(configuration: "hourly", scheduled: moment) == "hourly-29790000")
    }
}
