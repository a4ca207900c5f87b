import BackupModel
import Kubernetes

/// What is collected for a report, and the archive made of it: the only way to the archive is through the redactor.
struct ReportBundle: Sendable {
    private var files: [(name: String, content: Content)] = []

    private enum Content {
        case tree(JSONTree)
        case text(String)
    }

    /// What could not be collected, one sentence each.
    private(set) var gaps: [String] = []

    /// Objects, as one file.
    mutating func add(_ name: String, _ trees: [JSONTree]) { files.append((name, .tree(.array(trees)))) }

    /// An object.
    mutating func add(_ name: String, _ tree: JSONTree) { files.append((name, .tree(tree))) }

    /// A text, such as a log.
    mutating func add(_ name: String, text: String) { files.append((name, .text(text))) }

    /// What was fetched, or why there is none.
    mutating func add<Value>(_ name: String, _ fetched: Fetched<Value>, _ put: (inout ReportBundle, Value) -> Void) {
        switch fetched {
        case .found(let value): put(&self, value)
        case .missing: gaps.append("\(name): it is not there")
        case .denied(let reason), .failed(let reason): gaps.append("\(name): \(reason)")
        case .notAsked: break
        }
    }

    /// The archive, without what looks like a secret and without the values in `secrets`; all files lie in `folder`.
    func archive(secrets: some Sequence<String>, folder: String, time: Moment) -> (bytes: [UInt8], names: [String]) {
        let redactor = Redactor(secrets: secrets)
        var archive = TarArchive(unixSeconds: time.unixMs / 1000)
        var names: [String] = []
        var all = files
        if !gaps.isEmpty { all.append(("gaps.txt", .text(gaps.map { $0 + "\n" }.joined()))) }
        for (name, content) in all {
            let bytes: [UInt8] =
                switch content {
                case .tree(let tree): redactor.redact(tree).prettyBytes
                case .text(let text): Array(redactor.redact(text).utf8)
                }
            archive.add("\(folder)/\(name)", bytes)
            names.append(name)
        }
        return (archive.finished(), names)
    }
}

extension JSONTree {
    /// JSON for people: one member a line, sorted by name.
    var prettyBytes: [UInt8] {
        var text = ""
        write(to: &text, indentation: 0)
        text += "\n"
        return Array(text.utf8)
    }

    private func write(to text: inout String, indentation: Int) {
        let inner = String(repeating: "  ", count: indentation + 1)
        let outer = String(repeating: "  ", count: indentation)
        switch self {
        case .array(let elements) where !elements.isEmpty:
            text += "["
            for (index, element) in elements.enumerated() {
                text += (index > 0 ? ",\n" : "\n") + inner
                element.write(to: &text, indentation: indentation + 1)
            }
            text += "\n\(outer)]"
        case .object(let members) where !members.isEmpty:
            text += "{"
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                text += (index > 0 ? ",\n" : "\n") + inner + JSONTree.string(member.key).description + ": "
                member.value.write(to: &text, indentation: indentation + 1)
            }
            text += "\n\(outer)}"
        default: text += description
        }
    }
}
