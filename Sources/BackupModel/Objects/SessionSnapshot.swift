/// One backup as a session's object shows it: what it holds, and the cut to which it restores.
public struct SessionSnapshot: Codable, Sendable, Hashable {
    /// One group's snapshot.
    public typealias Group = BackupView.Group

    /// Session that made it.
    public var session: String
    /// Namespace of that session.
    public var namespace: String?
    /// When its snapshots were all there.
    public var time: Timestamp?
    /// The point of history to which it restores.
    public var cut: ClusterTime?
    /// What it promises.
    public var guarantee: Guarantee?
    /// Documents in all groups.
    public var documents: Int64?
    /// Bytes in all groups.
    public var sizeBytes: Int64?
    /// `sizeBytes` for people, like `75.7Gi`.
    public var size: String?
    /// Bytes that the repositories did not have.
    public var uploadedBytes: Int64?
    /// One a group.
    public var groups: [Group]?

    /// Makes one.
    public init(session: String, namespace: String? = nil) {
        self.session = session
        self.namespace = namespace
    }

    /// Makes one from what a backup's manifest tells.
    public init(_ backup: BackupView) {
        session = backup.session
        namespace = backup.namespace
        time = backup.time
        cut = backup.cut
        guarantee = backup.guarantee
        documents = backup.documents
        sizeBytes = backup.bytes
        size = ByteCount.text(backup.bytes)
        uploadedBytes = backup.bytesAdded
        groups = backup.groups
    }
}

/// Bytes as a person reads them, in Kubernetes' units.
public enum ByteCount {
    /// At most four digits and a unit: `0`, `1023`, `1.5Ki`, `75.7Gi`.
    public static func text(_ bytes: Int64) -> String {
        let units = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
        var value = Double(max(0, bytes))
        var unit = 0
        // 1023.95 would be written 1024.0.
        while value >= (unit == 0 ? 1024 : 1023.95), unit + 1 < units.count {
            value /= 1024
            unit += 1
        }
        if unit == 0 { return "\(max(0, bytes))" }
        let tenths = Int64((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)\(units[unit])" : "\(tenths / 10).\(tenths % 10)\(units[unit])"
    }
}
