// Users and roles: in `admin`, in a database of their own, and outside the server.

extension DataSet {
    /// What is made in `admin`, for dropping it: the name, and whether it is a role.
    static let adminNames = [("ops äöü/%", false), ("remoraTestOperator", true)]

    func loadUsersAndRoles(_ client: MongoClient) async throws -> Int {
        let commands: [(String, String)] = [
            (
                "admin",
                """
                {"createRole": "remoraTestOperator", "roles": ["clusterMonitor"], "privileges": [
                  {"resource": {"cluster": true}, "actions": ["killop", "inprog"]},
                  {"resource": {"db": "", "collection": "orders"}, "actions": ["find"]}],
                 "authenticationRestrictions": [{"clientSource": ["127.0.0.1", "10.0.0.0/8"]}]}
                """
            ),
            (
                "shop",
                """
                {"createRole": "clerk", "roles": ["read"], "privileges": [
                  {"resource": {"db": "shop", "collection": "orders"}, "actions": ["find", "insert", "update"]},
                  {"resource": {"db": "shop", "collection": ""}, "actions": ["listCollections"]}]}
                """
            ),
            ("shop", #"{"createRole": "chief clerk", "roles": ["clerk", "readWrite"], "privileges": []}"#),
            ("shop", #"{"createUser": "app", "pwd": "p", "roles": ["clerk"], "customData": {"team": "shop", "n": 1}}"#),
            ("shop", #"{"createUser": "old", "pwd": "p", "roles": ["read"], "mechanisms": ["SCRAM-SHA-1"]}"#),
            (
                "shop",
                """
                {"createUser": "near", "pwd": "p", "roles": ["chief clerk"], "mechanisms": ["SCRAM-SHA-256"],
                 "authenticationRestrictions": [{"clientSource": ["127.0.0.1"], "serverAddress": ["127.0.0.1"]}]}
                """
            ),
            ("admin", #"{"createUser": "ops äöü/%", "pwd": "päss w/ %", "roles": ["remoraTestOperator", "backup"]}"#),
            (
                "$external",
                #"{"createUser": "CN=app,OU=clients,O=Remora tests", "roles": [{"role": "read", "db": "shop"}]}"#
            ),
        ]
        for (database, command) in commands { try await client.command(command, on: database) }
        return commands.count
    }
}
