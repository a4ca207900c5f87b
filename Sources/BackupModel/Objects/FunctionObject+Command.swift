// A function of one's own: what it must say, and the recipe that comes of it.
extension FunctionSpec {
    /// What is wrong with it by itself; of a built-in one nothing, because what it says is not used.
    public func problems() -> [FieldProblem] {
        guard let stream else {
            let isOwn = env != nil || file != nil || check != nil || timeOut != nil
            let message = "is missing, and env, file, check and timeOut are for a Function with one"
            return isOwn ? [FieldProblem("stream", message)] : []
        }
        var found = foreign.map {
            FieldProblem($0, "is not for a Function with a stream: agents bring what they run with them")
        }
        if let program = command?.first {
            if let reason = Self.reasonAgainst(program: program) { found.append(FieldProblem("command[0]", reason)) }
        } else {
            found.append(FieldProblem("command", "is missing: a program's name, and its arguments if it has some"))
        }
        for text in texts where text.path != "command[0]" { found += Self.problems(text) }
        for (index, variable) in (env ?? []).enumerated() {
            if let reason = reasonAgainst(variable: variable.name, index) {
                found.append(FieldProblem("env[\(index)].name", reason))
            }
        }
        if let file {
            if let reason = Self.reasonAgainst(file: file) { found.append(FieldProblem("file", reason)) }
        } else {
            found.append(FieldProblem("file", "is missing: the name of the stream in the snapshot, like dump.sql"))
        }
        if let check {
            if stream == .restore { found.append(FieldProblem("check", "is for a stream that is a Backup")) }
            if check.isEmpty || check.utf8.count > Self.longestCheck {
                found.append(FieldProblem("check", "must have 1 to \(Self.longestCheck) bytes"))
            }
        }
        if let timeOut, timeOut.milliseconds < 1000 { found.append(FieldProblem("timeOut", "must be at least 1s")) }
        return found
    }

    /// Names of the task parameters that it uses.
    public var parameters: Set<String> {
        var names: Set<String> = []
        for text in texts {
            // One that makes no sense is told by `problems`, and has no recipe.
            for case .parameter(let name) in (try? CommandTemplate(text.value))?.variables ?? [] { names.insert(name) }
        }
        return names
    }

    /// What agents run; nil for a function that is built in or has problems.
    ///
    /// - Parameters:
    ///   - name: the function's.
    ///   - parameters: a value for each that it uses.
    /// - Returns: the recipe.
    public func recipe(name: String, parameters: [String: String]) -> CommandRecipe? {
        guard let stream, let program = command?.first, let file, problems().isEmpty else { return nil }
        return CommandRecipe(
            function: name,
            stream: stream,
            program: program,
            arguments: Array((command ?? []).dropFirst()) + (args ?? []),
            environment: env ?? [],
            file: file,
            check: check,
            timeOutSeconds: timeOut.map { Int($0.milliseconds / 1000) },
            parameters: parameters
        )
    }

    /// The longest check: it must lie within what is looked at.
    static let longestCheck = 256

    private struct Text {
        var path: String
        var value: String
        var mayHoldPassword: Bool
    }

    /// Every text that may have variables in it.
    private var texts: [Text] {
        func all(_ path: String, _ values: [String]?, mayHoldPassword: Bool = false) -> [Text] {
            (values ?? []).enumerated().map {
                Text(path: "\(path)[\($0.offset)]", value: $0.element, mayHoldPassword: mayHoldPassword)
            }
        }
        let values = (env ?? []).enumerated().map {
            Text(path: "env[\($0.offset)].value", value: $0.element.value, mayHoldPassword: true)
        }
        return all("command", command) + all("args", args) + values
    }

    private static func problems(_ text: Text) -> [FieldProblem] {
        do throws(CommandTemplate.Problem) {
            let template = try CommandTemplate(text.value)
            if !text.mayHoldPassword, template.variables.contains(.password) {
                return [
                    FieldProblem(
                        text.path,
                        "has ${PASSWORD} in it, which every process of the host could see; put it into env"
                    )
                ]
            }
            return text.value.utf8.contains(0) ? [FieldProblem(text.path, "must not hold a NUL")] : []
        } catch {
            return [FieldProblem(text.path, error.description)]
        }
    }

    private static func reasonAgainst(program: String) -> String? {
        isFileName(program)
            ? nil
            : "is '\(program)'; it must be the bare name of a program in the agent's directory of programs: letters, "
                + "digits, '.', '_', '+' and '-', at most 64"
    }

    private static func reasonAgainst(file: String) -> String? {
        if file == "remora.json" { return "is '\(file)', which Remora writes itself; take another name" }
        return isFileName(file)
            ? nil : "is '\(file)'; a file's name has letters, digits, '.', '_', '+' and '-', at most 64"
    }

    private static func isFileName(_ text: String) -> Bool {
        let others = Set("._+-".utf8)
        guard let first = text.utf8.first, text.utf8.count <= 64, first != UInt8(ascii: "."), first != UInt8(ascii: "-")
        else { return false }
        return text.utf8.allSatisfy { byte in
            (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || others.contains(byte)
        }
    }

    private func reasonAgainst(variable name: String, _ index: Int) -> String? {
        guard CommandVariable.isWord(name) else {
            return "is '\(name)'; a variable's name has letters, digits and '_', at most 63"
        }
        // They decide what code the loader brings into a program.
        if name.hasPrefix("LD_") || name.hasPrefix("GLIBC_") {
            return "is '\(name)', which changes how programs are loaded; that is not allowed"
        }
        let isTwice = (env ?? []).prefix(index).contains { $0.name == name }
        return isTwice ? "is '\(name)', which is given twice" : nil
    }
}
