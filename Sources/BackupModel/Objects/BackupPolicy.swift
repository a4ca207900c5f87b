/// What configurations, blueprints and batches say alike about how a backup is made, and how it is judged.
struct BackupPolicy {
    var backupHistoryLimit: Int?
    var timeOut: GoDuration?
    var retryConfig: RetryConfig?
    var retentionPolicy: RetentionPolicy?
    var task: TaskReference?

    /// What is wrong with it, by field.
    func problems() -> [FieldProblem] {
        var found: [FieldProblem] = []
        if let value = backupHistoryLimit, !(1...1000).contains(value) {
            found.append(FieldProblem("backupHistoryLimit", "is \(value); allowed: 1 to 1000"))
        }
        if let value = timeOut, value.milliseconds < 1000 {
            found.append(FieldProblem("timeOut", "must be at least 1s"))
        }
        if let value = retryConfig?.maxRetry, !(0...20).contains(value) {
            found.append(FieldProblem("retryConfig.maxRetry", "is \(value); allowed: 0 to 20"))
        }
        found += (retentionPolicy?.problems() ?? []).map { FieldProblem("retentionPolicy." + $0.path, $0.message) }
        if let task, !task.isBuiltIn {
            found += task.ownProblems.map { FieldProblem("task." + $0.path, $0.message) }
            return found
        }
        do {
            _ = try BackupParameters(task)
        } catch {
            found.append(FieldProblem("task." + error.problem.path, error.problem.message))
        }
        return found
    }
}
