import Engines
import Testing

@testable import Agent

@Suite("The agent keeps to its container's memory")
struct MemoryTests {
    private static let enough: [AgentSetting: String] = [
        .enrolmentTokenFile: "/token", .namespace: "shop", .pod: "mongo-0", .cluster: "orders",
    ]

    private func limit(_ files: [String: String]) -> Int? { ControlGroup { files[$0] }.memoryLimit }

    @Test("the limit is read from version 2, from version 1, and from the groups above")
    func files() {
        #expect(limit([:]) == nil)
        #expect(limit(["/sys/fs/cgroup/memory.max": "268435456\n"]) == 256 << 20)
        #expect(limit(["/sys/fs/cgroup/memory.max": "max\n"]) == nil)
        #expect(limit(["/sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728\n"]) == 128 << 20)
        #expect(limit(["/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"]) == nil)
        #expect(limit(["/sys/fs/cgroup/memory.max": "a lot\n"]) == nil)
        #expect(
            limit([
                "/proc/self/cgroup": "0::/kubepods/pod1/agent\n",
                "/sys/fs/cgroup/kubepods/memory.max": "max\n", "/sys/fs/cgroup/kubepods/pod1/memory.max": "104857600\n",
                "/sys/fs/cgroup/kubepods/pod1/agent/memory.max": "209715200\n",
            ]) == 100 << 20
        )
        #expect(
            limit([
                "/proc/self/cgroup": "4:cpu,cpuacct:/x\n3:memory:/pod1\n0::/\n",
                "/sys/fs/cgroup/memory/pod1/memory.limit_in_bytes": "209715200\n",
                "/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1048576\n",
            ]) == 200 << 20
        )
    }

    @Test("buffers have 60 % of the limit, and never more than without one")
    func budget() throws {
        func memory(_ limit: Int?) throws -> MemoryBudget {
            let settings = try AgentSettings(flags: Self.enough, environment: [:], version: "1", memoryLimit: limit) {
                _ in nil
            }
            #expect(settings.mongoDB.memory == settings.configuration.memory)
            return settings.configuration.memory
        }
        #expect(try memory(nil).bytes == MemoryBudget.standard)
        #expect(try !memory(nil).isReduced)
        #expect(try memory(512 << 20).bytes == MemoryBudget.standard)
        #expect(try memory(256 << 20).bytes == Int(0.6 * Double(256 << 20)))
        #expect(try memory(256 << 20).isReduced)
    }

    @Test("what a job's buffers take in all fits into the budget", arguments: [64, 96, 128, 192, 256, 320, 384])
    func shares(_ mebibytes: Int) {
        let memory = MemoryBudget(limit: mebibytes << 20)
        // Packs: those under way, one that waits, one that is filled, each with room for a chunk.
        let packs = (memory.uploads + 2) * (memory.packSize + (4 << 20))
        #expect(packs <= max(memory.bytes, 24 << 20), "\(packs >> 20) MiB of \(memory.bytes >> 20)")
        #expect(memory.packSize >= 4 << 20 && memory.packSize <= 16 << 20)
    }
}
