import ArgumentParser
import Kubernetes
import Testing

@testable import RemoraCLI

@Suite("Completion for kubectl")
struct CompletionTests {
    private func complete(_ words: String...) throws -> Completion {
        Completion.make(words, tool: try JSONTree(parsing: Array(RemoraCommand._dumpHelp().utf8)))
    }

    @Test("commands are completed, also those below others, and hidden ones are not")
    func commands() throws {
        let all = try complete("").candidates.map { String($0.prefix { $0 != "\t" }) }
        #expect(all.contains("doctor") && all.contains("enroll") && !all.contains("__complete"))
        #expect(try complete("agents", "up").candidates.map { $0.prefix(8) } == ["upgrade\t"])
        #expect(try complete("nothing-like-it").candidates.isEmpty)
    }

    @Test("options and their values are completed, an option's value being no command")
    func options() throws {
        #expect(try complete("status", "--out").candidates.map { $0.prefix(9) } == ["--output\t"])
        #expect(try complete("status", "-o", "").candidates == ["text", "json"])
        #expect(try complete("-n", "doctor", "status", "-o", "j").candidates == ["json"])
        #expect(try complete("status", "--kubeconfig", "").offersFiles)
        #expect(try !complete("status", "--context", "").offersFiles)
    }

    @Test("the answer is as kubectl reads it: candidates, then the directive; options of the line are none of ours")
    func command() async {
        let screen = Screen()
        #expect(await screen.run(["__complete", "exit-codes", "-o", "t"]) == .succeeded)
        #expect(screen.output == "text\n:4\n")
        let help = Screen()
        #expect(await help.run(["__complete", "status", "--help"]) == .succeeded)
        #expect(help.output.hasSuffix(":4\n"))
    }
}
