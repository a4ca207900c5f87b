extension KubernetesClient {
    /// Counts the lives of leaders: each gets a number that no earlier one had.
    ///
    /// It is kept in `data.epoch` of a configuration map and written only if nobody else wrote in between. A lease's
    /// `leaseTransitions` won't do: it begins anew when somebody deletes the lease.
    ///
    /// - Parameters:
    ///   - name: the configuration map's name; it is made when there is none.
    ///   - namespace: its namespace.
    ///   - floor: the number is greater than this one, too, such as the greatest that is written elsewhere.
    /// - Returns: the new number, at least 1.
    /// - Throws: `.configuration` when `data.epoch` isn't a number; `.conflict` when others always were quicker.
    public func nextEpoch(name: String, namespace: String, floor: Int64 = 0) async throws(KubernetesError) -> Int64 {
        var last: KubernetesError?
        for _ in 0..<5 {
            do {
                return try await countEpoch(name, namespace, floor)
            } catch {
                guard error.isConflict || error.isAlreadyExists else { throw error }
                last = error
            }
        }
        throw last ?? KubernetesError(.conflict, "cannot count the epoch in ConfigMap \(namespace)/\(name)")
    }

    private func countEpoch(_ name: String, _ namespace: String, _ floor: Int64) async throws(KubernetesError) -> Int64
    {
        var map: KubernetesObject
        do {
            map = try await get(.configMaps, name: name, namespace: namespace)
        } catch {
            guard error.isNotFound else { throw error }
            let first = max(0, floor) + 1
            map = KubernetesObject(.configMaps, name: name, namespace: namespace)
            map["data"] = ["epoch": .string("\(first)")]
            try await create(map, as: .configMaps)
            return first
        }
        let text = map[path: "data", "epoch"]?.string
        guard let present = text.map({ Int64($0) }) ?? 0, present >= 0, present < .max, floor < .max else {
            throw KubernetesError(
                .configuration,
                "cannot count the epoch in ConfigMap \(namespace)/\(name): data.epoch is '\(text ?? "")' and not a number; set it to a number greater than any that agents have seen"
            )
        }
        let next = max(present, floor) + 1
        var data = map["data"] ?? .object([:])
        data["epoch"] = .string("\(next)")
        map["data"] = data
        try await update(map, of: .configMaps)
        return next
    }
}
