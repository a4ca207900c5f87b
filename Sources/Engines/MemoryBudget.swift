/// What the buffers of a job may take in all, and how they share it.
///
/// A container that takes more than its limit is killed in the middle of a backup; one with a lower limit works with
/// smaller buffers, and slower.
public struct MemoryBudget: Sendable, Hashable {
    /// Bytes for everything: the most that an agent takes at any size of the data.
    public static let standard = 256 << 20
    /// Share of a limit that buffers may have; the rest is the program, its threads and what the allocator keeps.
    static let share = 0.6

    /// Bytes.
    public var bytes: Int

    /// The standard budget.
    public init() { bytes = Self.standard }

    /// 60 % of a limit, and no more than the standard; nil is no limit.
    public init(limit: Int?) {
        bytes = limit.map { min(Self.standard, Int(Double($0) * Self.share)) } ?? Self.standard
    }

    /// Whether it is less than the standard.
    public var isReduced: Bool { bytes < Self.standard }

    /// Bytes of a pack: up to six are in memory at once, with room for a chunk each.
    public var packSize: Int { min(16 << 20, max(4 << 20, bytes / 16)) }

    /// Packs that are uploaded at once.
    public var uploads: Int {
        if bytes >= 192 << 20 { return 3 }
        return bytes >= 96 << 20 ? 2 : 1
    }

    /// Readers of a backup, each with a reply and a chunk of up to 4 MiB in memory.
    func readers(_ wanted: Int) -> Int {
        isReduced ? max(1, min(wanted, bytes / (32 << 20))) : wanted
    }

    /// Insert streams of a restore, each with chunks that are fetched ahead, copied and on their way.
    func streams(_ wanted: Int) -> Int {
        isReduced ? max(1, min(wanted, bytes / (48 << 20))) : wanted
    }

    /// Chunks that are stored at once, each with up to 4 MiB compressed and as much sealed beside it.
    func storing(_ wanted: Int) -> Int {
        isReduced ? max(1, min(wanted, bytes / (24 << 20))) : wanted
    }
}
