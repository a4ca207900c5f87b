import Kubernetes

/// Defaults of a pod's specification, in pods and in templates.
enum PodDefaults {
    static func apply(_ spec: inout JSONTree) {
        spec.fill("restartPolicy", "Always")
        spec.fill("terminationGracePeriodSeconds", 30)
        spec.fill("dnsPolicy", "ClusterFirst")
        spec.fill("schedulerName", "default-scheduler")
        spec.fill("securityContext", [:])
        if spec["enableServiceLinks"] == nil { spec["enableServiceLinks"] = true }
        // Two names for one thing.
        if let account = spec["serviceAccountName"] {
            spec["serviceAccount"] = account
        } else if let account = spec["serviceAccount"] {
            spec["serviceAccountName"] = account
        }
        for list in ["containers", "initContainers"] { spec.modify(list) { $0.modifyElements(container) } }
        spec.modify("volumes") { $0.modifyElements(volume) }
        if spec["hostNetwork"] == true {
            spec.modify("containers") { containers in
                containers.modifyElements { container in
                    container.modify("ports") { ports in
                        ports.modifyElements { port in
                            if let number = port["containerPort"] { port.fill("hostPort", number) }
                        }
                    }
                }
            }
        }
    }

    private static func container(_ container: inout JSONTree) {
        container.fill("terminationMessagePath", "/dev/termination-log")
        container.fill("terminationMessagePolicy", "File")
        container.fill("resources", [:])
        if let image = container["image"]?.string {
            let name = image.split(separator: "/").last.map(String.init) ?? image
            let isLatest = !image.contains("@") && (!name.contains(":") || name.hasSuffix(":latest"))
            container.fill("imagePullPolicy", isLatest ? "Always" : "IfNotPresent")
        }
        container.modify("ports") { ports in ports.modifyElements { $0.fill("protocol", "TCP") } }
        container.modify("env") { env in
            env.modifyElements { variable in
                variable.modify("valueFrom") { source in source.modify("fieldRef") { $0.fill("apiVersion", "v1") } }
                variable.modify("valueFrom") { source in source.modify("resourceFieldRef") { $0.fill("divisor", "0") } }
            }
        }
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            container.modify(probe) { probe in
                probe.fill("timeoutSeconds", 1)
                probe.fill("periodSeconds", 10)
                probe.fill("successThreshold", 1)
                probe.fill("failureThreshold", 3)
                probe.modify("httpGet") { get in
                    get.fill("path", "/")
                    get.fill("scheme", "HTTP")
                }
                probe.modify("grpc") { $0.fill("service", "") }
            }
        }
        container.modify("lifecycle") { lifecycle in
            for handler in ["preStop", "postStart"] {
                lifecycle.modify(handler) { handler in
                    handler.modify("httpGet") { get in
                        get.fill("path", "/")
                        get.fill("scheme", "HTTP")
                    }
                }
            }
        }
        // A limit without a request is the request too.
        container.modify("resources") { resources in
            for (name, limit) in resources["limits"]?.object ?? [:] where resources["requests"]?[name] == nil {
                resources.set("requests", name, to: limit)
            }
        }
    }

    private static func volume(_ volume: inout JSONTree) {
        let sources = (volume.object ?? [:]).filter { $0.key != "name" }
        if sources.isEmpty, volume["name"] != nil { volume["emptyDir"] = [:] }
        for kind in ["secret", "configMap", "projected", "downwardAPI"] {
            volume.modify(kind) { $0.fill("defaultMode", 420) }
        }
        volume.modify("hostPath") { $0.fill("type", "") }
        let files: (inout JSONTree) -> Void = { items in
            items.modifyElements { item in
                item.modify("fieldRef") { $0.fill("apiVersion", "v1") }
                item.modify("resourceFieldRef") { $0.fill("divisor", "0") }
            }
        }
        volume.modify("downwardAPI") { $0.modify("items", files) }
        volume.modify("projected") { projected in
            projected.modify("sources") { sources in
                sources.modifyElements { source in
                    source.modify("serviceAccountToken") { $0.fill("expirationSeconds", 3600) }
                    source.modify("downwardAPI") { $0.modify("items", files) }
                }
            }
        }
    }
}

/// The class of a pod by its requests and limits.
enum QualityOfService {
    static func of(_ pod: JSONTree) -> String {
        let spec = pod["spec"] ?? [:]
        let containers = (spec["containers"]?.array ?? []) + (spec["initContainers"]?.array ?? [])
        var isAny = false
        var isGuaranteed = true
        for container in containers {
            let resources = container["resources"] ?? [:]
            for name in ["cpu", "memory"] {
                let limit = resources["limits"]?[name]?.string.flatMap(Quantity.init)
                let request = resources["requests"]?[name]?.string.flatMap(Quantity.init) ?? limit
                if let limit, !limit.isZero { isAny = true }
                if let request, !request.isZero { isAny = true }
                if limit == nil || request != limit { isGuaranteed = false }
            }
        }
        return !isAny ? "BestEffort" : isGuaranteed ? "Guaranteed" : "Burstable"
    }
}
