import BackupModel
import Foundation

/// Objects from a directory of YAML files (`*.yaml`, `*.yml`, not below it), for embedded mode.
struct ObjectDirectory: Sendable {
    let path: String

    /// What was found: objects, or what is wrong with them.
    struct Loaded: Sendable {
        var objects: ObjectSet
        /// Empty: the objects may be put in force.
        var problems: [ObjectProblem]
        /// Tells whether anything changed since.
        var fingerprint: [String]
    }

    /// Reads all files.
    ///
    /// Nothing is thrown: what can't be read is a problem.
    func load() -> Loaded {
        var objects = ObjectSet()
        var problems: [ObjectProblem] = []
        var found: [ObjectParser.Found] = []
        for name in fileNames(&problems) {
            let file = "\(path)/\(name)"
            guard let data = FileManager.default.contents(atPath: file) else {
                problems.append(
                    ObjectProblem(file: file, line: nil, path: nil, message: "can't be read; check its permissions")
                )
                continue
            }
            guard let text = String(data: data, encoding: .utf8) else {
                problems.append(ObjectProblem(file: file, line: nil, path: nil, message: "is not UTF-8"))
                continue
            }
            let parsed = ObjectParser.parse(text, file: file)
            found += parsed.found
            problems += parsed.problems
        }
        var places: [ObjectSet.Place: Origin] = [:]
        func add(_ object: ParsedObject, _ origin: Origin) {
            if objects.add(object) {
                places[object.place] = origin
                return
            }
            let place = object.place
            let first = places[place].map {
                "; the first is in \($0.item.file):\(ObjectParser.firstLine(of: $0.item))"
            }
            let name = FieldProblem("metadata.name", "\(place.kind) \(place.key) is given twice\(first ?? "")")
            problems.append(origin.item.problem(origin.isExpanded ? FieldProblem("spec", name.message) : name))
        }
        for item in found { add(item.object, Origin(item: item)) }
        // What is wrong with a pattern is told where it stands, not once more for all that it becomes.
        if problems.isEmpty {
            let expansion = ObjectExpansion(found)
            for (object, origin) in expansion.objects { add(object, origin) }
            problems += expansion.problems
        }
        // A reference into a file that can't be read would only be a second name for the same problem.
        if problems.isEmpty {
            // What a batch's members share is wrong once, not once a member.
            for entry in objects.problems() {
                guard let problem = places[entry.place]?.problem(entry.problem), !problems.contains(problem) else {
                    continue
                }
                problems.append(problem)
            }
        }
        return Loaded(objects: objects, problems: problems, fingerprint: fingerprint())
    }

    /// Names, sizes and times of the files: changes when they do.
    func fingerprint() -> [String] {
        var ignored: [ObjectProblem] = []
        return fileNames(&ignored).map { name in
            var status = stat()
            guard stat("\(path)/\(name)", &status) == 0 else { return "\(name) gone" }
            return "\(name) \(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        }
    }

    private func fileNames(_ problems: inout [ObjectProblem]) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path)
                .filter { !$0.hasPrefix(".") && ($0.hasSuffix(".yaml") || $0.hasSuffix(".yml")) }
                .sorted()
        } catch {
            problems.append(
                ObjectProblem(
                    file: path,
                    line: nil,
                    path: nil,
                    message: "can't be listed; --objects needs a directory of YAML files that can be read"
                )
            )
            return []
        }
    }
}
