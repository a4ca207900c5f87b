import Kubernetes

/// What is usual for one kind of database: how its containers look and where it keeps what.
struct EnginePreset: Sendable {
    var engine: String
    /// Last parts of image names.
    let images: Set<String>
    /// The server's programs.
    let programs: Set<String>
    /// Programs of the same images that are no database.
    let otherPrograms: Set<String>
    /// The usual one; nil where none is known.
    let port: Int64?
    /// Names of `containerPort`s.
    let portNames: Set<String>
    /// The option with the data's directory, and where it is without it.
    let dataOption: String?
    let dataPaths: [String]

    /// Those that are known by their look.
    static let all = [mongodb, mysql]

    /// MongoDB's official, community-operator, enterprise, Percona's and Bitnami's images.
    static let mongodb = EnginePreset(
        engine: "mongodb",
        images: [
            "mongo", "mongodb", "mongodb-sharded", "mongodb-community-server", "mongodb-enterprise-server",
            "mongodb-enterprise-appdb-database", "percona-server-mongodb", "mongod",
        ],
        programs: ["mongod"],
        otherPrograms: ["mongos"],
        port: 27017,
        portNames: ["mongodb", "mongo", "mongod"],
        dataOption: "--dbpath",
        dataPaths: ["/data/db", "/bitnami/mongodb/data/db", "/bitnami/mongodb", "/var/lib/mongo", "/var/lib/mongodb"]
    )

    /// The official images of MySQL and MariaDB, Percona's and Bitnami's.
    static let mysql = EnginePreset(
        engine: "mysql",
        images: ["mysql", "mysql-server", "mariadb", "mariadb-galera", "percona-server", "percona"],
        programs: ["mysqld", "mariadbd"],
        otherPrograms: [],
        port: 3306,
        portNames: ["mysql", "mariadb"],
        dataOption: "--datadir",
        dataPaths: [
            "/var/lib/mysql", "/bitnami/mysql/data", "/bitnami/mysql", "/bitnami/mariadb/data", "/bitnami/mariadb",
        ]
    )

    /// What is usual for a kind; of one that nobody here knows, nothing.
    static func of(_ engine: String) -> EnginePreset {
        if var known = all.first(where: { $0.engine == engine || $0.portNames.contains(engine) }) {
            known.engine = engine
            return known
        }
        return EnginePreset(
            engine: engine,
            images: [engine],
            programs: [],
            otherPrograms: [],
            port: nil,
            portNames: [engine],
            dataOption: nil,
            dataPaths: []
        )
    }

    /// Whether a container's image or command is this engine's.
    func matches(_ container: Container) -> Bool {
        let programs = container.tokens.map { $0.split(separator: "/").last ?? "" }
        if programs.contains(where: { otherPrograms.contains(String($0)) }) { return false }
        return images.contains(ImageName(container.image).last)
            || programs.contains { self.programs.contains(String($0)) }
    }

    /// The user that an image's server runs as (its `Dockerfile`); nil where that isn't known.
    func user(ofImage image: String) -> InjectionRequest.RunAs? {
        let name = ImageName(image)
        if name.parts.contains(where: { $0.hasPrefix("bitnami") }) { return .init(user: 1001, group: nil) }
        if name.last.hasPrefix("percona") { return .init(user: 1001, group: nil) }
        // They begin as root and become the database's user.
        if ["mongo", "mysql", "mariadb"].contains(name.last) { return .init(user: 999, group: 999) }
        return nil
    }

    /// Where the server in this container listens; nil when nothing tells.
    func port(of container: Container) -> Int64? {
        if let port = container.option("--port").flatMap({ Int64($0) }), (1...65535).contains(port) { return port }
        let ports = container.tree["ports"]?.array ?? []
        let named = ports.first { portNames.contains($0["name"]?.string ?? "") }
        let usual = ports.first { $0["containerPort"]?.integer == port }
        let only = ports.count == 1 ? ports.first : nil
        guard let found = (named ?? usual ?? only)?["containerPort"]?.integer, (1...65535).contains(found) else {
            return port
        }
        return found
    }
}

/// An image's name without tag and digest.
struct ImageName: Sendable {
    let parts: [Substring]
    var last: String { parts.last.map(String.init) ?? "" }

    init(_ image: String) {
        var parts = image.prefix { $0 != "@" }.split(separator: "/")
        // A colon before the last slash belongs to the registry's port.
        if let last = parts.popLast() { parts.append(last.prefix { $0 != ":" }) }
        self.parts = parts
    }
}
