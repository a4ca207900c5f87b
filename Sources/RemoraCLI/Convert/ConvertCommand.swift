import ArgumentParser
import Foundation
import Yams

/// `remora convert`.
struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Turn Stash's YAML into Remora's.",
        discussion: """
            Writes Remora's objects to standard output, and to standard error a line for everything that could not be \
            carried over, with the line it stood in. Secrets stay as they are: Remora uses the same keys.

            Ends with 7 when nothing could be made of an object that is needed.
            """
    )

    @Argument(help: "Files with Stash's objects (kubectl get … -o yaml, too); - is standard input.")
    var files: [String]

    func validate() throws {
        if files.filter({ $0 == "-" }).count > 1 { throw ValidationError("standard input (-) can be given only once") }
    }

    func run() throws {
        let console = Surroundings.current.console
        var objects: [Node] = []
        var lost = 0
        // All files are read before anything is written: half an output is worse than none.
        let converted = try files.map { file in
            let name = file == "-" ? "standard input" : file
            var converter = StashConverter()
            do {
                try converter.convert(try Self.read(file))
            } catch let problem as StashConverter.SyntaxProblem {
                throw CommandFailure(.usage, "\(name): \(problem)", hint: "nothing was converted; mend the file")
            }
            return (name, converter)
        }
        for (name, converter) in converted {
            objects += converter.objects
            lost += converter.lost
            for remark in converter.remarks { console.note("\(name): \("\(remark)")") }
        }
        if !objects.isEmpty {
            console.write(try objects.map { try Yams.serialize(node: $0) }.joined(separator: "---\n"))
        }
        if lost > 0 {
            throw CommandFailure(
                .refused,
                "\(lost) of \(lost + objects.count) objects could not be converted",
                hint: "the lines above say why, and what to do instead"
            )
        }
    }

    private static func read(_ file: String) throws -> String {
        let bytes: Data
        do {
            bytes =
                try file == "-"
                ? FileHandle.standardInput.readToEnd() ?? Data() : Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            throw CommandFailure(.notFound, "\(file) can't be read: \(error.localizedDescription)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure(.usage, "\(file) is not UTF-8 text", hint: "nothing was converted")
        }
        return text
    }
}
