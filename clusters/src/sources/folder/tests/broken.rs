//! Everything that can be wrong with a file, and the words for it.

use super::{Folder, MEMBER, REGION, docs, service, slice};
use crate::convert::REJECTED;

/// Without the end that those of rejected objects have.
fn shown(text: &str) -> String {
    text.trim_end_matches(&format!("; {REJECTED}")).to_owned()
}

/// Problems of one file in a cluster's folder, with `f` for the file.
fn problems_of(text: impl AsRef<[u8]>) -> Vec<String> {
    let folder = Folder::new(&[("hub.yaml", MEMBER)]);
    folder.write("clusters/eu-1/f.yaml", text);
    folder.problems().iter().map(|text| shown(&text.replace("w/clusters/eu-1/f.yaml", "f"))).collect()
}

/// Problems of one file at the top.
fn hub_problems_of(text: &str) -> Vec<String> {
    Folder::new(&[("f.yaml", text)]).problems().iter().map(|text| shown(&text.replace("w/f.yaml", "f"))).collect()
}

#[test]
fn the_line_is_that_of_the_field() {
    let text = "# first\n---\napiVersion: v1\nkind: Service\nmetadata:\n  namespace: shop\n  name: web\nspec:\n  ports:\n  - name: a\n    port: 80\n  - name: b\n    port: 0\n---\napiVersion: v1\nkind: Service\nmetadata:\n  namespace: shop\n  name: api\nspec:\n  ports:\n    - {port: 80, protocol: tcp}\n  sessionAffinity: x\n";
    assert_eq!(
        problems_of(text),
        [
            "f:13: Service shop/web: spec.ports[1].port: found 0; expected a number from 1 to 65535; the port is not used",
            "f:22: Service shop/api: spec.ports[0].protocol: found \"tcp\"; expected TCP, UDP or SCTP",
            "f:23: Service shop/api: spec.sessionAffinity: found \"x\"; expected None or ClientIP; it has no session affinity",
        ]
    );
    let list = format!(
        "kind: List\napiVersion: v1\nitems:\n- {}",
        service("web").replace('\n', "\n  ").replace("port: 80", "port: 0")
    );
    assert_eq!(
        problems_of(list),
        ["f:7: Service shop/web: spec.ports[0].port: found 0; expected a number from 1 to 65535"]
    );
    let json = "{\"kind\": \"List\", \"apiVersion\": \"v1\", \"items\": [\n {\"apiVersion\": \"v1\", \"kind\": \"Service\",\n  \"metadata\": {\"name\": \"web\", \"namespace\": \"shop\"},\n  \"spec\": {\"ports\": [\n   {\"port\": 80},\n   {\"port\": 81, \"name\": \"b\"}]}}]}";
    assert_eq!(
        problems_of(json),
        [
            "f:5: Service shop/web: spec.ports[0].name: found nothing; expected a name, because the Service has more than one port; the port is not used"
        ]
    );
    let label = slice("web-1", "10.8.0.1").replace("service-name: web", "service-name: Web");
    assert_eq!(
        problems_of(label)[0].split(": found").next(),
        Some("f:3: EndpointSlice shop/web-1: metadata.labels[\"kubernetes.io/service-name\"]")
    );
}

#[test]
fn values_of_the_wrong_shape() {
    let cases = [
        (
            "port: 80",
            "port: web",
            "f:4: Service shop/web: spec.ports[0].port: found string \"web\"; expected a whole number in range",
        ),
        (
            "port: 80",
            "port: 8.5",
            "f:4: Service shop/web: spec.ports[0].port: found floating point `8.5`; expected a whole number in range",
        ),
        (
            "port: 80",
            "port: 99999999999",
            "f:4: Service shop/web: spec.ports[0].port: found integer `99999999999`; expected a whole number in range",
        ),
        ("[{port: 80}]", "{port: 80}", "f:4: Service shop/web: spec.ports: found map; expected a list"),
        (
            "spec: {ports: [{port: 80}]}",
            "spec: []",
            "f:4: Service shop/web: spec: found sequence; expected a mapping of fields",
        ),
        (
            "namespace: shop,",
            "namespace: shop, labels: {a: 1},",
            "f:3: Service shop/web: metadata.labels.a: found 1, which YAML reads as the number 1; expected a text: write \"1\", in quotes",
        ),
        (
            "namespace: shop,",
            "namespace: shop, labels: {a: yes},",
            "f:3: Service shop/web: metadata.labels.a: found yes, which YAML reads as true; expected a text: write \"yes\", in quotes",
        ),
    ];
    for (from, to, expected) in cases {
        assert!(service("web").contains(from));
        assert_eq!(problems_of(service("web").replace(from, to)), [expected], "{from} -> {to}");
    }
    assert_eq!(
        hub_problems_of(&MEMBER.replace("{region: eu}", "{}")),
        ["f:4: MemberCluster eu-1: spec.region: found nothing; expected a value",]
    );
    let traffic = MEMBER.replace("{region: eu}", "\n  region: eu\n  traffic: Off");
    assert_eq!(
        hub_problems_of(&traffic),
        [
            "f:6: MemberCluster eu-1: spec.traffic: found Off, which YAML reads as false; expected a text: write \"Off\", in quotes",
        ]
    );
}

#[test]
fn fields_that_no_program_reads() {
    let member =
        MEMBER.replace("{region: eu}", "\n  region: eu\n  cidrs: {pod: [10.8.0.0/14]}\n  wieght: 5\n  color: red");
    assert_eq!(
        hub_problems_of(&member),
        [
            "f:6: MemberCluster eu-1: spec.cidrs.pod: found a field that is not known; expected \"pods\", which is not set",
            "f:7: MemberCluster eu-1: spec.wieght: found a field that is not known; expected \"weight\", which is not set",
            "f:8: MemberCluster eu-1: spec.color: found a field that is not known; expected one of cidrs, exports, kubeconfigSecretRef, network, readKubeconfigSecretRef, region, traffic, weight",
        ]
    );
    let folder = Folder::new(&[("f.yaml", &member)]);
    assert_eq!(folder.loaded()[2], "hub members full [] rejected [eu-1]", "as kubectl would refuse it");

    // Kubernetes may be newer than we are: only what looks like a typing error is reported, and the object is used.
    let text = service("web")
        .replace("spec: {", "spec: {clusterIp: 10.0.0.1, futureThing: 1, selecter: {a: b}, ")
        .replace("{port: 80}", "{port: 80, nodPort: 7, x: y}");
    let expected = [
        "f:4: Service shop/web: spec.clusterIp: found a field that is not known; expected \"clusterIP\", which is not set; the field is passed over",
        "f:4: Service shop/web: spec.ports[0].nodPort: found a field that is not known; expected \"nodePort\", which is not set; the field is passed over",
        "f:4: Service shop/web: spec.selecter: found a field that is not known; expected \"selector\", which is not set; the field is passed over",
    ];
    assert_eq!(problems_of(&text), expected);
    let folder = Folder::new(&[("hub.yaml", MEMBER), ("clusters/eu-1/f.yaml", &text)]);
    assert_eq!(folder.loaded()[5], "eu-1.1 services full [shop/web]");
    let label = service("web").replace("namespace: shop", "namespace: shop, lables: {a: b}");
    assert_eq!(
        problems_of(label),
        [
            "f:3: Service shop/web: metadata.lables: found a field that is not known; expected \"labels\", which is not set; the field is passed over"
        ]
    );
}

#[test]
fn what_cannot_be_identified_at_all() {
    let expected = "expected a Kubernetes object with apiVersion, kind and metadata.name";
    let cases = [
        ("- a\n- b\n", format!("f:1: File clusters/eu-1/f.yaml: found a list; {expected}")),
        ("hello", format!("f:1: File clusters/eu-1/f.yaml: found a plain value; {expected}")),
        ("metadata: {name: a}", format!("f:1: File clusters/eu-1/f.yaml: kind: found nothing; {expected}")),
        ("\nkind: Service\nmetadata: {name: a}", format!("f:2: File clusters/eu-1/f.yaml: apiVersion: found nothing; {expected}")),
        ("kind: Service\napiVersion: v1", format!("f:1: File clusters/eu-1/f.yaml: metadata.name: found nothing; {expected}")),
        ("kind: Service\napiVersion: v1\nmetadata: {generateName: a-}", format!("f:3: File clusters/eu-1/f.yaml: metadata.name: found nothing; {expected}")),
        ("kind: [Service]\napiVersion: v1", "f:1: File clusters/eu-1/f.yaml: kind: found a list; expected a text".into()),
        ("apiVersion: v1\nkind: Servise\nmetadata: {name: a}", "f:2: File clusters/eu-1/f.yaml: kind: found \"Servise\"; expected \"Service\"".into()),
        ("apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\nmetadata: {name: a}", "f:1: EndpointSlice a: apiVersion: found \"discovery.k8s.io/v1beta1\"; expected discovery.k8s.io/v1".into()),
        ("apiVersion: networking.k8s.io/v1alpha1\nkind: ServiceCIDR\nmetadata: {name: a}", "f:1: ServiceCIDR a: apiVersion: found \"networking.k8s.io/v1alpha1\"; expected networking.k8s.io/v1 or networking.k8s.io/v1beta1".into()),
    ];
    for (text, expected) in cases {
        assert_eq!(problems_of(text), [expected], "{text}");
    }
    assert_eq!(
        problems_of(REGION),
        ["f:1: Region eu: found it in clusters/eu-1/; expected it among the hub's files, outside of clusters/"]
    );
    assert_eq!(
        hub_problems_of(&service("web")),
        ["f:1: Service shop/web: found it among the hub's files; expected it in clusters/<cluster id>/"]
    );
}

#[test]
fn duplicates_name_both_places_and_the_first_counts() {
    let folder = Folder::new(&[
        ("a.yaml", &docs(&[MEMBER.into(), MEMBER.replace("eu}", "us}")])),
        ("b.yaml", MEMBER),
        ("clusters/eu-1/a.yaml", &docs(&[service("web"), service("api")])),
        ("clusters/eu-1/b.yaml", &docs(&[service("x"), service("web").replace("80", "81")])),
    ]);
    assert_eq!(folder.loaded()[5], "eu-1.1 services full [shop/api, shop/web, shop/x]");
    assert_eq!(
        folder.problems(),
        [
            "w/a.yaml:6: MemberCluster eu-1: found a second one of this name; expected it once; the one at w/a.yaml:1 counts",
            "w/b.yaml:1: MemberCluster eu-1: found a second one of this name; expected it once; the one at w/a.yaml:1 counts",
            "w/clusters/eu-1/b.yaml:6: Service shop/web: found a second one of this name; expected it once; the one at w/clusters/eu-1/a.yaml:1 counts",
        ]
    );
    let batches = super::load(&folder.path()).unwrap().batches;
    let ports: Vec<u16> = batches
        .iter()
        .filter_map(|batch| match batch {
            federation::change::Batch::Member {
                changes: federation::change::MemberChanges::Services(federation::change::Delta::Full { objects, .. }),
                ..
            } => Some(objects),
            _ => None,
        })
        .flatten()
        .filter(|service| &*service.key.name == "web")
        .map(|service| service.ports[0].port)
        .collect();
    assert_eq!(ports, [80]);
}

#[test]
fn one_bad_object_is_rejected_alone() {
    let folder = Folder::new(&[
        ("hub.yaml", MEMBER),
        ("clusters/eu-1/a.yaml", &docs(&[service("web"), service("api").replace("80", "0"), service("Bad")])),
    ]);
    assert_eq!(folder.loaded()[5], "eu-1.1 services full [shop/web] rejected [shop/api]");
    assert_eq!(folder.problems().len(), 2);
}

#[test]
fn names_at_their_limits() {
    let at = |len: usize| service(&"n".repeat(len));
    assert_eq!(problems_of(at(63)), Vec::<String>::new());
    assert_eq!(
        problems_of(at(64)),
        [format!("f:3: Service shop/{}: metadata.name: found 64 bytes; expected at most 63 bytes", "n".repeat(64))]
    );
    let member = |len: usize| MEMBER.replace("eu-1", &"m".repeat(len));
    assert_eq!(hub_problems_of(&member(63)), Vec::<String>::new());
    assert_eq!(hub_problems_of(&member(64)).len(), 1);
}

#[test]
fn of_ten_thousand_addresses_in_a_slice_the_first_are_served() {
    let addresses: String = (0..10_000).map(|n| format!("- addresses: [10.8.{}.{}]\n", n / 250, n % 250 + 1)).collect();
    let text = slice("web-1", "10.8.0.1")
        .replace("endpoints: [{addresses: [10.8.0.1]}]\n", &format!("endpoints:\n{addresses}"));
    assert_eq!(
        problems_of(text),
        [
            "f:5: EndpointSlice shop/web-1: endpoints: found 10000 endpoints; expected at most 1000; the endpoints after these are not used"
        ]
    );
}
