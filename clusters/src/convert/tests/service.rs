use federation::change::Object as _;
use federation::model::{Affinity, Digest, Families, Family, Owner, Protocol, ServiceKind, Time};
use k8s_openapi::api::core::v1::Service;

use super::{REJECTED, convert, read, reject, taken};
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
                "Service shop/web: spec.type: found \"Clusterip\"; expected ClusterIP, NodePort, LoadBalancer or ExternalName; it is taken for a ClusterIP Service",
            ),
            (
                "[10.12.0.7, \"fd00::7\"]",
                "[10.12.0.7, 10.12.0.300]",
                "Service shop/web: spec.clusterIPs[1]: found \"10.12.0.300\"; expected an IP address such as 10.8.0.1 or fd00::1; requests to this address are not recognised as its own",
            ),
            (
                "[10.12.0.7, \"fd00::7\"]",
                "[169.254.0.1]",
                "Service shop/web: spec.clusterIPs[0]: found 169.254.0.1; expected a unicast address that other hosts can reach: not unspecified, link-local, multicast, broadcast or IPv4-mapped; requests to this address are not recognised as its own",
            ),
            (
                "\"fd00::7\"]",
                "\"fd00::7\", \"fd00::8\"]",
                "Service shop/web: spec.clusterIPs: found 3 addresses; expected at most 2; requests to this address are not recognised as its own",
            ),
            (
                "port: 80",
                "port: 0",
                "Service shop/web: spec.ports[0].port: found 0; expected a number from 1 to 65535; the port is not used",
            ),
            (
                "port: 80",
                "port: 65536",
                "Service shop/web: spec.ports[0].port: found 65536; expected a number from 1 to 65535; the port is not used",
            ),
            ("port: 80", "port: 65535", "accepted"),
            (
                "name: http",
                "name: dns",
                "Service shop/web: spec.ports[1].name: found \"dns\" again; expected each port name once; the port is not used",
            ),
            (
                "name: http, ",
                "",
                "Service shop/web: spec.ports[0].name: found nothing; expected a name, because the Service has more than one port; the port is not used",
            ),
            (
                "port: 53, protocol: UDP",
                "port: 80",
                "Service shop/web: spec.ports[1].port: found 80/TCP again; expected each pair of number and protocol once; the port is not used",
            ),
            ("port: 53, protocol: UDP", "port: 80, protocol: UDP", "accepted"),
            (
                "protocol: UDP",
                "protocol: udp",
                "Service shop/web: spec.ports[1].protocol: found \"udp\"; expected TCP, UDP or SCTP; the port is not used",
            ),
            (
                "600",
                "86401",
                "Service shop/web: spec.sessionAffinityConfig.clientIP.timeoutSeconds: found 86401; expected a number from 1 to 86400; the API's default of 10800 is used",
            ),
            (
                "sessionAffinity: ClientIP",
                "sessionAffinity: Cookie",
                "Service shop/web: spec.sessionAffinity: found \"Cookie\"; expected None or ClientIP; it has no session affinity",
            ),
            (
                "kubernetes.io/h2c",
                &"x".repeat(318),
                "Service shop/web: spec.ports[0].appProtocol: found 318 bytes; expected at most 317; the port's name says which protocol it serves",
            ),
            (
                "app: web",
                &format!("app: {name_64}"),
                "Service shop/web: metadata.labels[\"app\"]: found 64 bytes; expected at most 63 bytes; the label is passed over",
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
fn all_slips_are_reported_at_once_but_not_more_than_people_read() {
    let bad = GOOD.replace("port: 80", "port: 0").replace("protocol: UDP", "protocol: x").replace("shop", "Shop");
    let problems = convert::<Service>(&bad).unwrap_err();
    assert_eq!(
        problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(),
        ["metadata.namespace", "spec.ports[0].port", "spec.ports[1].protocol"]
    );
    let ports: Vec<_> = (0..50).map(|n| format!("{{name: p{n}, port: 0}}")).collect();
    let many = format!("{{metadata: {{namespace: a, name: b}}, spec: {{ports: [{}]}}}}", ports.join(", "));
    let problems = convert::<Service>(&many).unwrap_err();
    assert_eq!(problems.len(), crate::problem::MAX_PROBLEMS_PER_OBJECT);
    assert!(problems.iter().all(|problem| problem.lost == REJECTED), "none of the ports can be used");
    // Why it is not used at all is always reported, however much is wrong with its parts.
    let labels: Vec<_> = (0..9).map(|n| format!("l{n}: {}", "x".repeat(64))).collect();
    let many = many.replace("name: b", &format!("name: b, labels: {{{}}}", labels.join(", ")));
    let problems = convert::<Service>(&many).unwrap_err();
    assert_eq!(problems.len(), crate::problem::MAX_PROBLEMS_PER_OBJECT);
    assert_eq!(problems.last().map(|problem| &*problem.lost), Some(REJECTED));
}

#[test]
fn ports_are_bounded() {
    let with = |count: usize| {
        let ports: Vec<_> = (1..=count).map(|n| format!("{{name: p{n}, port: {n}}}")).collect();
        let spec = ports.join(", ");
        read::<Service>(&format!("{{metadata: {{namespace: a, name: b}}, spec: {{ports: [{spec}]}}}}"))
            .convert()
            .unwrap()
    };
    assert_eq!(with(MAX_PORTS_PER_SERVICE).object.unwrap().ports.len(), MAX_PORTS_PER_SERVICE);
    let many = with(MAX_PORTS_PER_SERVICE + 1);
    let expected =
        "Service a/b: spec.ports: found 1001 ports; expected at most 1000; the ports after these are not used";
    assert_eq!(many.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    assert_eq!(many.object.unwrap().ports.len(), MAX_PORTS_PER_SERVICE);
}

/// As little as possible is lost, and all that is left is used as if nothing were wrong.
#[test]
fn one_bad_field_costs_no_more_than_itself() {
    let shown = |service: &federation::model::Service| {
        let ports: Vec<_> =
            service.ports.iter().map(|p| format!("{}:{}/{}", p.name, p.port, p.protocol.as_str())).collect();
        let ips: Vec<_> = service.cluster_ips.iter().map(ToString::to_string).collect();
        let app = service.ports.first().and_then(|port| port.app_protocol.as_deref()).unwrap_or("-");
        format!("{} {app} | {} | {:?}", ports.join(" "), ips.join(" "), service.affinity)
    };
    let (ports, ips, sticky) = ("http:80/TCP dns:53/UDP", "10.12.0.7 fd00::7", "ClientIp { timeout_s: 600 }");
    let good = format!("{ports} kubernetes.io/h2c | {ips} | {sticky}");
    assert_eq!(shown(&taken::<Service>(GOOD)), good);
    let only_dns = format!("dns:53/UDP - | {ips} | {sticky}");
    let only_http = format!("http:80/TCP kubernetes.io/h2c | {ips} | {sticky}");
    for (from, to, left) in [
        ("port: 80", "port: 70000".to_owned(), &only_dns),
        ("name: http, ", String::new(), &only_dns),
        ("port: 53", "port: 0".into(), &only_http),
        ("protocol: UDP", "protocol: QUIC".into(), &only_http),
        ("name: dns", "name: http".into(), &only_http),
        ("kubernetes.io/h2c", "x".repeat(318), &format!("{ports} - | {ips} | {sticky}")),
        ("\"fd00::7\"", "nonsense".into(), &format!("{ports} kubernetes.io/h2c | 10.12.0.7 | {sticky}")),
        ("600", "0".into(), &format!("{ports} kubernetes.io/h2c | {ips} | ClientIp {{ timeout_s: 10800 }}")),
        (
            "sessionAffinity: ClientIP",
            "sessionAffinity: Sticky".into(),
            &format!("{ports} kubernetes.io/h2c | {ips} | None"),
        ),
        ("type: ClusterIP", "type: MultiCluster".into(), &good),
        ("{app: web}", format!("{{app: {}}}", "a".repeat(64)), &good),
        ("  sessionAffinity:", "  ipFamilies: [IPv4, IPv7]\n  sessionAffinity:".into(), &good),
    ] {
        assert!(GOOD.contains(from));
        assert_eq!(shown(&taken::<Service>(&GOOD.replacen(from, &to, 1))), *left, "{from} -> {to}");
    }
    let lost = taken::<Service>(&GOOD.replace("{app: web}", &format!("{{app: {}, tier: front}}", "a".repeat(64))));
    assert_eq!((lost.labels.get("app"), lost.labels.get("tier")), (None, Some("front")));
    // Without a type that is known and without an address it is not known what it is.
    let unknown = GOOD
        .replace("type: ClusterIP", "type: Other")
        .replace("clusterIP: 10.12.0.7", "x: y")
        .replace("clusterIPs:", "z:");
    assert!(read::<Service>(&unknown).convert().is_err());
}

#[test]
fn families() {
    let (v4, v6) = (Family::V4, Family::V6);
    for (spec, families) in [
        ("{clusterIP: None, ipFamilies: [IPv6, IPv4]}", Some(Families::Both(v6))),
        ("{clusterIP: None, ipFamilies: [IPv6]}", Some(Families::Only(v6))),
        ("{clusterIPs: [None], clusterIP: None, ipFamilies: [IPv4]}", Some(Families::Only(v4))),
        ("{clusterIP: None}", None),
        ("{clusterIP: 10.1.1.1, ports: [{port: 80}]}", Some(Families::Only(v4))),
        ("{clusterIPs: [\"fd00::1\", 10.1.1.1], ports: [{port: 80}]}", Some(Families::Both(v6))),
        ("{clusterIPs: [\"fd00::1\", 10.1.1.1], ipFamilies: [IPv6], ports: [{port: 80}]}", Some(Families::Only(v6))),
        ("{ports: [{port: 80}]}", None),
    ] {
        let service = taken::<Service>(&format!("{{metadata: {{namespace: a, name: b}}, spec: {spec}}}"));
        assert_eq!(service.families, families, "{spec}");
    }
}

const MIRROR: &str = r#"
metadata:
  namespace: shop
  name: web
  labels: {isthmus.dev/mirror: "true", app.kubernetes.io/managed-by: isthmus}
  annotations: {isthmus.dev/sources: "eu-1,us-1", isthmus.dev/hub: h1}
  managedFields: [{manager: isthmus, operation: Apply}, {manager: kubectl-edit, operation: Update}]
spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
"#;

fn owner(yaml: &str) -> Owner {
    convert::<Service>(yaml).unwrap().unwrap().owner
}

/// [`MIRROR`] with something in place of something else.
fn with(from: &str, to: &str) -> String {
    assert!(MIRROR.contains(from), "{from}");
    MIRROR.replace(from, to)
}

#[test]
fn only_what_is_surely_ours_is_ours() {
    let Owner::Mirror(mark) = owner(MIRROR) else { panic!("ours") };
    assert_eq!(mark.sources.iter().map(ToString::to_string).collect::<Vec<_>>(), ["eu-1", "us-1"]);
    assert_eq!((mark.hub, mark.helm, mark.helm_claimed), (Digest::of("h1"), Digest::default(), false));
    // The common label says who else may take it over; ours is another one.
    assert_eq!(owner(&with("managed-by: isthmus", "managed-by: Helm")), owner(MIRROR));
    let by_hand = MIRROR.lines().filter(|line| !line.contains("managedFields")).collect::<Vec<_>>().join("\n");
    assert!(matches!(owner(&by_hand), Owner::Mirror(_)), "a file has no managedFields");
    let odd = MIRROR.replace("eu-1,us-1", "eu-1,,NO,us-1");
    assert_eq!(owner(&odd), owner(MIRROR), "what is no cluster id was not written by us");
    assert_eq!(owner(GOOD), Owner::User);
}

/// A user means the object to be theirs: by its workloads, or by applying it as a whole.
#[test]
fn a_mirror_that_is_taken_over_is_let_go() {
    let edit = "{manager: kubectl-edit, operation: Update}";
    let spec = "fieldsV1: {\"f:spec\": {\"f:ports\": {}}}";
    let label = "fieldsV1: {\"f:metadata\": {\"f:labels\": {\"f:team\": {}}}}";
    for (from, to) in [
        ("spec: {", "spec: {selector: {app: web}, ".to_owned()),
        ("spec: {", "spec: {type: ExternalName, externalName: example.org, ".to_owned()),
        // Without a selector: applied by the client, by the server, by Helm's own patch.
        ("annotations: {", "annotations: {kubectl.kubernetes.io/last-applied-configuration: \"{}\", ".to_owned()),
        (edit, format!("{{manager: kubectl, operation: Apply, {spec}}}")),
        (edit, format!("{{manager: kustomize-controller, operation: Apply, {spec}}}")),
        (edit, format!("{{manager: helm, operation: Update, {label}}}")),
        // The label is what makes it ours: a user who takes it off takes the object.
        ("isthmus.dev/mirror: \"true\", ", String::new()),
        ("isthmus.dev/mirror: \"true\"", "isthmus.dev/mirror: \"false\"".to_owned()),
    ] {
        assert_eq!(owner(&with(from, &to)), Owner::Adopted, "{from} -> {to}");
    }
    // Replaced as a whole: only our claim is left, and it has to go as well.
    let claim = "  managedFields: [{manager: isthmus, operation: Apply, fieldsV1: {\"f:spec\": {}}}]\nspec:";
    assert_eq!(owner(&GOOD.replace("spec:", claim)), Owner::Adopted);
    assert_eq!(owner(&GOOD.replace("spec:", &claim.replace("isthmus", "kubectl"))), Owner::User);
    // Edits of single fields are put back, and what is beside our fields is no claim to the object.
    for kept in [
        format!("{{manager: kubectl-edit, operation: Update, {spec}}}"),
        format!("{{manager: kubectl, operation: Apply, {label}}}"),
        format!("{{manager: kube-controller-manager, operation: Update, subresource: status, {spec}}}"),
    ] {
        assert!(matches!(owner(&with(edit, &kept)), Owner::Mirror(_)), "{kept}");
    }
}

#[test]
fn what_we_did_not_write_is_no_mirror_of_ours() {
    let writer = |name: &str| with("manager: isthmus,", &format!("manager: {name},"));
    // A backup: our label and annotations, another writer.
    let Owner::Restored(mark) = owner(&writer("velero-server")) else { panic!("restored") };
    assert_eq!((mark.sources.len(), mark.hub), (2, Digest::of("h1")));
    assert!(matches!(owner(&writer("kubectl-create")), Owner::Restored(_)));
    // A copy that a user applies, and one that does not say whose it is.
    let copied = writer("kubectl-client-side-apply");
    let applied = "annotations: {kubectl.kubernetes.io/last-applied-configuration: \"{}\", ";
    assert_eq!(owner(&copied.replace("annotations: {", applied)), Owner::Lookalike);
    for unsaid in [", isthmus.dev/hub: h1", "isthmus.dev/sources: \"eu-1,us-1\", "] {
        assert_eq!(owner(&copied.replace(unsaid, "")), Owner::Lookalike, "{unsaid}");
    }
    // With workloads it is a user's, whatever its labels say.
    assert_eq!(owner(&copied.replace("spec: {", "spec: {selector: {app: web}, ")), Owner::User);
    assert_eq!(owner(&copied.replace("isthmus.dev/mirror: \"true\", ", "")), Owner::User);
    let mirror = |yaml: &str| convert::<Service>(yaml).unwrap().unwrap().is_mirror();
    assert!(mirror(&copied) && mirror(&writer("velero-server")) && mirror(MIRROR), "none of them is an export");
}

#[test]
fn a_helm_release_is_read_only_if_helm_would_take_the_object_over() {
    let object = |labels: &str, annotations: &str| {
        format!(
            "{{metadata: {{namespace: a, name: b, labels: {{{labels}}}, annotations: {{{annotations}}}}}, spec: {{ports: [{{port: 80}}]}}}}"
        )
    };
    let helm = |yaml: &str| convert::<Service>(yaml).unwrap().unwrap().helm.map(|helm| helm.name.to_string());
    let (managed, name, namespace) = (
        "app.kubernetes.io/managed-by: Helm",
        "meta.helm.sh/release-name: web",
        "meta.helm.sh/release-namespace: shop",
    );
    assert_eq!(helm(&object(managed, &format!("{name}, {namespace}"))).as_deref(), Some("web"));
    assert_eq!(helm(&object("app.kubernetes.io/managed-by: helm", &format!("{name}, {namespace}"))), None);
    assert_eq!(helm(&object("", &format!("{name}, {namespace}"))), None);
    assert_eq!(helm(&object(managed, name)), None);
    assert_eq!(helm(&object(managed, &format!("{name}, meta.helm.sh/release-namespace: ''"))), None);
    // On a mirror: part of its mark, and who wrote it matters.
    let on_mirror = with("managed-by: isthmus", "managed-by: Helm")
        .replace("annotations: {", &format!("annotations: {{{name}, {namespace}, "));
    let Owner::Mirror(mark) = owner(&on_mirror) else { panic!("ours") };
    assert_ne!(mark.helm, Digest::default());
    let claim = "{manager: kubectl-annotate, operation: Update, fieldsV1: {\"f:metadata\": {\"f:annotations\": {\"f:meta.helm.sh/release-name\": {}}}}}";
    let Owner::Mirror(mark) = owner(&on_mirror.replace("{manager: kubectl-edit, operation: Update}", claim)) else {
        panic!("preparing an adoption is none yet")
    };
    assert!(mark.helm_claimed);
}

#[test]
fn a_rejected_object_still_has_its_key() {
    let object: Service = read(&GOOD.replace("port: 80", "port: 0").replace("port: 53", "port: 0"));
    assert!(object.convert().is_err());
    assert_eq!(Service::key_of(&object.metadata).unwrap().to_string(), "shop/web");
    let object: Service = read(&GOOD.replace("name: web", "name: WEB"));
    assert_eq!(Service::key_of(&object.metadata), None);
}

#[test]
fn internal_traffic_policy_is_read_and_a_new_value_loses_nothing_else() {
    let read = |policy: &str| {
        let with = format!("  type: ClusterIP\n  internalTrafficPolicy: {policy}\n");
        taken::<Service>(&GOOD.replace("  type: ClusterIP\n", &with)).node_local
    };
    assert!(!taken::<Service>(GOOD).node_local && !read("Cluster") && read("Local") && !read("Zone"));
    let problem = "Service shop/web: spec.internalTrafficPolicy: found \"Zone\"; expected Cluster or Local; it is used as if it were Cluster";
    reject::<Service>(GOOD, &[("type: ClusterIP", "type: ClusterIP\n  internalTrafficPolicy: Zone", problem)]);
}
