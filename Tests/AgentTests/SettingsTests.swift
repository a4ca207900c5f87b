import Engines
import Logging
import TestSupport
import Testing

@testable import Agent

@Suite("The agent's settings")
struct SettingsTests {
    private static let enough: [AgentSetting: String] = [
        .enrolmentTokenFile: "/token", .namespace: "shop", .pod: "mongo-0", .cluster: "orders",
    ]

    private func settings(
        _ flags: [AgentSetting: String] = SettingsTests.enough,
        _ environment: [String: String] = [:],
        files: [String: String] = [:]
    ) throws -> AgentSettings {
        try AgentSettings(flags: flags, environment: environment, version: "1", readFile: { files[$0] })
    }

    private func refusal(
        _ change: [AgentSetting: String],
        _ environment: [String: String] = [:],
        files: [String: String] = [:]
    ) -> String {
        do {
            _ = try settings(Self.enough.merging(change) { $1 }, environment, files: files)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("has sensible defaults for what isn't required")
    func defaults() throws {
        let settings = try settings()
        #expect(settings.configuration.coordinatorURL == "http://127.0.0.1:7480")
        #expect(settings.mongoDB.uri == "mongodb://127.0.0.1:27017")
        #expect(settings.mongoDB.stateDirectory == "/var/lib/remora")
        #expect(settings.mongoDB.tls == nil)
        #expect(settings.logLevel == .info)
    }

    @Test("names everything that is missing, with flag and variable")
    func missing() {
        #expect {
            _ = try settings([.pod: "x"])
        } throws: { error in
            "\(error)"
                == "missing: --enrolment-token-file (or REMORA_ENROLMENT_TOKEN_FILE), --namespace (or REMORA_NAMESPACE), "
                + "--cluster (or REMORA_CLUSTER)"
        }
    }

    @Test("a flag wins over its variable, and an empty variable is none")
    func precedence() throws {
        let environment = ["REMORA_POD": "from-environment", "REMORA_NODE": "n1", "REMORA_LOG_LEVEL": ""]
        let settings = try settings(Self.enough, environment)
        #expect(settings.configuration.pod == "mongo-0")
        #expect(settings.configuration.node == "n1")
        #expect(settings.logLevel == .info)
    }

    @Test("name and password come from files or the environment, without the white space that editors leave")
    func secrets() throws {
        let flags = Self.enough.merging([.usernameFile: "/u", .passwordFile: "/p"]) { $1 }
        let fromFiles = try settings(flags, [:], files: ["/u": "backup\n", "/p": " pass word \r\n"])
        #expect(fromFiles.mongoDB.username == "backup")
        #expect(fromFiles.mongoDB.password == Secret(" pass word"))
        #expect(fromFiles.secrets == [" pass word"])
        let fromEnvironment = try settings(Self.enough, ["REMORA_USERNAME": "a", "REMORA_PASSWORD": "b"])
        #expect(fromEnvironment.mongoDB.username == "a")
        #expect(fromEnvironment.mongoDB.password == Secret("b"))
        let uri = try settings(Self.enough, ["REMORA_MONGODB_URI": "mongodb://u:hidden@127.0.0.1:1/x"])
        #expect(uri.secrets == ["hidden"])
        #expect(AgentSetting.allCases.filter { !$0.hasFlag } == [.username, .password])
    }

    @Test("any engine but mongodb is one whose programs are described elsewhere")
    func command() throws {
        let flags: [AgentSetting: String] = [
            .engine: "mysql", .endpoint: "[::1]:3306", .usernameFile: "/u", .passwordFile: "/p",
        ]
        let settings = try settings(Self.enough.merging(flags) { $1 }, files: ["/u": "backup\n", "/p": "secret\n"])
        let command = try #require(settings.command)
        #expect(command.engine == "mysql" && command.endpoint == Endpoint(host: "::1", port: 3306))
        #expect(command.username == "backup" && command.password == Secret("secret"))
        #expect(command.programsDirectory == "/usr/lib/remora/programs" && settings.secrets == ["secret"])
        #expect(settings.makeEngine().name == "mysql" && settings.makeEngine().runsCommands)
        #expect(try !self.settings().makeEngine().runsCommands)
    }

    @Test("bad input is refused in one sentence that names the setting")
    func refusals() {
        #expect(refusal([.coordinator: "http://coordinator:7480"]).hasPrefix("refusing http://coordinator:7480: plain"))
        #expect(refusal([.engine: "My SQL"]).hasPrefix("--engine is 'My SQL'; an engine's name has lower-case letters"))
        let mysql: [AgentSetting: String] = [.engine: "mysql", .endpoint: "127.0.0.1:3306"]
        #expect(
            refusal([.engine: "mysql"])
                == "--endpoint is missing: write HOST:PORT of the mysql beside the agent, like 127.0.0.1:3306"
        )
        #expect(refusal([.engine: "mysql", .endpoint: "db"]).hasPrefix("--endpoint is 'db': write HOST:PORT"))
        #expect(
            refusal(mysql, ["REMORA_MONGODB_URI": "mongodb://h"])
                == "--mongodb-uri (REMORA_MONGODB_URI) means nothing for --engine mysql: remove it"
        )
        #expect(
            refusal([.endpoint: "h:1"]) == "--endpoint (REMORA_ENDPOINT) means nothing for --engine mongodb: remove it"
        )
        #expect(
            refusal(mysql.merging([.programsDir: "bin"]) { $1 })
                == "--programs-dir is 'bin'; it must be an absolute path"
        )
        #expect(refusal([.logLevel: "loud"]).contains("debug, info, warning, error"))
        #expect(refusal([.passwordFile: "/gone"]) == "the file /gone of --password-file is not there")
        #expect(
            refusal([.passwordFile: "/empty"], files: ["/empty": " \n"])
                == "the file /empty of --password-file is empty"
        )
        let argv = refusal([.mongodbURI: "mongodb://u:hidden@127.0.0.1"])
        #expect(argv.contains("every process of the host can see"))
        #expect(!argv.contains("hidden"))
        #expect(refusal([.tlsAllowInvalidHostnames: "perhaps"]).contains("write true or false"))
    }

    @Test("a connection string in a file says who logs in, and nothing else does then")
    func credentialsURI() throws {
        let files = [
            "/uri": "mongodb://u:p%40ss@elsewhere/?authSource=users\n", "/bad": "mongodb://hidden", "/name": "n",
        ]
        let settings = try settings(Self.enough.merging([.credentialsURIFile: "/uri"]) { $1 }, files: files)
        #expect(settings.mongoDB.username == "u" && settings.mongoDB.password?.value == "p@ss")
        #expect(settings.mongoDB.authSource == "users" && settings.mongoDB.credentialsURIFile == "/uri")
        #expect(settings.mongoDB.uri == "mongodb://127.0.0.1:27017")
        #expect(settings.secrets == ["p@ss"])
        let bad = refusal([.credentialsURIFile: "/bad"], files: files)
        #expect(bad.hasPrefix("the file /bad of --credentials-uri-file can't be used") && !bad.contains("hidden"))
        #expect(
            refusal([.credentialsURIFile: "/uri", .usernameFile: "/name"], files: files)
                == "--credentials-uri-file names the user already: remove REMORA_USERNAME_FILE"
        )
        #expect(refusal([.credentialsURIFile: "/gone"]) == "the file /gone of --credentials-uri-file is not there")
    }

    @Test("a look at the database alone needs no coordinator")
    func check() throws {
        let settings = try AgentSettings(flags: [:], environment: [:], version: "1", needsCoordinator: false)
        #expect(settings.mongoDB.uri == "mongodb://127.0.0.1:27017")
    }

    @Test("every setting has a variable that follows from its flag")
    func variables() {
        #expect(AgentSetting.enrolmentTokenFile.environmentVariable == "REMORA_ENROLMENT_TOKEN_FILE")
        #expect(AgentSetting.podUID.environmentVariable == "REMORA_POD_UID")
        #expect(Set(AgentSetting.allCases.map(\.environmentVariable)).count == AgentSetting.allCases.count)
    }
}
