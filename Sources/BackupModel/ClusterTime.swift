/// A point in a replica set's history: seconds since 1970 and an ordinal within the second (BSON Timestamp).
public struct ClusterTime: Codable, Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Seconds since 1970.
    public var t: UInt32
    /// Ordinal of the operation within that second, from 1.
    public var i: UInt32

    /// Makes one from seconds and ordinal.
    public init(t: UInt32, i: UInt32) {
        self.t = t
        self.i = i
    }

    /// Makes one from the 64 bits that BSON and oplog record ids use: seconds above, ordinal below.
    public init(bits: UInt64) {
        self.init(t: UInt32(truncatingIfNeeded: bits >> 32), i: UInt32(truncatingIfNeeded: bits))
    }

    /// Seconds above, ordinal below.
    public var bits: UInt64 { UInt64(t) << 32 | UInt64(i) }

    /// `seconds:ordinal`.
    public var description: String { "\(t):\(i)" }

    /// Order in time.
    public static func < (left: ClusterTime, right: ClusterTime) -> Bool { left.bits < right.bits }
}
