import BackupModel
import Testing

@testable import RemoraCLI

@Suite("Text for people")
struct TextTests {
    @Test(
        "bytes have three digits and a unit",
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_048_575, "1.0 MiB"), (241_172_480, "230 MiB"),
            (104_810_000, "100 MiB"), (5_368_709_120, "5.0 GiB"), (Int64.max, "8.0 EiB"), (-5, "-5 B"),
        ]
    )
    func bytes(_ count: Int64, _ expected: String) { #expect(Format.bytes(count) == expected) }

    @Test("counts are grouped", arguments: [(0, "0"), (999, "999"), (1_234_567, "1,234,567"), (-1000, "-1,000")])
    func counts(_ value: Int64, _ expected: String) { #expect(Format.count(value) == expected) }

    @Test(
        "durations have two units at most",
        arguments: [
            (0, "0 s"), (59, "59 s"), (60, "1 min"), (65, "1 min 5 s"), (7380, "2 h 3 min"), (273_600, "3 d 4 h"),
            (-1, "0 s"),
        ]
    )
    func durations(_ seconds: Int64, _ expected: String) { #expect(Format.duration(seconds: seconds) == expected) }

    @Test(
        "ages look both ways",
        arguments: [
            (0, "now"), (30, "30 s ago"), (3599, "59 min ago"), (90_000, "25 h ago"), (200_000, "2 d ago"),
            (-600, "in 10 min"),
        ]
    )
    func ages(_ seconds: Int64, _ expected: String) { #expect(Format.age(seconds: seconds) == expected) }

    @Test("a percentage is 100 only when it is all")
    func percents() {
        #expect(Format.percent(99.99) == "99 %")
        #expect(Format.percent(100) == "100 %")
    }

    @Test("times are local and name their zone")
    func times() {
        #expect(Clock.fixed.timeAndAge(Samples.moment("09:30:00")) == "2026-08-22 11:30:00 CEST (30 min ago)")
        #expect(Clock.fixed.time(Moment(unixMs: 1_787_356_800_000 - 3_600_000)).hasSuffix(" CEST"))
        #expect(Clock.fixed.preciseTimeOfDay(Moment(unixMs: Samples.moment("09:30:00").unixMs + 7)) == "11:30:00.007")
    }

    @Test(
        "control characters and changes of the reading order are shown, not obeyed",
        arguments: [
            ("plain ä 日", "plain ä 日"), ("\u{1b}[2J", "\\u{1b}[2J"), ("a\nb\r", "a\\nb\\r"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}txt", "\\u{202e}txt"), ("a\u{7}", "a\\u{7}"), ("a\tb", "a b"),
        ]
    )
    func escaping(_ text: String, _ expected: String) { #expect(Printable.escape(text) == expected) }

    @Test("whatever is interpolated into a line is escaped, and only styles of ours reach the terminal")
    func styledText() {
        let hostile = "\u{1b}]0;owned\u{7}"
        let line: StyledText = "pod \(hostile, .bad)!"
        #expect(line.plain == "pod \\u{1b}]0;owned\\u{7}!")
        #expect(line.rendered(colours: false) == line.plain)
        #expect(line.rendered(colours: true) == "pod \u{1b}[1;31m\\u{1b}]0;owned\\u{7}\u{1b}[0m!")
    }

    @Test("text is cut by columns, not by characters")
    func truncation() {
        let line: StyledText = "\("日本語", .bold) abc"
        #expect(line.width == 10)
        #expect(line.truncated(to: 10) == line)
        #expect(line.truncated(to: 6).plain == "日本…")
        #expect(line.truncated(to: 9).plain == "日本語 a…")
    }

    @Test("columns of a table stand under each other, empty ones are left out, no line ends with spaces")
    func table() {
        var table = Table([.text("NAME"), .number("SIZE"), .text("EMPTY"), .text("NOTE")], indentation: 1)
        table.add("日本", "5", "", "x")
        table.add("longer", "1,000", "", "")
        #expect(
            table.lines().map(\.plain) == [
                " NAME     SIZE  NOTE",
                " 日本        5  x",
                " longer  1,000",
            ]
        )
    }

    @Test("only lists are cut at the terminal's edge")
    func pageWidth() {
        var page = Page()
        page.add("a sentence that must be read to its end")
        var table = Table([.text("A")])
        table.add("a cell that is too long")
        page.add(table, isCut: true)
        let text = page.rendered(colours: false, width: 10)
        #expect(text == "a sentence that must be read to its end\nA\na cell th…\n")
    }

    @Test(
        "commands are said as they are typed where kubectl calls us",
        arguments: [
            ("remora describe x, remora cancel x", "kubectl remora describe x, kubectl remora cancel x"),
            ("see `remora doctor`", "see `kubectl remora doctor`"), ("kubectl logs -n remora-system", nil),
            ("zz-remora injector", nil), ("remora", nil), ("Remora is", nil),
        ] as [(String, String?)]
    )
    func programName(_ text: String, _ expected: String?) {
        #expect(ProgramName.spoken(text, as: "kubectl remora") == expected ?? text)
        #expect(ProgramName.spoken(text, as: "remora") == text)
    }
}
