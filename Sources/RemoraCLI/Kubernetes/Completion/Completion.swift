import Kubernetes

/// What may come next on a command line, as cobra's programs tell it to shells: kubectl asks its plugins this way.
struct Completion: Sendable, Hashable {
    /// `word`, or `word<TAB>what it is`.
    var candidates: [String] = []
    /// Whether the shell may offer names of files when there are no candidates.
    var offersFiles = false

    /// cobra's `ShellCompDirectiveNoFileComp`.
    private static let noFiles = 4

    /// Lines of candidates, and the directive for the shell.
    var text: String { candidates.map { $0 + "\n" }.joined() + ":\(offersFiles ? 0 : Self.noFiles)\n" }

    /// Completes the last of `words`, which may be empty; `tool` is what the argument parser tells of the program.
    static func make(_ words: [String], tool: JSONTree) -> Completion {
        guard let typed = words.last else { return Completion() }
        var command = tool["command"] ?? .null
        var pending: JSONTree?
        for word in words.dropLast() {
            if pending != nil {
                pending = nil
            } else if word.hasPrefix("-") {
                pending = option(word, of: command).flatMap { $0["kind"]?.string == "option" ? $0 : nil }
            } else if let next = subcommands(of: command).first(where: { $0["commandName"]?.string == word }) {
                command = next
            }
        }
        if let pending { return values(of: pending, typed) }
        if typed.hasPrefix("-") { return options(of: command, typed) }
        let below = subcommands(of: command).filter { $0["shouldDisplay"]?.bool ?? true }
        if !below.isEmpty {
            return Completion(
                candidates: candidates(below.map { ($0["commandName"]?.string ?? "", $0["abstract"]?.string) }, typed)
            )
        }
        let place = (command["arguments"]?.array ?? []).first { $0["kind"]?.string == "positional" }
        return place.map { values(of: $0, typed) } ?? Completion()
    }

    private static func subcommands(of command: JSONTree) -> [JSONTree] { command["subcommands"]?.array ?? [] }

    private static func names(_ argument: JSONTree) -> [String] {
        (argument["names"]?.array ?? []).compactMap { name in
            guard let text = name["name"]?.string else { return nil }
            return name["kind"]?.string == "long" ? "--\(text)" : "-\(text)"
        }
    }

    private static func option(_ word: String, of command: JSONTree) -> JSONTree? {
        (command["arguments"]?.array ?? []).first { names($0).contains(word) }
    }

    private static func options(of command: JSONTree, _ typed: String) -> Completion {
        let shown = (command["arguments"]?.array ?? []).filter {
            $0["kind"]?.string != "positional" && $0["shouldDisplay"]?.bool ?? true
        }
        let all = shown.compactMap { argument -> (String, String?)? in
            let names = names(argument)
            guard let name = names.first(where: { $0.hasPrefix("--") }) ?? names.first else { return nil }
            return (name, argument["abstract"]?.string)
        }
        return Completion(candidates: candidates(all, typed))
    }

    private static func values(of argument: JSONTree, _ typed: String) -> Completion {
        let values = (argument["allValueStrings"]?.array ?? argument["allValues"]?.array ?? []).compactMap(\.string)
        let word = argument["valueName"]?.string ?? ""
        let isFile = word.hasSuffix("file") || word.hasSuffix("files") || word == "kubeconfig"
        return Completion(candidates: candidates(values.map { ($0, nil) }, typed), offersFiles: isFile)
    }

    private static func candidates(_ all: [(String, String?)], _ typed: String) -> [String] {
        all.filter { $0.0.hasPrefix(typed) && !$0.0.isEmpty }.map { name, about in
            // One line a candidate, whatever the help says.
            guard let line = about?.split(whereSeparator: \.isNewline).first else { return name }
            return "\(name)\t\(line)"
        }
    }
}
