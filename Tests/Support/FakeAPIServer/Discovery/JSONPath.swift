import Kubernetes

/// The JSON paths of printer columns: `.spec.name`, `.status.conditions[?(@.type=="Ready")].status`, `.a[0]`.
struct JSONPath: Sendable {
    private enum Step: Sendable {
        case member(String)
        case index(Int)
        case all
        case filter([String], String)
    }

    private var steps: [Step] = []

    init?(_ text: String) {
        var rest = text[...]
        guard rest.hasPrefix(".") else { return nil }
        while !rest.isEmpty {
            if rest.hasPrefix("."), !rest.hasPrefix("..") {
                rest = rest.dropFirst()
                let name = rest.prefix { $0 != "." && $0 != "[" }
                guard !name.isEmpty || rest.hasPrefix("[") else { return nil }
                if !name.isEmpty { steps.append(.member(String(name.replacing("\\", with: "")))) }
                rest = rest.dropFirst(name.count)
            } else if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
                let inner = String(rest[rest.index(after: rest.startIndex)..<end])
                rest = rest[rest.index(after: end)...]
                if let index = Int(inner) {
                    steps.append(.index(index))
                } else if inner == "*" {
                    steps.append(.all)
                } else if let match = inner.wholeMatch(of: /\?\(\s*@\.([\w.]+)\s*==\s*["']([^"']*)["']\s*\)/) {
                    steps.append(.filter(match.1.split(separator: ".").map(String.init), String(match.2)))
                } else if let match = inner.wholeMatch(of: /['"](.*)['"]/) {
                    steps.append(.member(String(match.1)))
                } else {
                    return nil
                }
            } else {
                return nil
            }
        }
    }

    func values(in tree: JSONTree) -> [JSONTree] {
        var found = [tree]
        for step in steps {
            found = found.flatMap { value -> [JSONTree] in
                switch step {
                case .member(let name): value[name].map { [$0] } ?? []
                case .index(let index): value[index].map { [$0] } ?? []
                case .all: value.array ?? []
                case .filter(let path, let text): (value.array ?? []).filter { $0.at(path)?.string == text }
                }
            }
        }
        return found
    }
}
