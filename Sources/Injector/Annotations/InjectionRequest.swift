/// What a pod's annotations ask for, checked as far as they can be checked by themselves.
struct InjectionRequest: Sendable, Hashable {
    /// How the agent sees the data volume.
    enum DataMount: String, Sendable, CaseIterable {
        case none
        case readOnly = "ro"
        case readWrite = "rw"
    }

    /// How far the database's certificate is checked.
    enum TLSMode: String, Sendable, CaseIterable {
        case disable
        case require
        case verifyCA = "verify-ca"
        case verifyFull = "verify-full"
    }

    /// Which kind of container the agent's is.
    enum Sidecar: String, Sendable, CaseIterable {
        case auto
        case native
        case container
    }

    /// From which level on the agent logs.
    enum LogLevel: String, Sendable, CaseIterable {
        case error
        case warning
        case info
        case debug
    }

    /// A Secret and the entries with name and password, or the one with a connection string that holds both.
    struct Credentials: Sendable, Hashable {
        var secret: String
        var usernameKey = "username"
        var passwordKey = "password"
        var uriKey: String?
    }

    /// User and group of a process.
    struct RunAs: Sendable, Hashable {
        var user: Int64
        var group: Int64?
    }

    /// Requests and limits that the annotations give.
    struct Resources: Sendable, Hashable {
        var cpuRequest: Quantity?
        var cpuLimit: Quantity?
        var memoryRequest: Quantity?
        var memoryLimit: Quantity?

        var isEmpty: Bool { self == Resources() }
    }

    /// The database's kind, by the name that agents and AppBindings have for it.
    var engine: String?
    var cluster: String?
    var container: String?
    /// As in a URI: an IPv6 address in brackets.
    var endpoint: String?
    var dataMount = DataMount.none
    var dataVolume: String?
    var credentials: Credentials?
    var tlsSecret: String?
    var tlsMode = TLSMode.disable
    var tlsCertificateKey: String?
    var runAs: RunAs?
    var resources = Resources()
    var sidecar = Sidecar.auto
    var logLevel = LogLevel.info
    /// What is odd and doesn't matter.
    var warnings: [String] = []
}
