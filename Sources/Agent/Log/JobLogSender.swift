import BackupModel

/// Sends a job's log by byte offset; the coordinator's word on where it ends is the truth.
struct JobLogSender: Sendable {
    /// Bytes of one patch: well below the protocol's limit, and little memory.
    static let patchBytes = 256 << 10
    /// Corrections of the offset in a row after which something is wrong that sending can't mend.
    static let mostRewinds = 8

    let client: CoordinatorClient
    let log: JobLogFile

    /// Sends all there is.
    ///
    /// - Returns: the interval that the coordinator wants, if it was asked at all.
    /// - Throws: `CoordinatorCallError`, also for answers that only concern the log.
    func sendPending() async throws -> Duration? {
        var interval: Duration?
        var rewinds = 0
        while let piece = log.nextPiece(limit: Self.patchBytes) {
            try Task.checkCancellation()
            do {
                let answer = try await client.patchLog(log.jobID, piece)
                log.acknowledge(piece, next: answer.nextOffset)
                interval = .milliseconds(answer.updateIntervalMs)
                // A coordinator that takes a piece without moving on would be sent it for ever.
                rewinds = answer.nextOffset > piece.offset ? 0 : rewinds + 1
            } catch let error as CoordinatorCallError {
                guard case .offset(let offset) = error.kind else { throw error }
                log.moveTo(offset)
                rewinds += 1
            }
            guard rewinds <= Self.mostRewinds else {
                throw CoordinatorCallError(
                    kind: .retryable(after: .seconds(1)),
                    code: "logOffset",
                    message: "the coordinator wants the log of job \(log.jobID) from \(piece.offset) again and again"
                )
            }
        }
        return interval
    }
}
