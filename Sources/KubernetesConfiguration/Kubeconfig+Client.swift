import FoundationEssentials
import HTTPClient
public import Kubernetes

extension Kubeconfig {
    /// How to reach a context's cluster as its user.
    ///
    /// - Parameters:
    ///   - context: its name; nil for the current one.
    ///   - environment: the process's, for programs that make credentials.
    ///   - time: tells how old a token is.
    /// - Returns: what ``KubernetesClient`` needs.
    /// - Throws: `.configuration` when something is missing or can't be read.
    public func clientConfiguration(
        context: String? = nil,
        environment: [String: String],
        time: TimeSource = .system
    ) throws(KubernetesError) -> ClientConfiguration {
        guard let name = context ?? currentContext else {
            throw failure("no context is set as the current one; \(choice(contexts, "context"))")
        }
        let chosen = try entry(contexts, "context", name)
        guard let clusterName = chosen.fields.text("cluster") else {
            throw failure("the context '\(name)' names no cluster")
        }
        let cluster = try entry(clusters, "cluster", clusterName)
        guard var server = cluster.fields.text("server"), server.hasPrefix("https://") || server.hasPrefix("http://")
        else {
            throw failure("the cluster '\(clusterName)' has no server such as https://host:6443")
        }
        while server.hasSuffix("/") { server.removeLast() }
        var configuration = ClientConfiguration(server: server)
        configuration.namespace = chosen.fields.text("namespace") ?? "default"
        configuration.tlsServerName = cluster.fields.text("tls-server-name")
        configuration.insecureTLS = cluster.fields.text("insecure-skip-tls-verify") == "true"
        configuration.proxy = cluster.fields.text("proxy-url")

        var fixed = Access()
        let authority = try bytes(cluster, "certificate-authority", "cluster '\(clusterName)'")
        if let authority { fixed.trust = .pem(authority) }
        let user = try chosen.fields.text("user").map { name throws(KubernetesError) in
            (name, try entry(users, "user", name))
        }
        guard let (userName, user) = user else {
            configuration.access = FixedAccess(fixed)
            return configuration
        }
        configuration.access = try access(
            of: user,
            named: userName,
            fixed,
            ClusterFacts(cluster.fields, server: server, authority: authority),
            environment,
            time
        )
        return configuration
    }

    private func access(
        of user: Entry,
        named name: String,
        _ fixed: Access,
        _ cluster: ClusterFacts,
        _ environment: [String: String],
        _ time: TimeSource
    ) throws(KubernetesError) -> any AccessSource {
        var fixed = fixed
        let label = "user '\(name)'"
        fixed.certificate = try bytes(user, "client-certificate", label)
        fixed.key = try bytes(user, "client-key", label)
        if (fixed.certificate == nil) != (fixed.key == nil) {
            throw failure("the \(label) has a client certificate or a key, but not both")
        }
        if user.fields["auth-provider"]?.object != nil {
            throw failure("the \(label) uses auth-provider, which Kubernetes has removed; use an exec plugin instead")
        }
        if let exec = user.fields["exec"], exec.object != nil {
            let plugin = try ExecPlugin(exec, directory: user.directory, label: label, cluster: cluster)
            return ExecAccess(plugin, fixed: fixed, environment: environment, time: time)
        }
        if let file = user.fields.text("tokenFile") {
            return TokenFileAccess(file: Self.path(file, from: user.directory), fixed: fixed, time: time)
        }
        if let token = user.fields.text("token") {
            fixed.authorization = "Bearer \(token)"
        } else if let userName = user.fields.text("username") {
            let pair = "\(userName):\(user.fields.text("password") ?? "")"
            fixed.authorization = "Basic \(Data(pair.utf8).base64EncodedString())"
        }
        return FixedAccess(fixed)
    }

    /// A file's content: inline as base64 below `NAME-data`, which wins, or in the file that `NAME` names.
    private func bytes(_ entry: Entry, _ field: String, _ label: String) throws(KubernetesError) -> [UInt8]? {
        if let text = entry.fields.text("\(field)-data") {
            guard let data = Data(base64Encoded: text, options: .ignoreUnknownCharacters), !data.isEmpty else {
                throw failure("\(field)-data of the \(label) is not base64")
            }
            return [UInt8](data)
        }
        guard let file = entry.fields.text(field) else { return nil }
        do {
            return try SmallFile.kubeconfig(Self.path(file, from: entry.directory))
        } catch {
            throw failure("\(field) of the \(label): \(error.message)")
        }
    }

    static func path(_ file: String, from directory: String) -> String {
        file.hasPrefix("/") ? file : "\(directory)/\(file)"
    }

    private func entry(
        _ entries: [String: Entry],
        _ kind: String,
        _ name: String
    ) throws(KubernetesError) -> Entry {
        guard let entry = entries[name] else {
            throw failure("there is no \(kind) '\(name)'; \(choice(entries, kind))")
        }
        return entry
    }

    private func choice(_ entries: [String: Entry], _ kind: String) -> String {
        entries.isEmpty ? "there is no \(kind) at all" : "there are: \(entries.keys.sorted().joined(separator: ", "))"
    }

    private func failure(_ reason: String) -> KubernetesError {
        KubernetesError(.configuration, "cannot use the kubeconfig \(origin): \(reason)")
    }
}

extension ClientConfiguration {
    /// The API server that a person means: of the named file or context, of the kubeconfig where there is one, or of the
    /// cluster that this pod runs in.
    ///
    /// - Parameters:
    ///   - kubeconfig: a file that a person named.
    ///   - context: a context that a person named.
    ///   - environment: the process's.
    ///   - directory: where a pod finds its service account.
    /// - Returns: what ``KubernetesClient`` needs.
    /// - Throws: `.configuration` when there is neither, or it can't be used.
    public static func discover(
        kubeconfig: String? = nil,
        context: String? = nil,
        environment: [String: String],
        directory: String = serviceAccountDirectory
    ) throws(KubernetesError) -> ClientConfiguration {
        let isPod = environment["KUBERNETES_SERVICE_HOST"] != nil
        if kubeconfig == nil, context == nil, isPod, !Kubeconfig.exists(environment: environment) {
            return try inCluster(environment: environment, directory: directory)
        }
        return try Kubeconfig.load(path: kubeconfig, environment: environment)
            .clientConfiguration(context: context, environment: environment)
    }
}

extension JSONTree {
    /// A text that isn't empty.
    func text(_ field: String) -> String? { self[field]?.string.flatMap { $0.isEmpty ? nil : $0 } }
}
