/// Someone who may log in to a test's MongoDB.
public struct MongoUser: Sendable, Hashable {
    /// The name.
    public var name: String
    /// The password; empty for X.509.
    public var password: String
    /// Where the user is defined.
    public var database: String
    /// `SCRAM-SHA-256`, `SCRAM-SHA-1`, `MONGODB-X509`; `nil` lets client and server agree.
    public var mechanism: String?
    /// The client's certificate and key, for X.509.
    public var certificateFile: String?

    /// Makes one; this creates nobody on a server.
    public init(
        _ name: String,
        password: String,
        database: String = "admin",
        mechanism: String? = nil,
        certificateFile: String? = nil
    ) {
        self.name = name
        self.password = password
        self.database = database
        self.mechanism = mechanism
        self.certificateFile = certificateFile
    }

    /// Role `root`.
    public static let admin = MongoUser("admin", password: "admin-password")

    /// The least that a backup and a restore need: see `remoraRole`.
    public static let remora = MongoUser("remora", password: "remora/p@ss:word %")

    /// The name of the custom role that `remora` has besides `backup`, `restore`, `readWriteAnyDatabase`,
    /// `clusterMonitor` and `hostManager`.
    public static let remoraRole = "remoraAgent"

    /// What that role adds to the built-in ones, as docs/how-to/give-mongodb-privileges.md says: freezing elections before
    /// a lock, stopping a cluster's balancer, seeing its changes of schema, and writing its routing table.
    static let remoraRoleCommand = """
        {"createRole": "\(remoraRole)", "roles": [], "privileges": [
          {"resource": {"cluster": true}, "actions": ["replSetStateChange", "internal"]},
          {"resource": {"db": "config", "collection": "system.sharding_ddl_coordinators"}, "actions": ["find"]},
          {"resource": {"db": "config", "collection": ""}, "actions": ["find", "insert", "update", "remove"]}],
         "writeConcern": {"w": "majority"}}
        """
    static let remoraCommand = """
        {"createUser": \(quoted(remora.name)), "pwd": \(quoted(remora.password)), "roles": \(remoraRoles),
         "writeConcern": {"w": "majority"}}
        """
    static let remoraRoles =
        #"["backup", "restore", "readWriteAnyDatabase", "clusterMonitor", "hostManager", "\#(remoraRole)"]"#
    static let adminCommand = """
        {"createUser": \(quoted(admin.name)), "pwd": \(quoted(admin.password)), "roles": ["root"],
         "writeConcern": {"w": "majority"}}
        """

    /// The part of a connection string that logs in: before the hosts, and among the options.
    func uriParts() -> (login: String, options: [String]) {
        var options: [String] = []
        if let mechanism { options.append("authMechanism=\(mechanism)") }
        if let certificateFile { options.append("tlsCertificateKeyFile=\(escaped(certificateFile))") }
        guard mechanism != "MONGODB-X509" else { return ("", options + ["authSource=$external"]) }
        options.append("authSource=\(escaped(database))")
        return ("\(escaped(name)):\(escaped(password))@", options)
    }

    private func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain = byte >= 0x80 ? false : Character(UnicodeScalar(byte)).isLetter || (0x30...0x39).contains(byte)
            return isPlain ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}
