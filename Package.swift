// swift-tools-version: 6.2
import PackageDescription

// One line a target: what it is, and what it may touch. Arrows point down only (ARCHITECTURE.md).
// CI sets REMORA_STRICT so that a warning in our own targets fails the build.
let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .enableExperimentalFeature("Lifetimes"),
    ] + (Context.environment["REMORA_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)])

func system(_ name: String, pkgConfig: String, apt package: String) -> Target {
    .systemLibrary(
        name: name,
        path: "Sources/CLibs/\(name)",
        pkgConfig: pkgConfig,
        providers: [.apt([package])]
    )
}

func library(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: settings)
}

func program(
    _ name: String,
    _ dependencies: [Target.Dependency],
    path: String? = nil,
    exclude: [String] = []
) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let yaml: Target.Dependency = .product(name: "Yams", package: "Yams")

let package = Package(
    name: "remora",
    products: [
        .executable(name: "remora", targets: ["remora"]),
        .executable(name: "remora-agent", targets: ["remora-agent"]),
        .executable(name: "remora-coordinator", targets: ["remora-coordinator"]),
    ],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-nio-http2.git", from: "1.46.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
    ],
    targets: [
        system("CMongoC", pkgConfig: "libmongoc-1.0", apt: "libmongoc-dev"),
        system("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
        system("CCrypto", pkgConfig: "libcrypto", apt: "libssl-dev"),
        system("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
        .target(name: "CPlatform", path: "Sources/CLibs/CPlatform"),

        library("BSON", []),
        library("HTTPClient", ["CCurl"]),
        library("ObjectStorage", ["HTTPClient", "CCrypto", "CPlatform"]),
        library("Repository", ["ObjectStorage", "CCrypto", "CZstd"]),
        library("BackupModel", []),
        library("Kubernetes", ["BackupModel", "HTTPClient"]),
        library("KubernetesConfiguration", ["Kubernetes", "BackupModel", "HTTPClient", yaml]),
        library("Injector", ["Kubernetes", "BackupModel", "CCrypto"]),
        library("Engines", ["BSON", "Repository", "BackupModel", "CMongoC", "CCrypto", "CPlatform"]),
        library(
            "Agent",
            [
                "Engines", "Repository", "ObjectStorage", "BackupModel", "HTTPClient", "CPlatform", "CCrypto", logging,
                lifecycle,
            ]
        ),
        library(
            "Coordinator",
            [
                "Repository", "ObjectStorage", "BackupModel", "HTTPClient", "Kubernetes", "Injector", "CCrypto",
                "CPlatform", "CZstd", logging, lifecycle, signals, yaml,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ]
        ),

        program(
            "remora-agent",
            ["Agent", "Engines", "BackupModel", "CPlatform", logging, lifecycle, signals, arguments],
            path: "agent",
            exclude: ["Containerfile"]
        ),
        program(
            "remora-coordinator",
            [
                "Coordinator", "RemoraCLI", "Injector", "BackupModel", "Kubernetes", "KubernetesConfiguration", logging,
                lifecycle, signals, arguments,
            ],
            path: "coordinator",
            exclude: ["Containerfile"]
        ),
        library(
            "RemoraCLI",
            [
                "BackupModel", "HTTPClient", "Repository", "ObjectStorage", "Engines", "Kubernetes",
                "KubernetesConfiguration", "Injector", "CPlatform", arguments, yaml,
            ]
        ),
        program("remora", ["RemoraCLI"]),

        .target(
            name: "TestSupport",
            dependencies: ["CMongoC"],
            path: "Tests/Support",
            exclude: ["FakeAPIServer"],
            swiftSettings: settings
        ),
        library(
            "FakeAPIServer",
            [
                "Kubernetes", "TestSupport", logging, lifecycle, yaml,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "HummingbirdHTTP2", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Tests/Support/FakeAPIServer"
        ),
        program("remora-demo", ["TestSupport"], path: "Tests/Demo"),
        library("PodFuzz", ["Injector", "Kubernetes"], path: "Tests/Fuzz/Pods"),
        program("remora-fuzz", ["PodFuzz"], path: "Tests/Fuzz/Program"),
        program("remora-benchmark", ["TestSupport", "CCrypto", "CZstd", "CPlatform"], path: "benchmarks/Backup"),
        program(
            "remora-benchmark-fleet",
            [
                "TestSupport", "Agent", "BackupModel",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            path: "benchmarks/Fleet"
        ),
        program("remora-benchmark-webhook", ["TestSupport", "HTTPClient"], path: "benchmarks/Webhook"),
        program(
            "remora-benchmark-cluster-mode",
            ["FakeAPIServer", "Kubernetes", "TestSupport"],
            path: "benchmarks/ClusterMode"
        ),
        tests("SupportTests", ["TestSupport"]),
        tests("BSONTests", ["BSON"]),
        tests("HTTPClientTests", ["HTTPClient", "TestSupport"]),
        tests("ObjectStorageTests", ["ObjectStorage", "TestSupport"]),
        tests("RepositoryTests", ["Repository", "ObjectStorage", "TestSupport"]),
        tests("BackupModelTests", ["BackupModel", "TestSupport", yaml]),
        tests(
            "KubernetesTests",
            ["Kubernetes", "KubernetesConfiguration", "HTTPClient", "BackupModel", "FakeAPIServer", "TestSupport"]
        ),
        tests("InjectorTests", ["Injector", "Kubernetes", "BackupModel", "PodFuzz", "TestSupport"]),
        tests("FakeAPIServerTests", ["FakeAPIServer", "Kubernetes", "HTTPClient", "TestSupport", yaml]),
        tests(
            "EnginesTests",
            ["Engines", "BSON", "BackupModel", "Repository", "ObjectStorage", "CPlatform", "TestSupport"]
        ),
        tests(
            "AgentTests",
            [
                "Agent", "Engines", "Repository", "ObjectStorage", "BackupModel", "HTTPClient", logging, lifecycle,
                "TestSupport",
            ]
        ),
        tests(
            "CoordinatorTests",
            [
                "Coordinator", "Repository", "ObjectStorage", "BackupModel", "HTTPClient", "Kubernetes", "Injector",
                "FakeAPIServer", logging, lifecycle, "TestSupport",
            ]
        ),
        tests(
            "RemoraCLITests",
            [
                "RemoraCLI", "BackupModel", "Repository", "ObjectStorage", "Kubernetes", "Injector", "FakeAPIServer",
                "TestSupport", arguments,
            ]
        ),
        tests("EndToEnd", ["TestSupport", "FakeAPIServer", "Injector", "Kubernetes"]),
    ],
    swiftLanguageModes: [.v6]
)
