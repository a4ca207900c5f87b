import BackupModel
import FoundationEssentials
import Kubernetes

/// What a program that makes credentials may be told about the cluster.
struct ClusterFacts: Sendable {
    let tree: JSONTree

    init(_ fields: JSONTree, server: String, authority: [UInt8]?) {
        var tree: JSONTree = ["server": .string(server)]
        if let name = fields.text("tls-server-name") { tree["tls-server-name"] = .string(name) }
        if fields.text("insecure-skip-tls-verify") == "true" { tree["insecure-skip-tls-verify"] = true }
        if let proxy = fields.text("proxy-url") { tree["proxy-url"] = .string(proxy) }
        if let authority {
            tree["certificate-authority-data"] = .string(Data(authority).base64EncodedString())
        }
        let extensions = fields["extensions"]?.array ?? []
        let own = extensions.first { $0["name"]?.string == "client.authentication.k8s.io/exec" }
        if let configuration = own?["extension"] { tree["config"] = configuration }
        self.tree = tree
    }
}

/// A program that makes credentials (`ExecConfig` of client-go, `client.authentication.k8s.io`).
struct ExecPlugin: Sendable {
    let apiVersion: String
    let command: String
    let arguments: [String]
    let environment: [String: String]
    /// Whether it may ask a person; nil when it must.
    let mayAsk: Bool?
    private let cluster: JSONTree?
    private let installHint: String
    let label: String

    init(_ fields: JSONTree, directory: String, label: String, cluster: ClusterFacts) throws(KubernetesError) {
        func failure(_ reason: String) -> KubernetesError {
            KubernetesError(.configuration, "cannot use exec of the \(label): \(reason)")
        }
        guard let command = fields.text("command") else { throw failure("it has no command") }
        let version = fields.text("apiVersion") ?? ""
        guard ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"].contains(version) else {
            throw failure("its apiVersion is '\(version)'; client.authentication.k8s.io/v1 and v1beta1 are known")
        }
        switch fields.text("interactiveMode") {
        case "Never": mayAsk = false
        case "IfAvailable": mayAsk = true
        case "Always": mayAsk = nil
        case nil where version.hasSuffix("v1beta1"): mayAsk = true
        case let mode:
            throw failure("its interactiveMode is '\(mode ?? "")'; Never, IfAvailable and Always are known")
        }
        apiVersion = version
        // A name without a slash is looked up in PATH.
        self.command = command.contains("/") ? Kubeconfig.path(command, from: directory) : command
        arguments = fields["args"]?.array?.compactMap(\.string) ?? []
        environment = (fields["env"]?.array ?? []).reduce(into: [:]) { all, pair in
            if let name = pair.text("name") { all[name] = pair["value"]?.string ?? "" }
        }
        self.cluster = fields.text("provideClusterInfo") == "true" ? cluster.tree : nil
        installHint = fields.text("installHint") ?? ""
        self.label = label
    }

    /// What the program reads in `KUBERNETES_EXEC_INFO`.
    func information(isInteractive: Bool) -> String {
        var spec: JSONTree = ["interactive": .bool(isInteractive)]
        if let cluster { spec["cluster"] = cluster }
        let tree: JSONTree = ["apiVersion": .string(apiVersion), "kind": "ExecCredential", "spec": spec]
        return tree.description
    }

    /// What the program printed.
    ///
    /// - Returns: credentials on top of `fixed`, and until when they are good; nil for until they are refused.
    /// - Throws: `.configuration`; nothing of what was printed is in the message, since it is secret.
    func read(_ output: [UInt8], fixed: Access) throws(KubernetesError) -> (access: Access, expires: Timestamp?) {
        let tree: JSONTree
        do {
            tree = try JSONTree(parsing: output)
        } catch {
            throw failure("it printed what is not an ExecCredential (\(error))")
        }
        guard tree["kind"]?.string == "ExecCredential", let version = tree["apiVersion"]?.string else {
            throw failure("it printed what is not an ExecCredential")
        }
        guard version == apiVersion else {
            throw failure("it printed an ExecCredential of \(version) where \(apiVersion) was asked for")
        }
        var access = fixed
        let status = tree["status"] ?? .null
        if let token = status.text("token") { access.authorization = "Bearer \(token)" }
        let certificate = status.text("clientCertificateData")
        let key = status.text("clientKeyData")
        if let certificate, let key {
            access.certificate = Array(certificate.utf8)
            access.key = Array(key.utf8)
        } else if certificate != nil || key != nil {
            throw failure("it printed a client certificate or a key, but not both")
        }
        guard status.text("token") != nil || certificate != nil else {
            throw failure("it printed neither a token nor a client certificate")
        }
        guard let text = status.text("expirationTimestamp") else { return (access, nil) }
        guard let expires = Timestamp(text) else { throw failure("it printed an expirationTimestamp that is no time") }
        return (access, expires)
    }

    func failure(_ reason: String) -> KubernetesError {
        let hint = installHint.split(whereSeparator: \.isNewline).joined(separator: " ")
        return KubernetesError(
            .configuration,
            "cannot get credentials for the \(label) from '\(command)': \(reason)\(hint.isEmpty ? "" : "; \(hint)")"
        )
    }
}
