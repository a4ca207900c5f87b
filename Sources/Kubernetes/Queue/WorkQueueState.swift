/// The keys that wait for work, as values: an ordered set, those at work, those that came again meanwhile, and timers.
///
/// A key is never at work twice at the same time. One that is added while it is at work comes again when that is done.
struct WorkQueueState<Key: Hashable & Sendable> {
    private struct Timer {
        var due: Duration
        var key: Key
    }

    private var order: [Key] = []
    private var first = 0
    /// In `order`, or added again while at work.
    private var dirty: Set<Key> = []
    private var processing: Set<Key> = []
    /// A binary heap by `due`; may hold timers that an earlier one has overtaken.
    private var timers: [Timer] = []
    private var due: [Key: Duration] = [:]
    private var failures: [Key: Int] = [:]

    /// Keys that wait and are due.
    var count: Int { order.count - first }
    /// Keys at work.
    var workingCount: Int { processing.count }
    /// Keys that wait for a time.
    var delayedCount: Int { due.count }
    /// When the next timer goes off.
    var nextDue: Duration? { timers.first?.due }

    /// Adds a key, unless it waits already.
    mutating func add(_ key: Key) {
        guard dirty.insert(key).inserted, !processing.contains(key) else { return }
        order.append(key)
    }

    /// Adds a key when a time has come; of several times for one key the earliest counts.
    mutating func add(_ key: Key, at time: Duration) {
        if let earlier = due[key], earlier <= time { return }
        due[key] = time
        timers.append(Timer(due: time, key: key))
        siftUp(timers.count - 1)
    }

    /// Adds the keys whose time has come.
    mutating func fire(now: Duration) {
        while let timer = timers.first, timer.due <= now {
            removeFirstTimer()
            guard due[timer.key] == timer.due else { continue }
            due[timer.key] = nil
            add(timer.key)
        }
    }

    /// The next key to work on.
    mutating func take() -> Key? {
        guard first < order.count else { return nil }
        let key = order[first]
        first += 1
        if first > 64, first * 2 > order.count {
            order.removeFirst(first)
            first = 0
        }
        dirty.remove(key)
        processing.insert(key)
        return key
    }

    /// Work on a key is done; it waits again if it was added meanwhile.
    mutating func done(_ key: Key) {
        guard processing.remove(key) != nil, dirty.contains(key) else { return }
        order.append(key)
    }

    /// Counts a failure of a key.
    ///
    /// - Returns: how many there were in a row.
    mutating func fail(_ key: Key) -> Int {
        failures[key, default: 0] += 1
        return failures[key] ?? 1
    }

    /// Failures of a key in a row.
    func failures(of key: Key) -> Int { failures[key] ?? 0 }

    /// Makes earlier failures of a key count no more.
    mutating func forget(_ key: Key) { failures[key] = nil }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0, case let parent = (child - 1) / 2, timers[child].due < timers[parent].due {
            timers.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func removeFirstTimer() {
        timers.swapAt(0, timers.count - 1)
        timers.removeLast()
        var parent = 0
        while true {
            let left = 2 * parent + 1
            var least = parent
            if left < timers.count, timers[left].due < timers[least].due { least = left }
            if left + 1 < timers.count, timers[left + 1].due < timers[least].due { least = left + 1 }
            if least == parent { return }
            timers.swapAt(parent, least)
            parent = least
        }
    }
}
