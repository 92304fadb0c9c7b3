use federation::change::Object as _;
use federation::model::{Affinity, Owner, Protocol, ServiceKind, Time};
use k8s_openapi::api::core::v1::Service;

use super::{convert, read, reject};
use crate::convert::{Convert as _, MAX_PORTS_PER_SERVICE};

const GOOD: &str = r#"
metadata:
  namespace: shop
  name: web
  uid: u-1
  resourceVersion: "7"
  creationTimestamp: "2026-11-01T00:00:00Z"
  labels: {app: web}
spec:
  type: ClusterIP
  clusterIP: 10.12.0.7
  clusterIPs: [10.12.0.7, "fd00::7"]
  sessionAffinity: ClientIP
  sessionAffinityConfig: {clientIP: {timeoutSeconds: 600}}
  ports:
  - {name: http, port: 80, targetPort: web, appProtocol: kubernetes.io/h2c}
  - {name: dns, port: 53, protocol: UDP}
"#;

#[test]
fn a_good_one() {
    let service = convert::<Service>(GOOD).unwrap().unwrap();
    assert_eq!(service.key().to_string(), "shop/web");
    assert_eq!((&*service.uid, &*service.resource_version), ("u-1", "7"));
    assert_eq!(service.created, Time::from_unix_ms(1_793_491_200_000));
    assert_eq!(service.labels.get("app"), Some("web"));
    assert_eq!(service.kind, ServiceKind::ClusterIp);
    assert_eq!(service.cluster_ips.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.12.0.7", "fd00::7"]);
    assert_eq!(service.affinity, Affinity::ClientIp { timeout_s: 600 });
    let ports: Vec<_> =
        service.ports.iter().map(|p| (&*p.name, p.port, p.protocol, p.app_protocol.as_deref())).collect();
    let expected = [("http", 80, Protocol::Tcp, Some("kubernetes.io/h2c")), ("dns", 53, Protocol::Udp, None)];
    assert_eq!(ports, expected);
    assert_eq!(service.owner, Owner::User);
}

#[test]
fn kinds() {
    for (spec, kind) in [
        ("{clusterIP: None, clusterIPs: [None]}", ServiceKind::Headless),
        ("{type: ClusterIP, clusterIP: None, ports: [{port: 80}]}", ServiceKind::Headless),
        ("{type: ExternalName, externalName: example.org}", ServiceKind::ExternalName),
        ("{type: ExternalName, externalName: example.org, clusterIP: None}", ServiceKind::ExternalName),
        ("{type: LoadBalancer, clusterIP: 10.1.1.1, ports: [{port: 80}]}", ServiceKind::ClusterIp),
        ("{type: NodePort, ports: [{port: 80}]}", ServiceKind::ClusterIp),
    ] {
        let service = convert::<Service>(&format!("{{metadata: {{namespace: a, name: b}}, spec: {spec}}}"));
        let service = service.unwrap_or_else(|problems| panic!("{spec}: {problems:?}")).unwrap();
        assert_eq!(service.kind, kind, "{spec}");
        let addresses = usize::from(spec.contains("10.1.1.1"));
        assert_eq!(service.cluster_ips.len(), addresses, "{spec}");
        assert_eq!(service.created, Time::default(), "no creationTimestamp is the oldest time");
    }
}

#[test]
fn bad_ones() {
    let name_63 = "a".repeat(63);
    let name_64 = "a".repeat(64);
    reject::<Service>(
        GOOD,
        &[
            (
                "name: web",
                "name: Web",
                "Service shop/Web: metadata.name: found \"Web\"; expected an RFC 1123 label: \
          lower-case letters, digits and '-', starting and ending with a letter or digit",
            ),
            ("name: web", &format!("name: {name_63}"), "accepted"),
            (
                "name: web",
                &format!("name: {name_64}"),
                &format!("Service shop/{name_64}: metadata.name: found 64 bytes; expected at most 63 bytes"),
            ),
            (
                "  namespace: shop\n",
                "",
                "Service web: metadata.namespace: found nothing; expected a name such as \"eu-1\"",
            ),
            (
                "type: ClusterIP",
                "type: Clusterip",
                "Service shop/web: spec.type: found \"Clusterip\"; expected ClusterIP, NodePort, LoadBalancer or ExternalName",
            ),
            (
                "[10.12.0.7, \"fd00::7\"]",
                "[10.12.0.7, 10.12.0.300]",
                "Service shop/web: spec.clusterIPs[1]: found \"10.12.0.300\"; expected an IP address such as 10.8.0.1 or fd00::1",
            ),
            (
                "[10.12.0.7, \"fd00::7\"]",
                "[169.254.0.1]",
                "Service shop/web: spec.clusterIPs[0]: found 169.254.0.1; expected a unicast address that other hosts can reach: not unspecified, link-local, multicast, broadcast or IPv4-mapped",
            ),
            (
                "\"fd00::7\"]",
                "\"fd00::7\", \"fd00::8\"]",
                "Service shop/web: spec.clusterIPs: found 3 addresses; expected at most 2",
            ),
            ("port: 80", "port: 0", "Service shop/web: spec.ports[0].port: found 0; expected a number from 1 to 65535"),
            (
                "port: 80",
                "port: 65536",
                "Service shop/web: spec.ports[0].port: found 65536; expected a number from 1 to 65535",
            ),
            ("port: 80", "port: 65535", "accepted"),
            (
                "name: http",
                "name: dns",
                "Service shop/web: spec.ports[1].name: found \"dns\" again; expected each port name once",
            ),
            (
                "name: http, ",
                "",
                "Service shop/web: spec.ports[0].name: found nothing; expected a name, because the Service has more than one port",
            ),
            (
                "port: 53, protocol: UDP",
                "port: 80",
                "Service shop/web: spec.ports[1].port: found 80/TCP again; expected each pair of number and protocol once",
            ),
            ("port: 53, protocol: UDP", "port: 80, protocol: UDP", "accepted"),
            (
                "protocol: UDP",
                "protocol: udp",
                "Service shop/web: spec.ports[1].protocol: found \"udp\"; expected TCP, UDP or SCTP",
            ),
            (
                "600",
                "86401",
                "Service shop/web: spec.sessionAffinityConfig.clientIP.timeoutSeconds: found 86401; expected a number from 1 to 86400",
            ),
            (
                "sessionAffinity: ClientIP",
                "sessionAffinity: Cookie",
                "Service shop/web: spec.sessionAffinity: found \"Cookie\"; expected None or ClientIP",
            ),
            (
                "kubernetes.io/h2c",
                &"x".repeat(318),
                "Service shop/web: spec.ports[0].appProtocol: found 318 bytes; expected at most 317 bytes",
            ),
            (
                "app: web",
                &format!("app: {name_64}"),
                "Service shop/web: metadata.labels[\"app\"]: found 64 bytes; expected at most 63 bytes",
            ),
            (
                "  ports:\n  - {name: http, port: 80, targetPort: web, appProtocol: kubernetes.io/h2c}\n  - {name: dns, port: 53, protocol: UDP}\n",
                "",
                "Service shop/web: spec.ports: found no port; expected at least one port",
            ),
        ],
    );
}

#[test]
fn all_slips_are_told_at_once_but_not_more_than_people_read() {
    let bad = GOOD.replace("port: 80", "port: 0").replace("protocol: UDP", "protocol: x").replace("shop", "Shop");
    let problems = convert::<Service>(&bad).unwrap_err();
    assert_eq!(
        problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(),
        ["metadata.namespace", "spec.ports[0].port", "spec.ports[1].protocol"]
    );
    let ports: Vec<_> = (0..50).map(|n| format!("{{name: p{n}, port: 0}}")).collect();
    let many = format!("{{metadata: {{namespace: a, name: b}}, spec: {{ports: [{}]}}}}", ports.join(", "));
    assert_eq!(convert::<Service>(&many).unwrap_err().len(), crate::problem::MAX_PROBLEMS_PER_OBJECT);
}

#[test]
fn ports_are_bounded() {
    let with = |count: usize| {
        let ports: Vec<_> = (1..=count).map(|n| format!("{{name: p{n}, port: {n}}}")).collect();
        convert::<Service>(&format!("{{metadata: {{namespace: a, name: b}}, spec: {{ports: [{}]}}}}", ports.join(", ")))
    };
    assert_eq!(with(MAX_PORTS_PER_SERVICE).unwrap().unwrap().ports.len(), MAX_PORTS_PER_SERVICE);
    let problems = with(MAX_PORTS_PER_SERVICE + 1).unwrap_err();
    assert_eq!(problems[0].to_string(), "Service a/b: spec.ports: found 1001 ports; expected at most 1000");
}

const MIRROR: &str = r#"
metadata:
  namespace: shop
  name: web
  labels: {isthmus.dev/mirror: "true", app.kubernetes.io/managed-by: isthmus}
  annotations: {isthmus.dev/sources: "eu-1,us-1"}
  managedFields: [{manager: isthmus, operation: Apply}, {manager: kubectl-edit, operation: Update}]
spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
"#;

#[test]
fn only_what_is_surely_ours_is_ours() {
    let owner = |yaml: &str| convert::<Service>(yaml).unwrap().unwrap().owner;
    let Owner::Mirror { sources } = owner(MIRROR) else { panic!("ours") };
    assert_eq!(sources.iter().map(ToString::to_string).collect::<Vec<_>>(), ["eu-1", "us-1"]);
    for (from, to) in [
        ("isthmus.dev/mirror: \"true\"", "isthmus.dev/mirror: \"false\""),
        ("isthmus.dev/mirror: \"true\", ", ""),
        ("managed-by: isthmus", "managed-by: helm"),
        ("manager: isthmus,", "manager: helm,"),
    ] {
        assert!(MIRROR.contains(from));
        assert_eq!(owner(&MIRROR.replace(from, to)), Owner::User, "{from} -> {to}");
    }
    for taken in ["spec: {selector: {app: web}, ", "spec: {type: ExternalName, externalName: example.org, "] {
        assert_eq!(owner(&MIRROR.replace("spec: {", taken)), Owner::Adopted, "{taken}");
        let never_ours = MIRROR.replace("spec: {", taken).replace("manager: isthmus,", "manager: helm,");
        assert_eq!(owner(&never_ours), Owner::User, "{taken}");
    }
    let by_hand = MIRROR.lines().filter(|line| !line.contains("managedFields")).collect::<Vec<_>>().join("\n");
    assert!(matches!(owner(&by_hand), Owner::Mirror { .. }), "a file has no managedFields");
    let odd = MIRROR.replace("eu-1,us-1", "eu-1,,NO,us-1");
    assert_eq!(owner(&odd), owner(MIRROR), "what is no cluster id was not written by us");
}

#[test]
fn a_rejected_object_still_has_its_key() {
    let object: Service = read(&GOOD.replace("port: 80", "port: 0"));
    assert!(object.convert().is_err());
    assert_eq!(Service::key_of(&object.metadata).unwrap().to_string(), "shop/web");
    let object: Service = read(&GOOD.replace("name: web", "name: WEB"));
    assert_eq!(Service::key_of(&object.metadata), None);
}
