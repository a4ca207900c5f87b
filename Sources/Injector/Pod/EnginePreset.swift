import Kubernetes

/// What is usual for one kind of database: how its containers look and where it keeps what.
struct EnginePreset: Sendable {
    let engine: InjectionRequest.Engine
    /// Last parts of image names.
    let images: Set<String>
    /// The server's program.
    let program: String
    /// Programs of the same images that are no database.
    let otherPrograms: Set<String>
    let port: Int64
    /// Names of `containerPort`s.
    let portNames: Set<String>
    /// The option with the data's directory, and where it is without it.
    let dataOption: String
    let dataPaths: [String]

    static let all = [mongodb]

    /// MongoDB's official, community-operator, enterprise, Percona's and Bitnami's images.
    static let mongodb = EnginePreset(
        engine: .mongodb,
        images: [
            "mongo", "mongodb", "mongodb-sharded", "mongodb-community-server", "mongodb-enterprise-server",
            "mongodb-enterprise-appdb-database", "percona-server-mongodb", "mongod",
        ],
        program: "mongod",
        otherPrograms: ["mongos"],
        port: 27017,
        portNames: ["mongodb", "mongo", "mongod"],
        dataOption: "--dbpath",
        dataPaths: ["/data/db", "/bitnami/mongodb/data/db", "/bitnami/mongodb", "/var/lib/mongo", "/var/lib/mongodb"]
    )

    static func of(_ engine: InjectionRequest.Engine) -> EnginePreset {
        switch engine {
        case .mongodb: mongodb
        }
    }

    /// Whether a container's image or command is this engine's.
    func matches(_ container: Container) -> Bool {
        let programs = container.tokens.map { $0.split(separator: "/").last ?? "" }
        if programs.contains(where: { otherPrograms.contains(String($0)) }) { return false }
        return images.contains(ImageName(container.image).last) || programs.contains { $0 == program }
    }

    /// The user that an image's server runs as (its `Dockerfile`); nil where that isn't known.
    func user(ofImage image: String) -> InjectionRequest.RunAs? {
        let name = ImageName(image)
        if name.parts.contains(where: { $0.hasPrefix("bitnami") }) { return .init(user: 1001, group: nil) }
        if name.last == "percona-server-mongodb" { return .init(user: 1001, group: nil) }
        // Begins as root and becomes `mongodb`.
        if name.last == "mongo" { return .init(user: 999, group: 999) }
        return nil
    }

    /// Where the server in this container listens.
    func port(of container: Container) -> Int64 {
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
