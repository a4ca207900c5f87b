import Kubernetes

/// The agent's container.
enum AgentContainer {
    /// Everything that its parts are made from.
    struct Parts {
        var request: InjectionRequest
        var cluster: String
        var database: DatabaseContainer
        var data: DataVolume?
        var resources: AgentResources
        var security: AgentSecurity
        var isNative: Bool
    }

    /// - Throws: `InjectionError` with code `.annotation` when nothing tells where the database listens.
    static func make(_ parts: Parts, _ settings: InjectorSettings) throws(InjectionError) -> JSONTree {
        var container: JSONTree = [
            "name": .string(AgentMark.container),
            "image": .string(settings.image),
            "imagePullPolicy": "IfNotPresent",
            "env": .array(try environment(parts, settings) + (parts.data?.variables ?? [])),
            "volumeMounts": .array(mounts(parts)),
            "securityContext": parts.security.tree,
            // No readiness probe: an agent that isn't ready would take the database out of its Service. A socket within
            // the container needs no port.
            "livenessProbe": [
                "exec": ["command": ["remora-agent", "health"]], "periodSeconds": 30, "timeoutSeconds": 5,
                "failureThreshold": 6,
            ],
            "terminationMessagePolicy": "FallbackToLogsOnError",
        ]
        container["resources"] = parts.resources.tree
        if parts.isNative { container["restartPolicy"] = "Always" }
        return container
    }

    private static func environment(
        _ parts: Parts,
        _ settings: InjectorSettings
    ) throws(InjectionError) -> [JSONTree] {
        let request = parts.request
        let isMongoDB = parts.database.preset.engine == EnginePreset.mongodb.engine
        var variables = [
            plain("COORDINATOR", settings.coordinatorURL),
            plain("ENROLMENT_TOKEN_FILE", AgentPlaces.token),
            plain("STATE_DIR", AgentPlaces.state),
            field("NAMESPACE", "metadata.namespace"),
            field("POD", "metadata.name"),
            field("POD_UID", "metadata.uid"),
            field("NODE", "spec.nodeName"),
            plain("CLUSTER", parts.cluster),
            plain("ENGINE", parts.database.preset.engine),
            isMongoDB ? plain("MONGODB_URI", uri(parts, try endpoint(parts))) : plain("ENDPOINT", try endpoint(parts)),
            plain("LOG_LEVEL", request.logLevel.rawValue),
        ]
        if settings.authorityConfigMap != nil { variables.append(plain("CA_FILE", AgentPlaces.authority)) }
        if request.credentials?.uriKey != nil {
            guard isMongoDB else {
                throw InjectionError(
                    .annotation,
                    "\(Annotation.credentialsKeys.name): uri=ENTRY is for MongoDB; name the entries of \(parts.database.preset.engine) "
                        + "by username=ENTRY,password=ENTRY"
                )
            }
            variables.append(plain("CREDENTIALS_URI_FILE", "\(AgentPlaces.credentials)/uri"))
        } else if request.credentials != nil {
            variables.append(plain("USERNAME_FILE", "\(AgentPlaces.credentials)/username"))
            variables.append(plain("PASSWORD_FILE", "\(AgentPlaces.credentials)/password"))
        }
        // What a Function's program does about certificates, its options say.
        guard isMongoDB else { return variables }
        if request.tlsMode == .verifyCA || request.tlsMode == .verifyFull {
            variables.append(plain("TLS_CA_FILE", "\(AgentPlaces.tls)/ca.crt"))
        }
        if request.tlsMode == .verifyCA { variables.append(plain("TLS_ALLOW_INVALID_HOSTNAMES", "true")) }
        if request.tlsMode != .disable, let entry = request.tlsCertificateKey {
            variables.append(plain("TLS_CERTIFICATE_KEY_FILE", "\(AgentPlaces.tls)/\(entry)"))
        }
        return variables
    }

    private static func endpoint(_ parts: Parts) throws(InjectionError) -> String {
        if let endpoint = parts.request.endpoint { return endpoint }
        let preset = parts.database.preset
        guard let port = preset.port(of: parts.database.container) else {
            throw InjectionError(
                .annotation,
                "at which port \(preset.engine) listens in container '\(parts.database.container.name)' isn't clear; set "
                    + "\(Annotation.endpoint.name): 127.0.0.1:PORT"
            )
        }
        // MySQL's programs take "localhost" for a socket in a directory that the agent doesn't have.
        return "\(preset.engine == EnginePreset.mongodb.engine ? "localhost" : "127.0.0.1"):\(port)"
    }

    private static func uri(_ parts: Parts, _ endpoint: String) -> String {
        // Encrypted and unchecked, on loopback: nobody else can answer there.
        let options = parts.request.tlsMode == .require ? "/?tls=true&tlsAllowInvalidCertificates=true" : ""
        return "mongodb://\(endpoint)\(options)"
    }

    private static func plain(_ name: String, _ value: String) -> JSONTree {
        ["name": .string("REMORA_\(name)"), "value": .string(value)]
    }

    private static func field(_ name: String, _ path: String) -> JSONTree {
        ["name": .string("REMORA_\(name)"), "valueFrom": ["fieldRef": ["fieldPath": .string(path)]]]
    }

    private static func mounts(_ parts: Parts) -> [JSONTree] {
        var mounts = [
            mount(AgentPlaces.identityVolume, AgentPlaces.identity, isReadOnly: true),
            mount(AgentPlaces.stateVolume, AgentPlaces.state),
            mount(AgentPlaces.temporaryVolume, AgentPlaces.temporary),
        ]
        if parts.request.credentials != nil {
            mounts.append(mount(AgentPlaces.credentialsVolume, AgentPlaces.credentials, isReadOnly: true))
        }
        if parts.request.tlsSecret != nil, parts.request.tlsMode != .disable {
            mounts.append(mount(AgentPlaces.tlsVolume, AgentPlaces.tls, isReadOnly: true))
        }
        // Where something is mounted, the API server mounts no token: the database's rights in the cluster are none of
        // the agent's (ServiceAccount admission).
        var shadow = mount(AgentPlaces.temporaryVolume, AgentPlaces.serviceAccount, isReadOnly: true)
        shadow["subPath"] = "none"
        mounts.append(shadow)
        if let data = parts.data { mounts.append(data.mount) }
        return mounts
    }

    private static func mount(_ volume: String, _ path: String, isReadOnly: Bool = false) -> JSONTree {
        var mount: JSONTree = ["name": .string(volume), "mountPath": .string(path)]
        if isReadOnly { mount["readOnly"] = true }
        return mount
    }
}
