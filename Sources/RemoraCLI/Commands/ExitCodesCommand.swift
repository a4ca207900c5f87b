import ArgumentParser

/// `remora exit-codes`.
struct ExitCodesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exit-codes",
        abstract: "What the exit codes mean.",
        discussion: ExitStatus.all.map { "\($0.code)  \($0.name): \($0.meaning)" }.joined(separator: "\n")
    )

    @Flag(help: "As docs/reference/exit-codes.md has it.")
    var markdown = false

    @OptionGroup var output: OutputOptions

    /// `-o json`.
    struct Answer: Codable, Sendable, Hashable {
        var code: Int32
        var name: String
        var meaning: String
        var advice: String
    }

    func run() throws {
        if markdown {
            Surroundings.current.console.write(ExitStatus.markdown)
            return
        }
        let answers = ExitStatus.all.map {
            Answer(code: $0.code, name: $0.name, meaning: $0.meaning, advice: $0.advice)
        }
        try output.show(answers) {
            var table = Table([.number("CODE"), .text("NAME"), .text("MEANING")])
            for status in ExitStatus.all {
                table.add("\("\(status.code)", .bold)", "\(status.name)", "\(status.meaning)")
                table.add("", "", "\("-> \(status.advice)", .dim)")
            }
            var page = Page()
            page.add(table)
            return page
        }
    }
}
