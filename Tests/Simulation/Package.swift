// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the pure parts are compiled with optimisation in seconds, and so that nothing else can
// creep into them: the links below Sources/ are the coordinator's and the agent's own files.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .unsafeFlags(["-enable-testing"]),
]

let package = Package(
    name: "simulation",
    targets: [
        .systemLibrary(name: "CCrypto", path: "Sources/CLibs/CCrypto", pkgConfig: "libcrypto"),
        .target(name: "BackupModel", swiftSettings: settings),
        .target(name: "Coordinator", dependencies: ["BackupModel", "CCrypto"], swiftSettings: settings),
        .target(name: "Agent", dependencies: ["BackupModel"], swiftSettings: settings),
        .executableTarget(
            name: "simulate",
            dependencies: ["Coordinator", "Agent", "BackupModel"],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
