import BackupModel
import Testing

@testable import RemoraCLI

@Suite("Progress")
struct ProgressTests {
    @Test("a rate is that of the last ten seconds, and unknown before there is a second of it")
    func rate() {
        var meter = RateMeter()
        meter.add(0, at: .zero)
        #expect(meter.perSecond == nil)
        // Nothing is slow before its first byte.
        meter.add(0, at: .seconds(60))
        meter.add(100, at: .seconds(61))
        #expect(meter.perSecond == 100)
        for second in 62...100 { meter.add(Int64(second - 61) * 1000 + 100, at: .seconds(second)) }
        #expect(meter.perSecond == 1000)
        // A new attempt begins anew.
        meter.add(5, at: .seconds(101))
        #expect(meter.perSecond == nil)
    }

    @Test("a row has bar, percent, bytes, rate, time left and step")
    func row() {
        var meters: [String: RateMeter] = [:]
        var session = Samples.session(.running)
        _ = SessionText.rows(session, &meters, at: .zero)
        session.hosts[0].progress?.bytesDone = 1 << 30
        session.hosts[0].lock = LockReport(host: "127.0.0.1:27017", isHeld: true, heldMs: 5000)
        let row = SessionText.rows(session, &meters, at: .seconds(2))[0]
        #expect(
            row.bar(nameWidth: 8, isUnicode: false).plain
                == "  mongo-1   ##########----------  50 %  1.0 GiB of 2.0 GiB  256 MiB/s  ETA 4 s  dump shop.orders  locked 5.0 s"
        )
        #expect(row.sentence.plain.hasPrefix("mongo-1 50 % 1.0 GiB of 2.0 GiB"))
    }

    @Test("an attempt that was replaced is not shown")
    func attempts() {
        var session = Samples.session(.running)
        session.hosts[0].phase = .lost
        var second = session.hosts[0]
        second.attempt = 2
        second.pod = "mongo-2"
        second.phase = .running
        session.hosts.append(second)
        var meters: [String: RateMeter] = [:]
        #expect(SessionText.rows(session, &meters, at: .zero).map(\.name) == ["mongo-2"])
    }

    @Test("without a terminal there is a line at a change of phase and one every 30 seconds")
    func quietLines() {
        let screen = Screen()
        let display = ProgressDisplay(screen.console(), clock: .fixed, mode: .lines)
        for second in 0...65 {
            let phase = second < 20 ? "Pending" : "Running"
            display.update("backup", phase: phase, rows: [], at: .seconds(second))
        }
        let lines = screen.error.split(separator: "\n")
        #expect(lines == ["12:00:00 backup", "12:00:00 backup", "12:00:00 backup"])
        #expect(screen.output.isEmpty)
    }

    @Test("on a terminal the bars are drawn over, lines go above them, and in the end nothing of them is left")
    func bars() {
        let screen = Screen()
        let display = ProgressDisplay(screen.console(isTerminal: true, width: 20), clock: .fixed, mode: .bars)
        display.update("a title that is longer than this", phase: "", rows: [], at: .zero)
        display.say("said")
        display.finish()
        #expect(
            screen.error
                == "a title that is lo…\n" + "\u{1b}[1F\u{1b}[J" + "said\na title that is lo…\n" + "\u{1b}[1F\u{1b}[J"
        )
    }

    @Test("who asks for JSON without a terminal sees no progress at all")
    func silence() {
        let screen = Screen()
        let surroundings = Surroundings(console: screen.console(), clock: .fixed, environment: [:])
        #expect(ProgressDisplay.suitable(surroundings, isJSON: true).mode == .silent)
        #expect(ProgressDisplay.suitable(surroundings, isJSON: false).mode == .lines)
    }
}
