public import BackupModel

extension Timestamp {
    /// With six digits behind the point, as Go's `MicroTime` demands: `2026-08-22T10:00:00.250000Z`.
    public var microTime: String {
        let milliseconds = ((unixMs % 1000) + 1000) % 1000
        let whole = Timestamp(unixMs: unixMs - milliseconds).description.dropLast()
        let digits = String(milliseconds)
        return "\(whole).\(String(repeating: "0", count: 3 - digits.count))\(digits)000Z"
    }
}
