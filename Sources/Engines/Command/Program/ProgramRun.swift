import BackupModel

/// One run of a function's program, from its start until it and all that it started are gone.
struct ProgramRun: Sendable {
    let recipe: CommandRecipe
    let command: ResolvedCommand
    let context: any JobContext
    let redactor: Redactor

    /// Runs it and hands its output on; returns when the output has ended and the program has ended well.
    ///
    /// - Returns: the last lines that it said, for a failure that is found later.
    func reading(_ take: (PipeReader) async throws -> Void) async throws -> String {
        try await run(takesInput: false) { program in
            guard let output = program.output else { return true }
            try await take(output)
            return true
        }
    }

    /// Runs it, lets `give` write its input, and closes that; returns when the program has read all and ended well.
    ///
    /// - Parameter give: returns false when the program ended in between.
    /// - Throws: `JobFailure`, `CancellationError`, or what `give` threw.
    func feeding(_ give: (PipeWriter) async throws -> Bool) async throws {
        _ = try await run(takesInput: true) { program in
            guard let input = program.input, try await give(input) else { return false }
            await input.close()
            _ = await program.ending()
            return await input.isEmpty
        }
    }

    private func run(takesInput: Bool, _ body: (RunningProgram) async throws -> Bool) async throws -> String {
        try Task.checkCancellation()
        let program = try await RunningProgram.start(command, name: recipe.program, takesInput: takesInput)
        let lines = ProgramLines(program: recipe.program, context: context, redactor: redactor)
        return try await withTaskCancellationHandler {
            try await withTaskGroup(of: Bool.self) { beside -> Result<String, any Error> in
                beside.addTask {
                    await lines.follow(program.errors)
                    return false
                }
                if let seconds = recipe.timeOutSeconds {
                    beside.addTask {
                        // The only error is a cancellation: the program was in time.
                        guard (try? await Task.sleep(for: .seconds(seconds))) != nil else { return false }
                        program.stop()
                        return true
                    }
                }
                let result = await outcome(of: body, program)
                beside.cancelAll()
                // Its last words come after its end.
                var isLate = false
                for await part in beside where part { isLate = true }
                return Result { try judge(result, isLate: isLate, said: lines.last) }
            }.get()
        } onCancel: {
            program.stop()
        }
    }

    private typealias Outcome = (body: Result<Bool, any Error>, ending: ProgramEnding)

    /// - Returns: what it said last, when all is well.
    private func judge(_ outcome: Outcome, isLate: Bool, said: String) throws -> String {
        try Task.checkCancellation()
        if isLate, let seconds = recipe.timeOutSeconds {
            throw CommandFailure.timedOut(recipe.program, seconds: seconds, said: said)
        }
        let isComplete = try outcome.body.get()
        guard outcome.ending == .exited(0) else {
            throw CommandFailure.ended(recipe.program, outcome.ending, said: said)
        }
        guard isComplete else { throw CommandFailure.stoppedReading(recipe.program, said: said) }
        return said
    }

    private func outcome(
        of body: (RunningProgram) async throws -> Bool,
        _ program: RunningProgram
    ) async -> Outcome {
        do {
            let isComplete = try await body(program)
            // A program that has said all may take its time to end; one that was left in the middle may not.
            if isComplete { _ = await program.ending() }
            return (.success(isComplete), await program.end())
        } catch {
            return (.failure(error), await program.end())
        }
    }
}
