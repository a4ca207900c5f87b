import HTTPClient

extension KubernetesClient {
    /// Carries out a call, again if that helps and can't do harm.
    ///
    /// - Returns: the answer's tree.
    func perform(_ call: Call) async throws(KubernetesError) -> JSONTree {
        var mayHaveBeenDone = false
        return try await perform(call, &mayHaveBeenDone)
    }

    /// The same, and tells whether an earlier try failed so that nobody knows whether the server carried it out.
    func perform(_ call: Call, _ mayHaveBeenDone: inout Bool) async throws(KubernetesError) -> JSONTree {
        var call = call
        let rules = call.retry ?? configuration.retry
        let begun = time.elapsed()
        var backoff = Backoff(first: rules.firstDelay, longest: rules.longestDelay)
        var isRenewed = false
        while true {
            do {
                return try await attempt(call)
            } catch {
                if error.isUnauthorized, !isRenewed {
                    isRenewed = true
                    await configuration.access.forget()
                    continue
                }
                guard error.isTransient else { throw error }
                if !error.isSurelyUndone {
                    if call.repetition == .harmful { throw error }
                    mayHaveBeenDone = true
                }
                call.avoidsKeptConnections = error.isOfConnection
                try await pause(before: call, after: error, rules, &backoff, begun)
            }
        }
    }

    private func pause(
        before call: Call,
        after error: KubernetesError,
        _ rules: RetryRules,
        _ backoff: inout Backoff,
        _ begun: Duration
    ) async throws(KubernetesError) {
        let jittered = backoff.next(chance: time.chance())
        let pause = error.retryAfter ?? jittered
        let spent = time.elapsed() - begun
        guard backoff.failures < rules.attempts, spent + pause < rules.totalTime else { throw error }
        configuration.onRetry("try \(backoff.failures + 1) of \(rules.attempts) follows in \(pause): \(error.message)")
        do {
            try await time.sleep(pause)
        } catch {
            throw .cancelled(call.summary)
        }
    }

    private func attempt(_ call: Call) async throws(KubernetesError) -> JSONTree {
        let (client, request) = try await prepare(call)
        let response: HTTPResponse
        do {
            response = try await client.send(request)
        } catch {
            throw .transport(error, summary: call.summary)
        }
        return try Answer.judge(
            status: response.status,
            headers: response.headers,
            body: response.body,
            summary: call.summary,
            host: configuration.server
        )
    }

    /// Waits for the call's turn and makes the request with what is to be shown now.
    func prepare(_ call: Call) async throws(KubernetesError) -> (HTTPClient, HTTPRequest) {
        if !call.isUrgent {
            do {
                try await rate.wait()
            } catch {
                throw .cancelled(call.summary)
            }
        }
        let access = try await configuration.access.access()
        var headers = [("Accept", call.accept)]
        if let authorization = access.authorization { headers.append(("Authorization", authorization)) }
        if call.body != nil { headers.append(("Content-Type", call.contentType)) }
        let request = HTTPRequest(
            method: call.method,
            url: configuration.server + call.path,
            headers: headers,
            body: call.body?.bytes ?? [],
            timeout: call.timeout ?? configuration.callTimeout,
            // libcurl itself sends again over a new connection when a kept one broke.
            usesFreshConnection: call.repetition == .harmful || call.avoidsKeptConnections,
            maxResponseBytes: call.largestAnswer
        )
        return (transport(for: access), request)
    }
}

extension KubernetesError {
    static func cancelled(_ summary: String) -> Self { Self(.cancelled, "\(summary) was cancelled") }

    static func transport(_ error: any Error, summary: String) -> Self {
        guard let failure = error as? HTTPClientError else {
            return error is CancellationError
                ? .cancelled(summary) : Self(.unreachable, "cannot \(summary): \(error)", isTransient: true)
        }
        return Answer.error(failure, summary: summary)
    }
}
