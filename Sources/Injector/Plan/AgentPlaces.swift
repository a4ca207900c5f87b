/// Where things are in the agent's container.
enum AgentPlaces {
    /// Token, authority, and the pod's labels and annotations as they change.
    static let identity = "/run/remora/identity"
    static let token = "\(identity)/token"
    static let authority = "\(identity)/ca.crt"
    static let credentials = "/run/remora/credentials"
    static let tls = "/run/remora/tls"
    /// Journal, lock notes, logs and the socket for probes: outlives the container.
    static let state = "/var/lib/remora"
    static let temporary = "/tmp"
    /// Where the database's own API token would be mounted.
    static let serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

    static let identityVolume = AgentMark.volumePrefix + "identity"
    static let credentialsVolume = AgentMark.volumePrefix + "credentials"
    static let tlsVolume = AgentMark.volumePrefix + "tls"
    static let stateVolume = AgentMark.volumePrefix + "state"
    static let temporaryVolume = AgentMark.volumePrefix + "tmp"
}
