/// A pod as an API server sends it: containers, volumes, and the `managedFields` that make most of it.
enum Question {
    static func bytes(of size: Int) -> [UInt8] {
        let pod = """
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"orders-0","generateName":"orders-","namespace":"shop",
             "labels":{"app":"orders","statefulset.kubernetes.io/pod-name":"orders-0","controller-revision-hash":"orders-5d4f8c"},
             "annotations":{"remora.dev/inject":"true","remora.dev/data-mount":"ro","remora.dev/credentials-secret":"orders-backup"},
             "ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"orders","uid":"1","controller":true}],
             "managedFields":[MANAGED]},
             "spec":{"restartPolicy":"Always","securityContext":{"fsGroup":999},"serviceAccountName":"default",
              "initContainers":[{"name":"permissions","image":"busybox","command":["sh","-c","chown -R 999 /data/db"],
                "volumeMounts":[{"name":"data","mountPath":"/data/db"}]}],
              "containers":[{"name":"mongod","image":"mongo:7.0","args":["--replSet","rs0","--bind_ip_all"],
                "ports":[{"containerPort":27017,"name":"mongodb","protocol":"TCP"}],
                "env":[{"name":"POD_NAME","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.name"}}}],
                "resources":{"limits":{"cpu":"2","memory":"4Gi"},"requests":{"cpu":"1","memory":"4Gi"}},
                "volumeMounts":[{"name":"data","mountPath":"/data/db"},{"name":"kube-api-access","readOnly":true,
                  "mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}],
                "terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"},
               {"name":"exporter","image":"percona/mongodb_exporter:0.40","ports":[{"containerPort":9216}]}],
              "volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"data-orders-0"}},
               {"name":"kube-api-access","projected":{"sources":[{"serviceAccountToken":{"path":"token"}}],"defaultMode":420}}],
              "tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}]},
             "status":{"phase":"Pending","qosClass":"Burstable"}}
            """
        let review = """
            {"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002",
             "kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},
             "name":"orders-0","namespace":"shop","operation":"CREATE","object":\(pod),"oldObject":null,"dryRun":false,
             "userInfo":{"username":"system:serviceaccount:kube-system:statefulset-controller","groups":["system:authenticated"]},
             "options":{"apiVersion":"meta.k8s.io/v1","kind":"CreateOptions"}}}
            """
        var fields: [String] = []
        var length = review.utf8.count
        while length < size {
            let entry = """
                {"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":
                 {"f:containers":{"k:{\\"name\\":\\"c\(fields.count)\\"}":{".":{},"f:env":{".":{},"k:{\\"name\\":\\"A\\"}":{".":{},"f:name":{}}},
                 "f:image":{},"f:resources":{".":{},"f:limits":{".":{},"f:cpu":{},"f:memory":{}}},"f:volumeMounts":{".":{}}}}}}}
                """
            fields.append(entry)
            length += entry.utf8.count + 1
        }
        let parts = review.split(separator: "MANAGED", omittingEmptySubsequences: false)
        return Array(parts.joined(separator: fields.joined(separator: ",")).utf8)
    }
}
