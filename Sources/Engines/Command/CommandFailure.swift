import BackupModel
import Glibc

/// Everything that a command engine can fail with: a stable code and one sentence each.
enum CommandFailure {
    static func noRecipe(_ engine: String) -> JobFailure {
        JobFailure(
            code: "badSpec",
            message:
                "the job names no Function, and nothing is built in for \(engine): coordinator and agent don't fit",
            isRetryable: false
        )
    }

    /// The recipe can't be carried out by this agent.
    static func configuration(_ function: String, _ reason: String) -> JobFailure {
        JobFailure(code: "badConfiguration", message: "can't run Function \(function): \(reason)", isRetryable: false)
    }

    static func unsupported(_ sentence: String) -> JobFailure {
        JobFailure(code: "unsupported", message: sentence, isRetryable: false)
    }

    /// The system doesn't let us run it.
    static func notStarted(_ program: String, _ reason: String) -> JobFailure {
        JobFailure(code: "programFailed", message: "can't start \(program): \(reason)", isRetryable: true)
    }

    /// A pipe to or from it fails, which pipes don't do by themselves.
    static func brokenPipe(_ program: String, _ what: String) -> JobFailure {
        JobFailure(
            code: "programFailed",
            message: "the \(what) of \(program) failed: \(String(cString: strerror(errno)))",
            isRetryable: true
        )
    }

    static func ended(_ program: String, _ ending: ProgramEnding, said: String) -> JobFailure {
        JobFailure(
            code: "programFailed",
            message: "\(program) \(ending)\(said.isEmpty ? " and said nothing" : ": \(said)")",
            isRetryable: true
        )
    }

    static func timedOut(_ program: String, seconds: Int, said: String) -> JobFailure {
        JobFailure(
            code: "programTimedOut",
            message: "\(program) was ended because it ran longer than its Function allows (timeOut, \(seconds) s)"
                + (said.isEmpty ? "" : ": \(said)"),
            isRetryable: true
        )
    }

    static func empty(_ program: String, said: String) -> JobFailure {
        JobFailure(
            code: "dumpIncomplete",
            message: "\(program) ended well, but wrote nothing: that is no backup\(said.isEmpty ? "" : ": \(said)")",
            isRetryable: true
        )
    }

    static func withoutEnd(_ program: String, check: String) -> JobFailure {
        JobFailure(
            code: "dumpIncomplete",
            message:
                "\(program) ended well, but the last \(CommandRecipe.checkedBytes) bytes that it wrote don't contain "
                + "'\(check)' (the Function's check): the dump was cut short",
            isRetryable: true
        )
    }

    static func stoppedReading(_ program: String, said: String) -> JobFailure {
        JobFailure(
            code: "programFailed",
            message: "\(program) ended before it had read everything\(said.isEmpty ? "" : ": \(said)")",
            isRetryable: false
        )
    }

    /// Nobody said that what is there may go, and whether something is there can't be told.
    static func mayOverwrite(_ database: String, _ function: String) -> JobFailure {
        unsupported(
            "can't restore: whether \(database) is empty can't be told, and Function \(function) may overwrite what it "
                + "holds; allow that (--drop; in an object: conflict DropCollections)"
        )
    }
}
