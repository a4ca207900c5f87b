import BackupModel
import Kubernetes
import Logging
import Synchronization

/// The kinds that hardly anybody changes: listed from the API server's memory, as often as somebody needs them.
final class ListedKinds: Sendable {
    /// What is listed.
    enum Kind: CaseIterable, Sendable {
        case blueprints
        case tasks
        case functions
        /// AppBindings of `appcatalog.appscode.com`, an API that may not be installed.
        case catalogBindings

        var resource: APIResource {
            switch self {
            case .blueprints: .backupBlueprints
            case .tasks: .tasks
            case .functions: .functions
            case .catalogBindings: .appCatalogBindings
            }
        }
    }

    private let client: KubernetesClient
    private let timing: ListTiming
    private let logger: Logger
    private let listings = Mutex<[Kind: Listing]>([:])

    init(client: KubernetesClient, timing: ListTiming, logger: Logger) {
        self.client = client
        self.timing = timing
        self.logger = logger
    }

    /// What was there when it was listed last.
    subscript(kind: Kind) -> [KubernetesObject] { listings.withLock { $0[kind]?.objects ?? [] } }

    /// Whether a kind's objects are known: until it was listed once, what isn't there may well exist.
    func isKnown(_ kind: Kind) -> Bool {
        listings.withLock { listings in
            if case .listed = listings[kind]?.outcome { return true }
            return listings[kind]?.objects.isEmpty == false
        }
    }

    /// Lists what is due.
    ///
    /// - Parameter wanted: names that something asks for, by kind; of what lives in a namespace, with it (`shop/orders`).
    /// - Returns: the kinds that were listed.
    func listDue(_ wanted: [Kind: Set<String>]) async -> Set<Kind> {
        var listed: Set<Kind> = []
        for kind in Kind.allCases {
            let names = wanted[kind] ?? []
            let now = ContinuousClock.now
            let isDue = listings.withLock { listings in
                let listing = listings[kind]
                let last = listing?.outcome.flatMap { outcome in listing?.time.map { (outcome, now - $0) } }
                return timing.isDue(last, wanted: names)
            }
            guard isDue else { continue }
            do {
                let objects = try await client.list(kind.resource, options: ListOptions(isFromCache: true)).items
                let found = Set(objects.map { ResourceKey($0.key).description })
                listings.withLock {
                    $0[kind] = Listing(objects: objects, outcome: .listed(found, asked: names), time: now)
                }
                listed.insert(kind)
            } catch {
                if error.isCancelled { return listed }
                let isAbsent = error.isNotFound || error.code == .unknownResource || error.isForbidden
                let trouble = "\(error)"
                let isNews = listings.withLock { listings in
                    var listing = listings[kind] ?? Listing()
                    defer { listings[kind] = listing }
                    // What nobody shows us any more isn't there; what can't be asked for now is as it was.
                    if isAbsent { listing.objects = [] }
                    listing.outcome = isAbsent ? .absent : .failed
                    listing.time = now
                    defer { listing.trouble = trouble }
                    return listing.trouble != trouble
                }
                if isAbsent { listed.insert(kind) }
                guard isNews else { continue }
                // That of another project may well not be installed.
                let level: Logger.Level = kind == .catalogBindings && !error.isForbidden ? .info : .warning
                logger.log(level: level, "\(error); it is asked for again now and then, and said no more")
            }
        }
        return listed
    }
}
