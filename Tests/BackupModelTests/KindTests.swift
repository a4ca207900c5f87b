import BackupModel
import Foundation
import Testing

@Suite struct TaskAndFunctionTests {
    @Test(
        "a task that names what is built in is accepted, Stash's own with their last step too",
        arguments: [
            ("mongodb-backup", ["mongodb-backup"]),
            ("mongodb-backup-4.2.3", ["mongodb-backup-4.2.3", "update-status"]),
            ("mongodb-restore", ["mongodb-restore"]),
        ]
    )
    func builtIn(name: String, steps: [String]) {
        let spec = TaskSpec(steps: steps.map { TaskSpec.Step(name: $0) })
        #expect(TaskObject(metadata: ResourceMetadata(name: name), spec: spec).problems().isEmpty)
    }

    @Test("names that are built in and those of one's own don't mix; each refusal says what is allowed")
    func names() {
        let builtIn = "mongodb-backup, mongodb-restore"
        let versions = "with or without a version behind (mongodb-backup-6.0)"
        func problems(_ name: String, _ steps: String..., namespace: String? = nil) -> [String] {
            TaskObject(
                metadata: ResourceMetadata(name: name, namespace: namespace),
                spec: TaskSpec(steps: steps.map { TaskSpec.Step(name: $0) })
            ).problems().map(\.description)
        }
        #expect(problems("mysql-backup", "mysql-dump", "update-status") == [])
        #expect(
            problems("mysql-backup", "mysql-dump", namespace: "shop") == [
                "metadata.namespace is 'shop'; a Task belongs to the whole cluster, so leave it out"
            ]
        )
        #expect(
            problems("mongodb-backup", "mysql-dump") == [
                "metadata.name is 'mongodb-backup', which is built in (\(builtIn), \(versions)); give yours another name"
            ]
        )
        #expect(
            problems("mine", "mongodb-backup") == [
                "metadata.name is 'mine', and its function mongodb-backup is built in, for which there are the tasks "
                    + "\(builtIn), \(versions)"
            ]
        )
        #expect(problems("mine", "Dump").first?.hasPrefix("spec.steps[0].name 'Dump' is not a name") == true)
        let function = FunctionObject(metadata: ResourceMetadata(name: "pg-dump"), spec: FunctionSpec(image: "pg:1"))
        #expect(
            function.problems().map(\.description) == [
                "metadata.name is 'pg-dump', which is not built in (\(builtIn), update-status, \(versions)); one of your own "
                    + "needs spec.stream: Backup or Restore"
            ]
        )
    }

    @Test("a task needs one step that works; what is unused of it and of a function is said")
    func unused() {
        #expect(TaskSpec(steps: []).problems().first?.message.contains("exactly one") == true)
        #expect(TaskSpec(steps: [.init(name: "update-status")]).problems().first?.path == "steps")
        let both = TaskSpec(steps: [.init(name: "mongodb-backup"), .init(name: "mongodb-restore")])
        #expect(both.problems().map(\.path) == ["steps"])
        var task = TaskSpec(steps: [.init(name: "mongodb-backup", params: [.init(name: "outputDir", value: "/tmp")])])
        task.volumes = .list([])
        #expect(task.notices.count == 2 && task.problems().isEmpty)
        #expect(FunctionSpec().notices.isEmpty)
        #expect(FunctionSpec(command: ["sh"]).notices == ["spec is unused: agents bring what they run with them"])
    }

    @Test("a task's parameter that is given twice is refused, not decided by its place")
    func twice() {
        let reference = TaskReference(
            name: "mongodb-backup",
            params: [.init(name: "parallelism", value: "1"), .init(name: "parallelism", value: "2")]
        )
        #expect(throws: TaskError.self) { try BackupParameters(reference) }
    }
}

@Suite struct BackupBatchTests {
    static func batch(_ members: BackupBatchSpec.Member...) -> BackupBatch {
        var spec = BackupBatchSpec(members: members, repository: ResourceReference(name: "main"), schedule: "@daily")
        spec.backupHistoryLimit = 3
        return BackupBatch(
            metadata: ResourceMetadata(name: "all", namespace: "shop", labels: ["team": "a"]),
            spec: spec
        )
    }

    @Test("a batch becomes a configuration for each member, in order, with what they share")
    func expands() throws {
        let task = TaskReference(name: "mongodb-backup", params: [.init(name: "parallelism", value: "2")])
        let batch = Self.batch(
            .init(target: TargetReference(name: "orders"), task: task),
            .init(target: TargetReference(name: "users"), alias: "people")
        )
        #expect(batch.problems().isEmpty)
        let (configurations, problems) = batch.expand()
        #expect(problems.isEmpty)
        #expect(configurations.map(\.key.description) == ["shop/all-orders", "shop/all-people"])
        #expect(configurations.allSatisfy { $0.problems().isEmpty })
        let first = try #require(configurations.first)
        #expect(first.spec.task == task && first.spec.schedule == "@daily" && first.spec.backupHistoryLimit == 3)
        #expect(first.metadata.labels == ["team": "a", "remora.dev/batch": "all"])
        #expect(configurations.map { $0.metadata.annotations?["remora.dev/batch-position"] } == ["0", "1"])
    }

    @Test("what is wrong with a batch is told once, at the member or at what they share")
    func problems() {
        var batch = Self.batch(
            .init(target: TargetReference(name: "orders")),
            .init(target: TargetReference(name: "users"), task: TaskReference(name: "mongodb-restore"), alias: "orders")
        )
        batch.spec.timeOut = GoDuration(milliseconds: 1)
        #expect(
            batch.problems().map(\.description) == [
                "spec.members[1].task.name is 'mongodb-restore'; allowed: mongodb-backup",
                "spec.members[1].alias is 'orders', and so is that of members[0]; give one of them another",
                "spec.timeOut must be at least 1s",
            ]
        )
        batch.spec.members = []
        #expect(batch.problems().map(\.path).contains("spec.members"))
    }

    @Test("a member whose configuration's name would be too long is told, and the others are made")
    func longName() {
        let long = String(repeating: "x", count: 50)
        let (configurations, problems) = Self.batch(
            .init(target: TargetReference(name: long)),
            .init(target: TargetReference(name: "users"))
        ).expand()
        #expect(configurations.map(\.metadata.name) == ["all-users"])
        #expect(problems.map(\.path) == ["spec.members[0].alias"])
        #expect(problems.first?.message.contains("has 54 bytes, more than the 52 allowed") == true, "\(problems)")
    }
}

@Suite struct BackupBlueprintTests {
    static func blueprint() -> BackupBlueprint {
        let s3 = StorageBackend.S3(bucket: "b", prefix: "backups/${TARGET_NAMESPACE}/${TARGET_NAME}")
        let backend = StorageBackend(s3: s3, storageSecretName: "storage")
        let spec = BackupBlueprintSpec(backend: backend, schedule: "@daily")
        return BackupBlueprint(metadata: ResourceMetadata(name: "daily"), spec: spec)
    }

    @Test("a blueprint becomes a repository, a description and a configuration for a target, with its annotations")
    func expands() throws {
        #expect(Self.blueprint().problems().isEmpty)
        var target = BlueprintTarget(namespace: "shop", name: "orders")
        target.annotations = [
            "remora.dev/blueprint": "daily", "remora.dev/schedule": "@hourly", "params.remora.dev/parallelism": "4",
            "other": "x",
        ]
        let (objects, problems) = Self.blueprint().expand(for: target)
        #expect(problems.isEmpty)
        #expect(objects.repository?.spec.backend.s3?.prefix == "backups/shop/orders")
        #expect(objects.repository?.key.description == "shop/orders")
        #expect(objects.binding?.spec.engine == "mongodb" && objects.binding?.key.description == "shop/orders")
        let configuration = objects.configuration
        #expect(configuration.spec.schedule == "@hourly" && configuration.spec.repository.name == "orders")
        #expect(
            configuration.spec.task == .init(name: "mongodb-backup", params: [.init(name: "parallelism", value: "4")])
        )
        #expect(configuration.metadata.labels == ["remora.dev/blueprint": "daily"])
        target.hasBinding = true
        #expect(Self.blueprint().expand(for: target).objects.binding == nil)
    }

    @Test("repositories in a namespace for all keep apart by name, and only their target's namespace may use them")
    func repositoryNamespace() throws {
        var blueprint = Self.blueprint()
        blueprint.spec.repoNamespace = "backups"
        let (objects, problems) = blueprint.expand(for: BlueprintTarget(namespace: "shop", name: "orders"))
        #expect(problems.isEmpty)
        let repository = try #require(objects.repository)
        #expect(repository.key.description == "backups/shop-orders")
        #expect(objects.configuration.spec.repository == ResourceReference(name: "shop-orders", namespace: "backups"))
        let mayUse = { (namespace: String) in
            repository.spec.mayBeUsed(
                from: namespace,
                own: "backups",
                labels: ["kubernetes.io/metadata.name": namespace]
            )
        }
        #expect(mayUse("shop") && !mayUse("other") && mayUse("backups"))
    }

    @Test("one repository for all is referred to, and none is made")
    func shared() {
        let reference = ResourceReference(name: "main", namespace: "backups")
        let blueprint = BackupBlueprint(
            metadata: ResourceMetadata(name: "daily"),
            spec: BackupBlueprintSpec(repository: reference)
        )
        #expect(blueprint.problems().isEmpty)
        let objects = blueprint.expand(for: BlueprintTarget(namespace: "shop", name: "orders")).objects
        #expect(objects.repository == nil && objects.configuration.spec.repository == reference)
    }

    @Test("what is wrong with a blueprint is told by its own fields")
    func problems() {
        var blueprint = Self.blueprint()
        blueprint.spec.repository = ResourceReference(name: "main")
        blueprint.spec.repoNamespace = "backups"
        blueprint.spec.backupHistoryLimit = 0
        #expect(
            blueprint.problems().map(\.description) == [
                "spec.backend and repository: exactly one of them must be given",
                "spec.repoNamespace is for repositories that are made; with repository none is",
                "spec.repository.namespace is missing; a blueprint belongs to the whole cluster",
                "spec.backupHistoryLimit is 0; allowed: 1 to 1000",
            ]
        )
        blueprint = Self.blueprint()
        blueprint.spec.backend?.s3?.prefix = "x/${TARGET_KIND}/y"
        #expect(
            blueprint.problems().map(\.description)
                == ["spec.backend has ${TARGET_KIND}; allowed: ${TARGET_NAMESPACE}, ${TARGET_NAME}"]
        )
    }

    @Test("an annotation that makes no sense is told as the field that it sets")
    func badAnnotation() {
        var target = BlueprintTarget(namespace: "shop", name: "orders")
        target.annotations = ["params.remora.dev/parallelism": "many"]
        let problems = Self.blueprint().expand(for: target).problems
        #expect(problems.map(\.path) == ["spec.task.params[0].value"])
    }
}

@Suite struct UsagePolicyTests {
    @Test("a selector chooses namespaces by their labels, and none where there are no labels")
    func selector() {
        let selector = LabelSelector(
            matchLabels: ["team": "a"],
            matchExpressions: [
                .init(key: "stage", operator: .isIn, values: ["prod", "test"]),
                .init(key: "frozen", operator: .doesNotExist),
                .init(key: "zone", operator: .isNotIn, values: ["x"]),
                .init(key: "team", operator: .exists),
            ]
        )
        var spec = RepositorySpec(backend: StorageBackend(local: .init(mountPath: "/b"), storageSecretName: "s"))
        spec.usagePolicy = UsagePolicy(allowedNamespaces: .init(from: .selector, selector: selector))
        #expect(spec.problems().isEmpty)
        let may = { (labels: [String: String]?) in spec.mayBeUsed(from: "other", own: "shop", labels: labels) }
        #expect(may(["team": "a", "stage": "prod"]))
        #expect(!may(["team": "b", "stage": "prod"]))
        #expect(!may(["team": "a", "stage": "dev"]))
        #expect(!may(["team": "a", "stage": "prod", "frozen": ""]))
        #expect(!may(["team": "a", "stage": "prod", "zone": "x"]))
        #expect(!may(nil))
        #expect(spec.mayBeUsed(from: "shop", own: "shop"))
    }

    @Test("a selector that can't be meant is told")
    func problems() {
        func problems(_ from: UsagePolicy.AllowedNamespaces.From?, _ selector: LabelSelector?) -> [String] {
            var spec = RepositorySpec(backend: StorageBackend(local: .init(mountPath: "/b"), storageSecretName: "s"))
            spec.usagePolicy = UsagePolicy(allowedNamespaces: .init(from: from, selector: selector))
            return spec.problems().map(\.description)
        }
        let path = "usagePolicy.allowedNamespaces.selector"
        #expect(problems(.selector, nil) == ["\(path) is needed with from: Selector"])
        #expect(problems(.all, LabelSelector()) == ["\(path) is only for from: Selector"])
        let empty = LabelSelector(matchExpressions: [.init(key: "a", operator: .isIn)])
        #expect(problems(.selector, empty) == ["\(path).matchExpressions[0].values is needed with operator In"])
    }

    @Test("a repository that would be wiped with its object is refused")
    func wipeOut() {
        var spec = RepositorySpec(backend: StorageBackend(local: .init(mountPath: "/b"), storageSecretName: "s"))
        spec.wipeOut = true
        #expect(spec.problems().map(\.path) == ["wipeOut"])
        spec.wipeOut = false
        #expect(spec.problems().isEmpty)
    }
}

@Suite struct AppCatalogBindingTests {
    static let text = """
        {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding",
         "metadata": {"name": "orders", "namespace": "shop", "uid": "1", "ownerReferences": [{"name": "x"}]},
         "spec": {"type": "kubedb.com/mongodb", "version": "6.0.5", "appRef": {"name": "orders", "kind": "MongoDB"},
           "clientConfig": {"service": {"name": "orders", "port": 27017, "scheme": "mongodb"}, "caBundle": "YQ=="},
           "secret": {"name": "orders-auth", "kind": "Secret", "apiGroup": ""}, "tlsSecret": {"name": "orders-cert"},
           "parameters": {"kind": "MongoDBConfiguration", "replicaSets": {"host-0": "shard0/a:27017"}},
           "secretTransforms": [{"renameKey": {"from": "a", "to": "b"}}]}}
        """

    @Test("an AppBinding of another group becomes a target of ours; what does nothing here is said")
    func decodes() throws {
        let foreign = try JSONDecoder().decode(AppCatalogBinding.self, from: Data(Self.text.utf8))
        let (binding, notices) = foreign.appBinding()
        #expect(binding.problems().isEmpty)
        #expect(binding.apiVersion == "remora.dev/v1alpha1" && binding.key.description == "shop/orders")
        #expect(binding.spec.engine == "mongodb" && binding.spec.version == "6.0.5")
        #expect(binding.spec.clientConfig?.service?.port == 27017 && binding.spec.clientConfig?.caBundle == "YQ==")
        #expect(binding.spec.secret?.name == "orders-auth" && binding.spec.tlsSecret?.name == "orders-cert")
        #expect(notices == ["spec.secretTransforms is unused: the secret needs the keys username and password"])
    }

    @Test("one without a type, or whose type is no engine's name, is no target")
    func foreignEngine() throws {
        for type in ["\"type\": \"kubedb.com/Redis\"", "\"version\": \"1\""] {
            let text = """
                {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding",
                 "metadata": {"name": "cache"}, "spec": {\(type)}}
                """
            let foreign = try JSONDecoder().decode(AppCatalogBinding.self, from: Data(text.utf8))
            #expect(foreign.appBinding().binding.problems().map(\.path) == ["spec.type"])
        }
    }
}
