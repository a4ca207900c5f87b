import BackupModel
import Testing

@Suite("A function of one's own")
struct FunctionTests {
    private static func function(_ change: (inout FunctionSpec) -> Void = { _ in }) -> FunctionObject {
        var spec = FunctionSpec(
            stream: .backup,
            command: ["mariadb-dump", "--single-transaction"],
            args: ["--host=${HOST}", "--port=${PORT}", "${PARAM_database}"],
            file: "dump.sql"
        )
        spec.env = [.init(name: "MYSQL_PWD", value: "${PASSWORD}")]
        spec.check = "-- Dump completed"
        spec.timeOut = GoDuration(seconds: 90)
        change(&spec)
        return FunctionObject(metadata: ResourceMetadata(name: "mysql-dump"), spec: spec)
    }

    @Test("becomes a recipe with the values of its parameters, and without any secret")
    func recipe() throws {
        let function = Self.function()
        #expect(function.problems().isEmpty && function.spec.notices.isEmpty)
        #expect(function.spec.parameters == ["database"])
        let recipe = try #require(function.spec.recipe(name: "mysql-dump", parameters: ["database": "shop"]))
        #expect(recipe.program == "mariadb-dump" && recipe.file == "dump.sql" && recipe.timeOutSeconds == 90)
        #expect(
            recipe.arguments == ["--single-transaction", "--host=${HOST}", "--port=${PORT}", "${PARAM_database}"]
        )
        #expect(recipe.environment == [.init(name: "MYSQL_PWD", value: "${PASSWORD}")])
        #expect(recipe.parameters == ["database": "shop"] && recipe.check == "-- Dump completed")
        let bytes = try WireJSON.encode(recipe)
        #expect(try WireJSON.decode(CommandRecipe.self, from: bytes) == recipe)
    }

    @Test("an older job without a recipe is still understood, and one with it")
    func wire() throws {
        let old =
            #"{"lockBudgetOplogShare":0.5,"lockBudgetSeconds":1,"parallelism":0,"selection":{"include":[],"exclude":[],"renames":[]}}"#
        #expect(try WireJSON.decode(BackupSpec.self, from: Array(old.utf8)).command == nil)
    }

    @Test("that can't be is refused in one sentence with its place")
    func refusals() {
        let cases: [((inout FunctionSpec) -> Void, String)] = [
            ({ $0.command = nil }, "spec.command is missing"),
            ({ $0.command = ["/bin/sh"] }, "spec.command[0] is '/bin/sh'; it must be the bare name of a program"),
            ({ $0.command = ["sh -c x"] }, "spec.command[0] is 'sh -c x'; it must be the bare name"),
            ({ $0.command = ["..", "x"] }, "spec.command[0] is '..'; it must be the bare name"),
            ({ $0.command = ["${HOST}"] }, "spec.command[0] is '${HOST}'; it must be the bare name"),
            ({ $0.args = ["-p${PASSWORD}"] }, "spec.args[0] has ${PASSWORD} in it, which every process"),
            ({ $0.command = ["a", "${PASSWORD}"] }, "spec.command[1] has ${PASSWORD} in it, which every process"),
            (
                { $0.args = ["a", "${NAME}"] },
                "spec.args[1] has the variable ${NAME}, which does not exist; there are: HOST,"
            ),
            ({ $0.env = [.init(name: "A B", value: "")] }, "spec.env[0].name is 'A B'; a variable's name has"),
            ({ $0.env = [.init(name: "LD_PRELOAD", value: "x")] }, "spec.env[0].name is 'LD_PRELOAD', which changes"),
            (
                { $0.env = [.init(name: "A", value: ""), .init(name: "A", value: "")] },
                "spec.env[1].name is 'A', which is given twice"
            ),
            ({ $0.env = [.init(name: "A", value: "${B}")] }, "spec.env[0].value has the variable ${B}"),
            ({ $0.file = nil }, "spec.file is missing"),
            ({ $0.file = "../x" }, "spec.file is '../x'; a file's name has"),
            ({ $0.file = "remora.json" }, "spec.file is 'remora.json', which Remora writes itself"),
            ({ $0.check = "" }, "spec.check must have 1 to 256 bytes"),
            ({ $0.stream = .restore }, "spec.check is for a stream that is a Backup"),
            ({ $0.timeOut = GoDuration(milliseconds: 1) }, "spec.timeOut must be at least 1s"),
            ({ $0.image = "mysql:8" }, "spec.image is not for a Function with a stream"),
            ({ $0.stream = nil }, "metadata.name is 'mysql-dump', which is not built in"),
        ]
        for (change, expected) in cases {
            let found = Self.function(change).problems().map(\.description)
            #expect(found.first?.hasPrefix(expected) == true, "\(found) does not begin with \(expected)")
        }
        var builtIn = Self.function()
        builtIn.metadata.name = "mongodb-backup-6.0"
        #expect(builtIn.problems().first?.path == "metadata.name")
        #expect(
            FunctionSpec(stream: nil, file: "x").problems().map(\.description) == [
                "stream is missing, and env, file, check and timeOut are for a Function with one"
            ]
        )
    }

    @Test(
        "an engine may be any word, which is checked as part of other names",
        arguments: ["mysql", "my-sql2", "x/mysql"]
    )
    func engines(type: String) {
        #expect(AppBindingSpec(type: type).problems().isEmpty)
        for bad in ["MySQL", "my.sql", "-a", "", String(repeating: "a", count: 64)] {
            #expect(AppBindingSpec(type: bad).problems().map(\.path) == ["type"], "\(bad)")
        }
    }
}
