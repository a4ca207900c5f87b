import Foundation
import TestSupport

/// Images and containers in a store of their own below a test's directory, made by buildah and podman.
struct Podman: Sendable {
    let directory: TestDirectory
    private let environment: [String: String?]

    /// Why no pod can be run here, with what to do; nil when it can.
    ///
    /// Printed once, so that whoever reads the tests' output sees that something was left out.
    static let obstacle: String? = {
        let reason = whatIsMissing()
        if let reason {
            FileHandle.standardError.write(Data("NOT RUN: the tests of a real pod (\(reason))\n".utf8))
        }
        return reason
    }()

    private static func whatIsMissing() -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for program in ["buildah", "podman", "runc", "mmdebstrap"]
        where !folders.contains(where: { access("\($0)/\(program)", X_OK) == 0 }) {
            return "\(program) is not installed; run: .ci/deps-containers"
        }
        guard getuid() == 0 else { return "containers are made by root here; run the tests as root" }
        for program in ["remora-agent", "remora-coordinator", "remora"] where access("\(release)/\(program)", X_OK) != 0
        {
            return "there is no release build to put into images; run: make release"
        }
        return nil
    }

    /// Where the programs for the images are.
    static let release = "\(Tools.packageRoot)/.build/release"

    /// Writes the configuration that works with every layout of control groups and without rights to raise limits.
    init(in directory: TestDirectory) throws {
        self.directory = directory
        for folder in ["containers/store", "containers/run", "containers/tmp"] {
            _ = try directory.makeDirectory(folder)
        }
        let root = directory.appending("containers")
        try directory.write(
            "[storage]\ndriver = \"overlay\"\nrunroot = \"\(root)/run\"\ngraphroot = \"\(root)/store\"\n",
            to: "containers/storage.conf"
        )
        try directory.write(
            """
            [containers]
            default_ulimits = [\(Self.limits())]
            [engine]
            runtime = "runc"
            cgroup_manager = "cgroupfs"
            events_logger = "file"
            lock_type = "file"
            tmp_dir = "\(root)/tmp"
            """,
            to: "containers/containers.conf"
        )
        environment = [
            "CONTAINERS_STORAGE_CONF": "\(root)/storage.conf", "CONTAINERS_CONF": "\(root)/containers.conf",
            "IMAGE_WORK": "\(root)/work", "TMPDIR": "\(root)/tmp", "BASE": nil,
        ]
    }

    /// Limits that every process here may have: podman's own are more than a container of tests is allowed.
    private static func limits() -> String {
        [("nofile", RLIMIT_NOFILE), ("nproc", __RLIMIT_NPROC)].map { name, kind in
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(kind.rawValue), &limit)
            // Soft and hard alike, because a pod's first container takes nothing else.
            let most = min(limit.rlim_max, 20_000)
            return "\"\(name)=\(most):\(most)\""
        }.joined(separator: ", ")
    }

    /// Makes the images of agent and coordinator as `make images` does, and says how large they are.
    func makeImages() async throws -> String {
        try await run("\(Tools.packageRoot)/.ci/images", Self.release).text
    }

    /// Makes an image with one more program in the base image.
    func makeImage(_ name: String, with program: String) async throws {
        let folder = try directory.makeDirectory("containers/work/\(name)")
        // The file itself: the tests' servers are links.
        let file = URL(fileURLWithPath: program).resolvingSymlinksInPath().path
        try FileManager.default.copyItem(atPath: file, toPath: "\(folder)/program")
        try directory.write(
            "FROM localhost/remora-base:bookworm\nCOPY program /usr/bin/\(name)\n",
            to: "containers/work/\(name)/Containerfile"
        )
        try await run(
            "buildah",
            "bud",
            "--quiet",
            "--isolation",
            "chroot",
            "--pull-never",
            "-t",
            "localhost/\(name):test",
            folder
        )
    }

    /// Runs a program of podman's family, found in `PATH`, and demands that it succeeds.
    @discardableResult
    func run(_ program: String, _ arguments: String...) async throws -> Command.Output {
        try await command(program, arguments).run()
    }

    /// The same with a list of words.
    func runAll(_ words: [String]) async throws {
        guard let program = words.first else { return }
        try await command(program, Array(words.dropFirst())).run()
    }

    /// The same; a failing exit is an answer.
    func output(_ program: String, _ arguments: [String]) async throws -> Command.Output {
        try await command(program, arguments).output()
    }

    private func command(_ program: String, _ arguments: [String]) -> Command {
        Command(
            "/usr/bin/env",
            [program] + arguments,
            environment: environment,
            directory: Tools.packageRoot,
            limit: .seconds(300)
        )
    }

    /// One field of a container, as `podman inspect` shows it.
    func inspect(_ container: String, _ field: String) async throws -> String {
        try await run("podman", "inspect", "--format", "{{\(field)}}", container).text
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Removes every pod and container of this store by its id, and what they leave in the kernel.
    func cleanUp() async {
        for (list, remove) in [
            (["pod", "ps", "-q"], ["pod", "rm", "-f", "-t", "5"]), (["ps", "-aq"], ["rm", "-f", "-t", "5"]),
        ] {
            // Whatever can't be removed is seen by the test, which looks for what is left.
            let ids = (try? await output("podman", list).text) ?? ""
            for id in ids.split(whereSeparator: \.isNewline) { _ = try? await output("podman", remove + [String(id)]) }
        }
        for place in mounts().reversed() { umount2(place, Int32(MNT_DETACH)) }
        for controller in Self.folders("/sys/fs/cgroup") + [""] {
            Self.removeGroups("/sys/fs/cgroup/\(controller)/libpod_parent")
        }
    }

    /// Removes control groups from the leaves up; the kernel keeps those that a process is in.
    private static func removeGroups(_ path: String) {
        for child in folders(path) { removeGroups("\(path)/\(child)") }
        rmdir(path)
    }

    private static func folders(_ path: String) -> [String] {
        // What isn't there has no folders.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { name in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(path)/\(name)", isDirectory: &isFolder)
                && isFolder.boolValue
        }
    }

    /// What is mounted below the store.
    func mounts() -> [String] {
        let text = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        return text.split(whereSeparator: \.isNewline).compactMap { line in
            let place = line.split(separator: " ").dropFirst().first.map(String.init) ?? ""
            return place.hasPrefix(directory.appending("containers")) ? place : nil
        }
    }
}

/// Runs `body` with a store of its own, shows what the containers said when it fails, and leaves nothing behind.
func withPodman(_ name: String, _ body: (Podman) async throws -> Void) async throws {
    try await withTestDirectory(name) { directory in
        let podman = try Podman(in: directory)
        do {
            try await body(podman)
            await podman.cleanUp()
        } catch {
            var said = "\(error)"
            let ids = (try? await podman.output("podman", ["ps", "-aq"]).text) ?? ""
            for id in ids.split(whereSeparator: \.isNewline) {
                guard let log = try? await podman.output("podman", ["logs", "--tail", "25", String(id)]) else {
                    continue
                }
                let title = (try? await podman.inspect(String(id), ".Name")) ?? ""
                said += "\n\(title):\n\(log.text)\(log.errorText)"
            }
            await podman.cleanUp()
            throw TestSupportError(said)
        }
    }
}
