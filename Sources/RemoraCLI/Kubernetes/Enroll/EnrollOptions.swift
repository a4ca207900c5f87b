import ArgumentParser
import Injector

/// The annotations that `remora enroll` sets.
struct EnrollOptions: ParsableArguments {
    @Option(help: "The target (AppBinding) that the pods belong to; if left out: the workload's name.")
    var cluster: String?

    @Option(help: "Which kind of database it is; if left out: as the container's image or command says.")
    var engine: String?

    @Option(help: "The container that runs the database, if there are several.")
    var container: String?

    @Option(help: "Where the agent reaches the database: localhost:PORT.")
    var endpoint: String?

    @Option(help: "Secret with the database user.")
    var credentialsSecret: String?

    @Option(help: ArgumentHelp("Which of its entries: username=ENTRY,password=ENTRY.", valueName: "entries"))
    var credentialsKeys: String?

    @Option(help: "Secret with the authority of the database's certificate, ca.crt.")
    var tlsSecret: String?

    @Option(help: "How far the certificate is checked: disable, require, verify-ca or verify-full.")
    var tlsMode: String?

    @Option(
        help: ArgumentHelp(
            "Any other annotation, without \(Annotation.prefix): memory-limit=1Gi; may be given again.",
            valueName: "name=value"
        )
    )
    var set: [String] = []

    /// Name → value, with the one that asks for an agent.
    func annotations() throws -> [String: String] {
        var result = [Annotation.inject.name: "true"]
        let given: [(Annotation, String?)] = [
            (.cluster, cluster), (.engine, engine), (.container, container), (.endpoint, endpoint),
            (.credentialsSecret, credentialsSecret), (.credentialsKeys, credentialsKeys), (.tlsSecret, tlsSecret),
            (.tlsMode, tlsMode),
        ]
        for (annotation, value) in given { result[annotation.name] = value }
        for text in set {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else {
                throw ValidationError("'\(text)' sets nothing; it looks like memory-limit=1Gi.")
            }
            let name =
                parts[0].hasPrefix(Annotation.prefix) ? String(parts[0].dropFirst(Annotation.prefix.count)) : parts[0]
            guard let annotation = Annotation(rawValue: name), annotation != .inject else {
                let all = Annotation.allCases.filter { $0 != .inject }.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("there is no annotation '\(name)'; there are \(all).")
            }
            guard result.updateValue(parts[1], forKey: annotation.name) == nil else {
                throw ValidationError("\(annotation.rawValue) is given twice.")
            }
        }
        return result
    }

    func validate() throws { _ = try annotations() }
}
