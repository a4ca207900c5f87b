import BackupModel
import Glibc

/// A recipe with everything filled in: exactly what is run.
struct ResolvedCommand: Sendable {
    /// The program's path.
    let path: String
    /// Arguments without the program's name.
    let arguments: [String]
    /// The whole environment.
    let environment: [String: String]

    /// Fills in what the agent knows.
    ///
    /// What the coordinator has checked is checked again: it is this process that would show a password.
    ///
    /// - Throws: `JobFailure` with code `badConfiguration`.
    init(_ recipe: CommandRecipe, _ configuration: CommandConfiguration) throws(JobFailure) {
        let refuse = { (reason: String) in CommandFailure.configuration(recipe.function, reason) }
        func value(_ variable: CommandVariable) throws(JobFailure) -> String {
            switch variable {
            case .host: return configuration.endpoint.host
            case .port: return "\(configuration.endpoint.port)"
            case .username:
                guard let name = configuration.username else {
                    throw refuse("it uses ${USERNAME}, and the agent has no user name; give it --username-file")
                }
                return name
            case .password:
                guard let password = configuration.password else {
                    throw refuse("it uses ${PASSWORD}, and the agent has no password; give it --password-file")
                }
                return password.value
            case .parameter(let name):
                guard let value = recipe.parameters[name] else { throw refuse("parameter '\(name)' has no value") }
                return value
            }
        }
        func fill(_ text: String, mayHoldPassword: Bool) throws(JobFailure) -> String {
            do {
                let template = try CommandTemplate(text)
                guard mayHoldPassword || !template.variables.contains(.password) else {
                    throw refuse("${PASSWORD} is in an argument, where every process of the host can see it")
                }
                let filled = try template.filled(value)
                guard !filled.utf8.contains(0) else { throw refuse("'\(text)' becomes a text with a NUL in it") }
                // A value must not become an option of the program's.
                if !mayHoldPassword, case .variable(let variable)? = template.parts.first, filled.hasPrefix("-") {
                    throw refuse("the value of ${\(variable)} begins with '-', which would make it an option")
                }
                return filled
            } catch let failure as JobFailure {
                throw failure
            } catch {
                throw refuse("'\(text)' \(error)")
            }
        }
        path = try Self.find(recipe, in: configuration.programsDirectory)
        var arguments: [String] = []
        for text in recipe.arguments { arguments.append(try fill(text, mayHoldPassword: false)) }
        self.arguments = arguments
        // No home and no settings of anybody: a program reads nothing that its function doesn't name.
        var environment = ["PATH": configuration.programsDirectory, "HOME": "/nonexistent", "LANG": "C.UTF-8"]
        for variable in recipe.environment {
            environment[variable.name] = try fill(variable.value, mayHoldPassword: true)
        }
        self.environment = environment
    }

    private static func find(_ recipe: CommandRecipe, in directory: String) throws(JobFailure) -> String {
        let name = recipe.program
        guard !name.isEmpty, !name.hasPrefix("."), !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0) else {
            throw CommandFailure.configuration(recipe.function, "'\(name)' is not the bare name of a program")
        }
        let path = "\(directory)/\(name)"
        guard isProgram(path) else {
            let names = programs(in: directory)
            let known =
                names.isEmpty
                ? "there is none"
                : "there are: \(names.prefix(20).joined(separator: ", "))\(names.count > 20 ? ", …" : "")"
            throw CommandFailure.configuration(
                recipe.function,
                "there is no program '\(name)' in \(directory) of the agent; \(known)"
            )
        }
        return path
    }

    /// What may be run.
    static func programs(in directory: String) -> [String] {
        guard let handle = opendir(directory) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix("."), isProgram("\(directory)/\(name)") { names.append(name) }
        }
        return names.sorted()
    }

    private static func isProgram(_ path: String) -> Bool {
        var information = stat()
        return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }
}
