import BackupModel
import Testing

@Suite("Variables in a function's texts")
struct CommandTemplateTests {
    private func fill(_ text: String) throws -> String {
        try CommandTemplate(text).filled { "<\($0)>" }
    }

    @Test(
        "variables are filled in, everything else stays as it is",
        arguments: [
            ("--host=${HOST}", "--host=<HOST>"), ("${USERNAME}:${PASSWORD}@${PORT}", "<USERNAME>:<PASSWORD>@<PORT>"),
            ("${PARAM_database}", "<PARAM_database>"), ("a $ and $HOST and $$ {}", "a $ and $HOST and $$ {}"),
            ("$${HOST}", "$<HOST>"), ("", ""), ("grün", "grün"),
        ]
    )
    func fills(text: String, expected: String) throws {
        #expect(try fill(text) == expected)
    }

    @Test(
        "what is no variable is refused with the names that there are",
        arguments: ["${HOSTNAME}", "${PARAM_}", "${PARAM_a-b}", "${}", "${PARAM_1a}", "${host}", "x${HOST:=a}"]
    )
    func unknown(text: String) throws {
        let problem = try #require(throws: CommandTemplate.Problem.self) { try CommandTemplate(text) }
        #expect(problem.description.contains("which does not exist; there are: HOST, PORT, USERNAME, PASSWORD"))
    }

    @Test("a brace that is not closed is refused")
    func open() throws {
        let problem = try #require(throws: CommandTemplate.Problem.self) { try CommandTemplate("--host=${HOST") }
        #expect(problem.description == "has '${' without '}' behind it")
    }
}
