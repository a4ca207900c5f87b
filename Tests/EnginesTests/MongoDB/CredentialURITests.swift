import Testing

@testable import Engines

@Suite("Who logs in, out of a connection string")
struct CredentialURITests {
    @Test(
        "name, password, database and mechanism, whatever the hosts",
        arguments: [
            ("mongodb://u:p@h:1", "u", "p", nil, nil),
            (
                "mongodb://us%40er:p%40ss%3Aw%2Ford%20%25@a:1,b:2/shop?replicaSet=rs0", "us@er", "p@ss:w/ord %", "shop",
                nil
            ),
            (
                "mongodb+srv://u:p@cluster.example/?authSource=admin&authMechanism=SCRAM-SHA-256", "u", "p", "admin",
                "SCRAM-SHA-256"
            ),
            ("mongodb://u:p@h/shop?authsource=%24external", "u", "p", "$external", nil),
            ("mongodb://u@h/?authMechanism=MONGODB-X509", "u", nil, nil, "MONGODB-X509"),
            ("mongodb://u:@h", "u", "", nil, nil),
        ] as [(String, String, String?, String?, String?)]
    )
    func parts(text: String, name: String, password: String?, source: String?, mechanism: String?) throws {
        let user = try CredentialURI(text)
        #expect(user.username == name)
        #expect(user.password?.value == password)
        #expect(user.authSource == source)
        #expect(user.authMechanism == mechanism)
    }

    @Test(
        "what names no user is refused, and never shown",
        arguments: [
            "", "hidden", "postgres://u:hidden@h", "mongodb://hidden", "mongodb://@hidden", "mongodb://:hidden@h",
        ]
    )
    func refused(text: String) {
        let error = #expect(throws: MongoError.self) { try CredentialURI(text) }
        #expect(error?.message.contains("hidden") == false)
        #expect(error?.message.contains("mongodb://") == true || error?.message.contains("USER:PASSWORD@") == true)
    }

    @Test("what is said of database and mechanism otherwise counts for more")
    func precedence() throws {
        var configuration = MongoDBConfiguration(uri: "mongodb://127.0.0.1:1", authSource: "mine")
        configuration.take(try CredentialURI("mongodb://u:p@h/shop?authMechanism=SCRAM-SHA-1"))
        #expect(configuration.username == "u" && configuration.password?.value == "p")
        #expect(configuration.authSource == "mine" && configuration.authMechanism == "SCRAM-SHA-1")
        #expect(configuration.uri == "mongodb://127.0.0.1:1")
    }
}
