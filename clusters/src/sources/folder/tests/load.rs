//! A folder read once.

use std::os::unix::fs::symlink;

use super::{Folder, MEMBER, REGION, docs, exists, load, service, slice};

#[test]
fn everything_is_sent_in_order_and_empty_kinds_too() {
    let policy = "apiVersion: isthmus.dev/v1alpha1\nkind: FederationPolicy\nmetadata: {name: default}\nspec: {}\n";
    let cluster = docs(&[
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-system, uid: 0f-1}\n".into(),
        "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nspec: {podCIDR: 10.8.0.0/24}\n".into(),
        "apiVersion: networking.k8s.io/v1beta1\nkind: ServiceCIDR\nmetadata: {name: kubernetes}\nspec: {cidrs: [10.12.0.0/20]}\n".into(),
        "apiVersion: multicluster.x-k8s.io/v1alpha1\nkind: ServiceExport\nmetadata: {namespace: shop, name: web}\n".into(),
        service("web"),
        slice("web-1", "10.8.0.1"),
    ]);
    let folder = Folder::new(&[
        ("b.yaml", &docs(&[MEMBER.into(), policy.into()])),
        ("a.yml", REGION),
        ("notes.txt", "not YAML: ["),
        (".hidden.yaml", "["),
        ("clusters/eu-1/all.yaml", &cluster),
    ]);
    assert_eq!(
        folder.loaded(),
        [
            "hub regions full [eu]",
            "hub policies full [default]",
            "hub members full [eu-1]",
            "eu-1.1 up as 0f-1 (folder)",
            "eu-1.1 namespaces full [kube-system]",
            "eu-1.1 services full [shop/web]",
            "eu-1.1 slices full [shop/web-1]",
            "eu-1.1 nodes full [n1]",
            "eu-1.1 servicecidrs full [kubernetes]",
            "eu-1.1 exports full [shop/web]",
        ]
    );
    assert_eq!(folder.problems(), Vec::<String>::new());
}

#[test]
fn an_empty_folder_is_an_empty_world_and_no_folder_is_an_error() {
    let folder = Folder::new(&[("README.md", "")]);
    assert_eq!(folder.loaded(), ["hub regions full []", "hub policies full []", "hub members full []"]);
    let nowhere = folder.path().join("nowhere");
    assert_eq!(load(&nowhere).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    assert!(load(&folder.path().join("README.md")).is_err());
}

#[test]
fn members_and_folders_that_do_not_match() {
    let folder = Folder::new(&[
        ("hub.yaml", &docs(&[MEMBER.into(), MEMBER.replace("eu-1", "us-1")])),
        ("clusters/eu-1/a.yaml", "# nothing yet"),
        ("clusters/ap-1/a.yaml", &service("web")),
        ("clusters/EU_2/a.yaml", &service("web")),
        ("clusters/stray.yaml", &service("web")),
    ]);
    let sent = folder.loaded();
    assert_eq!(sent[2], "hub members full [eu-1, us-1]");
    assert_eq!(sent[3], "eu-1.1 up as folder:eu-1 (folder)");
    assert_eq!(sent[4..10].iter().filter(|text| text.ends_with("full []")).count(), 6);
    assert_eq!(sent[10..], ["us-1.0 down: Unreachable: there is no folder w/clusters/us-1"]);
    assert_eq!(
        folder.problems(),
        [
            "w/clusters/ap-1:1: Folder clusters/ap-1: found no MemberCluster named \"ap-1\"; expected one among the hub's files; until then this is not used",
            "w/clusters/EU_2:1: Folder clusters/EU_2: found \"EU_2\"; expected a cluster id: lower-case letters, digits and '-', at most 63 bytes",
            "w/clusters/stray.yaml:1: File clusters/stray.yaml: found it in clusters/ itself; expected it in clusters/<cluster id>/, or outside of clusters/ if it is the hub's; it is not read",
        ]
    );
}

#[test]
fn lists_and_dumps_are_taken_as_they_are() {
    let dump = r#"apiVersion: v1
items:
- apiVersion: v1
  kind: Service
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"v1","kind":"Service"}
    creationTimestamp: "2026-11-01T00:00:00Z"
    managedFields:
    - apiVersion: v1
      fieldsType: FieldsV1
      fieldsV1: {"f:spec": {"f:ports": {".": {}}}}
      manager: kubectl
      operation: Update
      time: "2026-11-01T00:00:00Z"
    name: web
    namespace: shop
    resourceVersion: "12"
    uid: 5d1b
  spec:
    allocateLoadBalancerNodePorts: true
    clusterIP: 10.12.0.9
    clusterIPs:
    - 10.12.0.9
    internalTrafficPolicy: Cluster
    ipFamilies:
    - IPv4
    ports:
    - {name: http, port: 80, protocol: TCP, targetPort: 8080}
    someFieldOfTheFuture: {a: 1}
    sessionAffinity: None
    type: LoadBalancer
  status:
    loadBalancer: {}
- apiVersion: v1
  kind: Pod
  metadata: {name: web-1, namespace: shop}
- apiVersion: v1
  kind: Pod
  metadata: {name: web-2, namespace: shop}
kind: List
metadata:
  resourceVersion: ""
"#;
    let raw = r#"{"kind": "NamespaceList", "apiVersion": "v1", "metadata": {"resourceVersion": "9"}, "items": [
	{"metadata": {"name": "shop", "uid": "u"}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}},
	{"metadata": {"name": "other", "creationTimestamp": null}}
]}"#;
    let folder =
        Folder::new(&[("hub.yaml", MEMBER), ("clusters/eu-1/dump.yaml", dump), ("clusters/eu-1/raw.json", raw)]);
    let sent = folder.loaded();
    assert_eq!(sent[4..6], ["eu-1.1 namespaces full [other, shop]", "eu-1.1 services full [shop/web]"]);
    assert_eq!(folder.problems(), Vec::<String>::new());
    assert_eq!(folder.passed_over(), ["w/clusters/eu-1/dump.yaml:36: v1 Pod (2 objects)"]);
}

#[test]
fn line_ends_marks_and_empty_documents() {
    let unix = docs(&[service("a"), "# nothing\n".into(), String::new(), service("b")]);
    for text in [
        unix.clone(),
        unix.replace('\n', "\r\n"),
        format!("\u{feff}{unix}"),
        format!("%YAML 1.2\n---\n{unix}"),
        format!("---\n\n---\n{unix}\n...\n---\n# the end"),
        unix.trim_end().to_owned(),
    ] {
        let folder = Folder::new(&[("hub.yaml", MEMBER), ("clusters/eu-1/a.yaml", &text)]);
        assert_eq!(folder.loaded()[5], "eu-1.1 services full [shop/a, shop/b]", "{text:?}");
        assert_eq!(folder.problems(), Vec::<String>::new(), "{text:?}");
    }
}

#[test]
fn links_are_followed_to_files_and_not_in_circles() {
    let folder = Folder::new(&[("hub.yaml", MEMBER), ("../elsewhere/web.yaml", &service("web"))]);
    folder.write("clusters/eu-1/keep.txt", "");
    let cluster = folder.path().join("clusters/eu-1");
    symlink(folder.path().join("../elsewhere/web.yaml"), cluster.join("web.yaml")).unwrap();
    symlink("loop.yaml", cluster.join("loop.yaml")).unwrap();
    symlink("..", cluster.join("up")).unwrap();
    symlink("nothing", cluster.join("nothing.yaml")).unwrap();
    symlink("eu-1", folder.path().join("clusters/eu-2")).unwrap();
    std::fs::create_dir(cluster.join("folder.yaml")).unwrap();
    assert!(exists(&cluster.join("web.yaml")));
    assert!(folder.loaded().contains(&"eu-1.1 services full [shop/web]".to_owned()));
    let problems = folder.problems();
    assert_eq!(
        problems[0],
        "w/clusters/eu-2:1: Folder clusters/eu-2: found no MemberCluster named \"eu-2\"; expected one among the hub's files; until then this is not used"
    );
    assert_eq!(
        problems[1],
        "w/clusters/eu-1/up:1: Folder clusters/eu-1/up: found a link to a folder; expected a folder, or links to the files in it; it is passed over"
    );
    assert!(problems[2].starts_with("w/clusters/eu-2/up:1: "), "{problems:?}");
    assert_eq!(
        problems[3],
        "w/clusters/eu-1/loop.yaml:1: File clusters/eu-1/loop.yaml: found Too many levels of symbolic links (os error 40); expected a file that can be read; what it held before stays"
    );
    assert_eq!(
        problems[4],
        "w/clusters/eu-1/nothing.yaml:1: File clusters/eu-1/nothing.yaml: found No such file or directory (os error 2); expected a file that can be read; what it held before stays"
    );
}

#[test]
fn nothing_else_than_a_file_is_opened() {
    let folder = Folder::new(&[("hub.yaml", MEMBER), ("clusters/eu-1/a.yaml", &service("web"))]);
    // Opening a socket fails, opening a pipe would wait forever.
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("clusters/eu-1/s.yaml")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("clusters/eu-1/p.yaml")).status();
    assert!(made.unwrap().success());
    assert_eq!(folder.loaded()[5], "eu-1.1 services full [shop/web]");
    // Links to devices, which block or have no end.
    for (name, target) in [("t.yaml", "/dev/tty"), ("z.yaml", "/dev/zero")] {
        std::os::unix::fs::symlink(target, folder.path().join("clusters/eu-1").join(name)).unwrap();
    }
    let sent = |file: &str, found: &str| {
        format!(
            "w/clusters/eu-1/{file}:1: File clusters/eu-1/{file}: found {found}; expected a regular file, or a link to \
             one; it is passed over"
        )
    };
    let odd = [("p.yaml", "a FIFO"), ("s.yaml", "a socket"), ("t.yaml", "a device"), ("z.yaml", "a device")];
    assert_eq!(folder.problems(), odd.map(|(file, found)| sent(file, found)));
    assert_eq!(folder.loaded()[5], "eu-1.1 services full [shop/web]", "what is beside them is used");
}
