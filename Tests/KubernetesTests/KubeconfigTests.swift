import Foundation
import HTTPClient
import Kubernetes
import KubernetesConfiguration
import TestSupport
import Testing

@Suite("kubeconfig")
struct KubeconfigTests {
    private let text = """
        apiVersion: v1
        kind: Config
        current-context: shop
        preferences: {}
        clusters:
        - name: prod
          cluster:
            server: https://prod.example:6443/prefix/
            certificate-authority-data: cGVt
            tls-server-name: kube
            proxy-url: http://proxy:3128
        - name: lab
          cluster: {server: "https://lab.example", insecure-skip-tls-verify: true}
        users:
        - name: me
          user: {token: t0ken}
        - name: basic
          user: {username: u, password: p}
        - name: file
          user: {tokenFile: token.txt}
        - name: certificate
          user: {client-certificate-data: Y2VydA==, client-key: key.pem}
        contexts:
        - name: shop
          context: {cluster: prod, user: me, namespace: shop}
        - name: "1.20"
          context: {cluster: lab, user: basic}
        - name: file
          context: {cluster: lab, user: file}
        - name: certificate
          context: {cluster: lab, user: certificate}
        - name: nobody
          context: {cluster: lab}
        """

    private func trusted(_ access: Access) -> [UInt8]? {
        if case .pem(let pem) = access.trust { pem } else { nil }
    }

    @Test("contexts lead to server, namespace, trust and credentials")
    func contexts() async throws {
        try await withTestDirectory { directory in
            let path = try directory.write(text, to: "config")
            try directory.write("from-file\n", to: "token.txt")
            try directory.write("key", to: "key.pem")
            let config = try Kubeconfig.load(environment: ["KUBECONFIG": "/no/such/file:\(path)"])
            #expect(config.contextNames == ["1.20", "certificate", "file", "nobody", "shop"])
            let shop = try config.clientConfiguration(environment: [:])
            #expect(shop.server == "https://prod.example:6443/prefix" && shop.namespace == "shop")
            #expect(shop.tlsServerName == "kube" && shop.proxy == "http://proxy:3128" && !shop.insecureTLS)
            let access = try await shop.access.access()
            #expect(access.authorization == "Bearer t0ken" && trusted(access) == Array("pem".utf8))
            func use(_ context: String) async throws -> (ClientConfiguration, Access) {
                let configuration = try config.clientConfiguration(context: context, environment: [:])
                return (configuration, try await configuration.access.access())
            }
            let basic = try await use("1.20")
            #expect(basic.0.insecureTLS && basic.0.namespace == "default" && basic.1.authorization == "Basic dTpw")
            #expect(try await use("file").1.authorization == "Bearer from-file")
            let certificate = try await use("certificate").1
            #expect(certificate.certificate == Array("cert".utf8) && certificate.key == Array("key".utf8))
            #expect(try await use("nobody").1.authorization == nil)
        }
    }

    @Test("of several files the first one that names something wins, and JSON is as good as YAML")
    func merged() async throws {
        try await withTestDirectory { directory in
            let first = try directory.write(
                #"{"clusters":[{"name":"lab","cluster":{"server":"http://first"}}],"current-context":"nobody"}"#,
                to: "first"
            )
            let second = try directory.write(text, to: "second")
            let config = try Kubeconfig.load(environment: ["KUBECONFIG": "\(first):\(second)"])
            #expect(config.currentContext == "nobody")
            #expect(try config.clientConfiguration(environment: [:]).server == "http://first")
            let discovered = try ClientConfiguration.discover(
                context: "shop",
                environment: ["KUBECONFIG": second, "KUBERNETES_SERVICE_HOST": "h", "KUBERNETES_SERVICE_PORT": "1"]
            )
            #expect(discovered.server == "https://prod.example:6443/prefix")
        }
    }

    @Test(
        "what can't be used is refused in a sentence that names it",
        arguments: [
            ("a: [", nil, "line"), ("- a", nil, "not a mapping"), ("kind: Pod", nil, "it is a Pod"),
            ("clusters: 3", nil, "clusters is not a list"), ("users: [{}]", nil, "users[0] has no name"),
            ("{}", nil, "no context is set"), ("{}", "x", "there is no context 'x'; there is no context at all"),
            ("contexts: [{name: a, context: {cluster: c}}]", "b", "there are: a"),
            ("contexts: [{name: a, context: {cluster: c}}]", "a", "there is no cluster 'c'"),
            ("contexts: [{name: a}]", "a", "names no cluster"),
        ]
    )
    func refused(text: String, context: String?, part: String) {
        let error = #expect(throws: KubernetesError.self) {
            _ = try Kubeconfig(parsing: text, path: "/x/config").clientConfiguration(context: context, environment: [:])
        }
        #expect(error?.code == .configuration && error?.message.contains("/x/config") == true)
        #expect(error?.message.contains(part) == true, "\(String(describing: error))")
    }

    @Test(
        "a user that can't be used is refused, without what is secret",
        arguments: [
            ("client-certificate-data: Y2VydA==", "not both"), ("client-certificate-data: '***'", "not base64"),
            ("client-key: /no/such/file", "/no/such/file"), ("auth-provider: {name: gcp}", "exec plugin"),
            ("exec: {apiVersion: client.authentication.k8s.io/v1}", "no command"),
            ("exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}", "v1alpha1"),
            ("exec: {apiVersion: client.authentication.k8s.io/v1, command: x}", "interactiveMode"),
        ]
    )
    func badUser(user: String, part: String) {
        let text = """
            clusters: [{name: c, cluster: {server: "https://c"}}]
            contexts: [{name: a, context: {cluster: c, user: u}}]
            users: [{name: u, user: {token: s3cret, \(user)}}]
            """
        let error = #expect(throws: KubernetesError.self) {
            _ = try Kubeconfig(parsing: text, path: "config").clientConfiguration(context: "a", environment: [:])
        }
        #expect(error?.message.contains(part) == true, "\(String(describing: error))")
        #expect(error?.message.contains("s3cret") == false)
    }

    @Test("no kubeconfig at all is said, with where it was looked for")
    func missing() {
        let error = #expect(throws: KubernetesError.self) { _ = try Kubeconfig.load(environment: ["HOME": "/no/home"]) }
        #expect(error?.message.contains("/no/home/.kube/config") == true)
    }
}

@Suite("programs that make credentials")
struct ExecTests {
    private func configuration(
        _ directory: TestDirectory,
        script: String,
        more: String = "interactiveMode: Never",
        version: String = "v1",
        time: TimeSource
    ) throws -> ClientConfiguration {
        let program = try directory.write("#!/bin/sh\n\(script)\n", to: "plugin")
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: program)
        let text = """
            clusters: [{name: c, cluster: {server: "https://c", certificate-authority-data: cGVt}}]
            contexts: [{name: a, context: {cluster: c, user: u}}]
            current-context: a
            users:
            - name: u
              user:
                exec:
                  apiVersion: client.authentication.k8s.io/\(version)
                  command: ./plugin
                  args: [first, "second word"]
                  env: [{name: COLOUR, value: blue}]
                  installHint: install it
                  \(more)
            """
        return try Kubeconfig(parsing: text, path: directory.appending("config"))
            .clientConfiguration(environment: ["PATH": "/usr/bin:/bin"], time: time)
    }

    /// Prints a credential whose token is how often the program ran, and writes down what it was told.
    private func script(_ directory: TestDirectory, version: String = "v1", status: String) -> String {
        """
        echo run >> '\(directory.path)/runs'
        printf '%s|%s|%s|%s' "$COLOUR" "$1" "$2" "$KUBERNETES_EXEC_INFO" > '\(directory.path)/told'
        n=$(wc -l < '\(directory.path)/runs')
        cat <<END
        {"apiVersion":"client.authentication.k8s.io/\(version)","kind":"ExecCredential","status":\(status)}
        END
        """
    }

    @Test(
        "what it prints is kept until shortly before it expires, or until it is refused",
        arguments: ["v1", "v1beta1"]
    )
    func kept(version: String) async throws {
        try await withTestDirectory { directory in
            // The test's clock shows 10:00:00.
            let status = #"{"token":"token-$n","expirationTimestamp":"2026-08-22T10:0$((n - 1)):05Z"}"#
            let configuration = try configuration(
                directory,
                script: script(directory, version: version, status: status),
                more: "provideClusterInfo: true\n      interactiveMode: Never",
                version: version,
                time: QuickTime().source
            )
            func token() async throws -> String? { try await configuration.access.access().authorization }
            // Expires within seconds: made anew, and then kept.
            #expect(try await token() == "Bearer token-1")
            #expect(try await token() == "Bearer token-2")
            #expect(try await token() == "Bearer token-2")
            await configuration.access.forget()
            #expect(try await token() == "Bearer token-3")
            let told = try String(contentsOfFile: directory.appending("told"), encoding: .utf8).split(separator: "|")
            #expect(told.prefix(3) == ["blue", "first", "second word"])
            let information = try JSONTree(parsing: String(told[3]))
            #expect(information["apiVersion"] == .string("client.authentication.k8s.io/\(version)"))
            #expect(information[path: "spec", "interactive"] == false)
            #expect(information[path: "spec", "cluster", "certificate-authority-data"] == "cGVt")
        }
    }

    @Test("calls that come at once share one run, and a certificate is as good as a token")
    func shared() async throws {
        try await withTestDirectory { directory in
            let status = #"{"clientCertificateData":"cert","clientKeyData":"key"}"#
            let configuration = try configuration(
                directory,
                script: script(directory, status: status),
                time: QuickTime().source
            )
            let keys = try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
                for _ in 0..<8 { group.addTask { try await configuration.access.access().key } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(keys == Array(repeating: Array("key".utf8), count: 8))
            let runs = try String(contentsOfFile: directory.appending("runs"), encoding: .utf8)
            #expect(runs == "run\n")
        }
    }

    @Test(
        "a program that fails is named, with what to do, and nothing that it printed",
        arguments: [
            ("exit 3", "interactiveMode: Never", "exit code 3"), ("kill -9 $$", "interactiveMode: Never", "signal 9"),
            ("echo s3cret", "interactiveMode: Never", "not an ExecCredential"),
            (
                #"echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1"}'"#,
                "interactiveMode: Never", "was asked for"
            ),
            (
                #"echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{}}'"#,
                "interactiveMode: Never", "neither a token nor"
            ),
        ]
    )
    func fails(script: String, more: String, part: String) async throws {
        try await withTestDirectory { directory in
            let configuration = try configuration(directory, script: script, more: more, time: QuickTime().source)
            let error = await #expect(throws: KubernetesError.self) { _ = try await configuration.access.access() }
            #expect(error?.message.contains(part) == true, "\(String(describing: error))")
            #expect(error?.message.hasSuffix("install it") == true && error?.message.contains("s3cret") == false)
        }
    }
}
