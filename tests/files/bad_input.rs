//! A folder full of mistakes: each is reported with file, line, field and what would be right, and none keeps the good
//! objects beside it from being served.

use std::path::Path;

use super::ads::{self, ASSIGNMENT, CLUSTER, LISTENER};
use crate::harness::{Isthmus, SOON, Source, run};
use crate::testbed::eventually;

/// Files with mistakes of many kinds, and what `check` says of them.
const MISTAKES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/bad_world");
const EXPECTED: &str = include_str!("bad_world/expected.txt");
/// The API takes at most 1,000.
const HUGE_SLICE: usize = 10_000;
const LONGEST_SUBDOMAIN: usize = 253;
const LONGEST_LABEL: usize = 63;
const WEB: &str = "outbound|80||web.shop.svc.cluster.local";
const GOOD: &str = "clusters/eu-1/a-good.yaml";

#[tokio::test]
async fn check_reports_every_mistake_with_its_place() {
    let world = world();
    let output = run(&["check", "--world", &shown(world.path())]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    let root = format!("{}/", world.path().display());
    let reported: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix(&root))
        .map(|line| line.replace(&root, "<world>/"))
        .filter(|line| !line.contains("generated.yaml"))
        .collect();
    assert_eq!(reported, EXPECTED.lines().collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(1), "{text}");

    // Made here, because they are long: a slice of ten thousand, and names one byte over the limit.
    let generated: Vec<String> =
        text.lines().filter(|line| line.contains("generated.yaml")).map(str::to_owned).collect();
    let [huge, name, label] = &generated[..] else { panic!("{generated:#?}") };
    assert!(
        huge.ends_with(
            "EndpointSlice shop/huge: endpoints: found 10000 endpoints; expected at most 1000; the endpoints after these are \
             not used"
        ),
        "{huge}"
    );
    assert!(
        name.contains(": metadata.name: found 254 bytes; expected at most 253 bytes; the object is not used"),
        "{name}"
    );
    assert!(
        label.contains(": metadata.name: found 64 bytes; expected at most 63 bytes; the object is not used"),
        "{label}"
    );
    assert!(text.contains("FAILED: 1 of 2 members refused"), "{text}");

    // For programs: the same, in fields.
    let output = run(&["check", "--world", &shown(world.path()), "-o", "json"]).await;
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &document["ok"]), (Some(1), &false.into()));
    let problems = document["problems"].as_array().unwrap();
    assert_eq!(problems.len(), EXPECTED.lines().count() + 3);
    for problem in problems {
        assert!(problem["place"]["line"].as_u64().is_some_and(|line| line > 0), "{problem}");
        assert!(problem["found"].is_string() && problem["expected"].is_string(), "{problem}");
    }
}

#[tokio::test]
async fn exit_codes_differ_for_good_broken_and_misused() {
    let world = world();
    let code = async |args: &[&str]| run(args).await.status.code();
    let broken = shown(world.path());
    assert_eq!(code(&["check", "--world", &broken]).await, Some(1));
    // Only what is good in it.
    for file in ["hub.yaml", "clusters/eu-1/fields.yaml", "clusters/eu-1/half.yaml", "clusters/eu-1/tabs.yaml"] {
        std::fs::remove_file(world.path().join(file)).unwrap();
    }
    std::fs::remove_file(world.path().join("clusters/eu-1/generated.yaml")).unwrap();
    for folder in ["clusters/us-1", "clusters/BAD_ID"] {
        std::fs::remove_dir_all(world.path().join(folder)).unwrap();
    }
    assert_eq!(code(&["check", "--world", &broken]).await, Some(1), "a cluster's folder without its MemberCluster");
    std::fs::write(world.path().join("hub.yaml"), HUB).unwrap();
    assert_eq!(code(&["check", "--world", &broken]).await, Some(0));
    assert_eq!(code(&["status", "--world", &broken]).await, Some(0));
    // A clash that a newcomer would bring.
    let add = world.path().join("add.yaml.txt");
    std::fs::write(&add, HUB.replace("name: eu-1}\nspec", "name: eu-2}\nspec")).unwrap();
    assert_eq!(code(&["check", "--world", &broken, "--add", &shown(&add)]).await, Some(1));
    for args in [
        &["check", "--world", "/no/such/folder"][..],
        &["check", "--world", &broken, "--add", "/no/such/file"],
        &["check", "--world", &broken, "-o", "xml"],
        &["region", "--world", &broken],
        &["region", "--region", "Not_A_Name", "--world", &broken],
    ] {
        assert_eq!(code(args).await, Some(2), "{args:?}");
    }
}

#[tokio::test]
async fn all_that_is_good_is_served_and_outlives_its_file_turning_bad() {
    let world = world();
    // Two of its files cannot be understood, so that not all is known of the member: see docs/restarts.md.
    let short = ["--sync-deadline=1".to_owned(), "--member-deadline=1".to_owned()];
    let mut region = Isthmus::region_with("eu", Source::Folder(world.path()), &short);
    region.wait_ready().await;
    let known = region.page("/readyz").await;
    assert!(known.contains("eu-1: KindUnreadable") && known.contains("half.yaml"), "{known}");
    region.has_service("shop/web", &["eu-1"], 2).await;
    let names: Vec<String> = region.services().await.into_keys().collect();
    assert_eq!(names, ["shop/good-neighbour", &format!("shop/{}", "s".repeat(LONGEST_LABEL)), "shop/web"]);
    let node = ads::node("eu", "eu-a", Some("eu-1"));
    let before = ads::everything(region.xds(), &node).await;
    for kind in [CLUSTER, ASSIGNMENT] {
        assert!(before.contains_key(&(kind, WEB.to_owned())), "{:?}", before.keys());
    }

    // Cut off in the middle, as by an editor or a full disk. The last good state stays, and the reason is reported.
    let good = std::fs::read_to_string(world.path().join(GOOD)).unwrap();
    std::fs::write(world.path().join(GOOD), &good[..good.len() - 6]).unwrap();
    let problem = "the broken file is reported";
    let reported = eventually(problem, SOON, async || {
        let page = region.page("/debug/problems").await;
        let all: Vec<serde_json::Value> = serde_json::from_str(&page).map_err(|error| error.to_string())?;
        let ours = |problem: &&serde_json::Value| problem["place"]["file"].as_str().is_some_and(|f| f.ends_with(GOOD));
        all.iter().find(ours).filter(|problem| problem["object"]["kind"] == "File").cloned().ok_or(page)
    })
    .await;
    assert!(reported["lost"].as_str().unwrap().ends_with("what the file held before of the rest stays"), "{reported}");
    let after = ads::everything(region.xds(), &node).await;
    assert_eq!(before, after);

    // One object of it turns bad: that one stays as it was, the others move on.
    let mixed = good.replace("port: 8080", "port: 99999").replace("clusterIP: 10.101.0.12", "clusterIP: 10.101.0.13");
    assert_ne!(mixed, good);
    std::fs::write(world.path().join(GOOD), mixed).unwrap();
    let neighbour = |vip: &str| (LISTENER, format!("{vip}_81"));
    assert!(before.contains_key(&neighbour("10.101.0.12")), "{:?}", before.keys());
    eventually("the good object changed", SOON, async || {
        let now = ads::everything(region.xds(), &node).await;
        let moved = now.contains_key(&neighbour("10.101.0.13")) && !now.contains_key(&neighbour("10.101.0.12"));
        let kept = now.get(&(ASSIGNMENT, WEB.to_owned())) == before.get(&(ASSIGNMENT, WEB.to_owned()));
        if moved && kept { Ok(()) } else { Err(format!("moved {moved}, kept {kept}")) }
    })
    .await;

    // Repaired, and one endpoint fewer.
    std::fs::write(world.path().join(GOOD), good.replace("- addresses: [10.1.0.2]\n", "")).unwrap();
    region.has_service("shop/web", &["eu-1"], 1).await;
    region.must_run();
    assert_eq!(region.stop().await, Some(0));
}

const HUB: &str = "apiVersion: isthmus.dev/v1alpha1\nkind: Region\nmetadata: {name: eu}\nspec: {}\n---\n\
                   apiVersion: isthmus.dev/v1alpha1\nkind: MemberCluster\nmetadata: {name: eu-1}\nspec:\n  region: eu\n  \
                   kubeconfigSecretRef: {name: eu-1}\n  cidrs: {pods: [10.1.0.0/16], services: [10.101.0.0/16]}\n";

/// A copy of the folder with mistakes, and what is too long to be kept there.
fn world() -> tempfile::TempDir {
    let world = tempfile::tempdir().unwrap();
    copy(Path::new(MISTAKES), world.path());
    std::fs::remove_file(world.path().join("expected.txt")).unwrap();
    let longest: String =
        "forty-nine-letters-and-a-dot-make-fifty-of-them-x.".chars().cycle().take(LONGEST_SUBDOMAIN).collect();
    let endpoints: String =
        (0..HUGE_SLICE).map(|i| format!("{{addresses: [10.1.{}.{}]}}, ", 4 + i / 250, 1 + i % 250)).collect();
    let generated = [
        slice("huge", &endpoints),
        slice(&longest, ""),
        slice(&format!("{longest}b"), ""),
        service(&"s".repeat(LONGEST_LABEL)),
        service(&"s".repeat(LONGEST_LABEL + 1)),
    ];
    std::fs::write(world.path().join("clusters/eu-1/generated.yaml"), generated.join("---\n")).unwrap();
    world
}

fn slice(name: &str, endpoints: &str) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {name}, namespace: shop, labels: {{kubernetes.io/service-name: elsewhere}}}}\n\
         addressType: IPv4\nports: [{{name: http, port: 8080}}]\nendpoints: [{endpoints}]\n"
    )
}

fn service(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{ports: [{{name: http, port: 80}}]}}\n"
    )
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
