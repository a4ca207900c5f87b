import BackupModel
import Repository

extension Moment {
    /// The time of a snapshot, to the millisecond.
    init(_ time: SnapshotTime) {
        self.init(unixMs: time.seconds * 1000 + Int64(time.nanoseconds) / 1_000_000)
    }
}
