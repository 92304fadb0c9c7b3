//! Commands that run until they are stopped: probes, metrics, mirrors as files, a graceful end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::world::{serve, world};
use crate::harness::{Isthmus, SOON, Source, objects, run};
use crate::testbed::process::Process;
use crate::testbed::{eventually, http, ports};

const PAGE_LIMIT: std::time::Duration = std::time::Duration::from_secs(5);
/// What a first dashboard needs: is it there, does it know the world, who is in it, is anything wrong, are proxies served?
const FIRST_SET: [&str; 14] = [
    "isthmus_build",
    "isthmus_synced",
    "isthmus_services",
    "isthmus_member_connected",
    "isthmus_member_admitted",
    "isthmus_member_services",
    "isthmus_member_endpoints",
    "isthmus_engine_rounds",
    "isthmus_engine_last_round_seconds",
    "isthmus_xds_streams",
    "isthmus_xds_responses",
    "isthmus_xds_acks",
    "isthmus_xds_nacks",
    "isthmus_xds_resources",
];

#[tokio::test]
async fn a_region_answers_its_probes_and_ends_on_sigterm() {
    let world = world();
    let mut region = Isthmus::region("eu", Source::Folder(world.path()));
    region.wait_ready().await;
    assert_eq!(region.page("/livez").await, "ok\n");
    assert_eq!(region.page("/readyz").await, "ok\n");
    region.has_service("shop/web", &["eu-1"], 2).await;

    let families = families(&region.page("/metrics").await);
    for name in FIRST_SET {
        assert!(families.contains_key(name), "no {name} among {:?}", families.keys());
    }
    let metrics = region.metrics().await;
    assert_eq!(metrics["isthmus_synced"], 1.0);
    assert_eq!(metrics["isthmus_services"], 1.0);
    assert_eq!(metrics["isthmus_member_endpoints{cluster=\"eu-1\",region=\"eu\"}"], 2.0);

    // The same, asked from another process.
    let admin = format!("--admin=http://{}", region.admin());
    let asked = run(&["status", "services", &admin, "-o", "json"]).await;
    let document: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!(asked.status.code(), Some(0), "{document:#}");
    let services: Vec<&serde_json::Value> = document["services"].as_array().unwrap().iter().collect();
    assert_eq!(services.iter().map(|service| &service["name"]).collect::<Vec<_>>(), ["web"]);
    let ids: Vec<&serde_json::Value> =
        document["members"].as_array().unwrap().iter().map(|member| &member["id"]).collect();
    assert_eq!(ids, ["eu-1", "us-1"]);

    assert_eq!(region.stop().await, Some(0), "SIGTERM is a request, not an accident");
}

#[tokio::test]
async fn mirrors_are_written_as_files_and_taken_away() {
    let world = world();
    let out = tempfile::tempdir().unwrap();
    let admin = format!("127.0.0.1:{}", ports::free());
    let args = [
        "controller".to_owned(),
        format!("--world={}", world.path().display()),
        format!("--mirror-out={}", out.path().display()),
        format!("--admin={admin}"),
    ];
    let mut process = Process::spawn("controller", Path::new(env!("CARGO_BIN_EXE_isthmus")), &args, world.path());
    let mirror = out.path().join("us-1/shop/web.yaml");
    let text = eventually("the mirror is written", SOON, async || {
        process.must_run();
        std::fs::read_to_string(&mirror)
    })
    .await;
    let object: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!((&object["apiVersion"], &object["kind"]), (&"v1".into(), &"Service".into()), "{text}");
    assert_eq!(
        object["metadata"]["labels"]["isthmus.dev/mirror"], "true",
        "a text, or kubectl would refuse it: {text}"
    );
    assert_eq!(object["metadata"]["annotations"]["isthmus.dev/sources"], "eu-1");
    assert_eq!(object["spec"]["ports"][0]["port"], 80);
    let namespace = std::fs::read_to_string(out.path().join("us-1/shop/_namespace.yaml")).unwrap();
    let namespace: serde_json::Value = serde_saphyr::from_str(&namespace).unwrap();
    assert_eq!((&namespace["kind"], &namespace["metadata"]["name"]), (&"Namespace".into(), &"shop".into()));
    assert_eq!(files(out.path()), ["us-1/shop/_namespace.yaml", "us-1/shop/web.yaml"], "and nothing for eu-1");

    // The file is applied, as GitOps would do; then no member backs the service any more, and the file is removed.
    std::fs::write(world.path().join("clusters/us-1/applied.yaml"), &text).unwrap();
    std::fs::remove_file(world.path().join("clusters/eu-1/web.yaml")).unwrap();
    eventually("the mirror's file is gone", SOON, async || match files(out.path()) {
        found if found.iter().any(|file| file == "us-1/shop/web.yaml") => Err(format!("{found:?}")),
        _ => Ok(()),
    })
    .await;
    // The way back, for the other member.
    serve(world.path(), "us-1");
    std::fs::remove_file(world.path().join("clusters/us-1/applied.yaml")).unwrap();
    let back = out.path().join("eu-1/shop/web.yaml");
    eventually("the other mirror is written", SOON, async || std::fs::read_to_string(&back).map(|_| ())).await;

    let ready = http::get(admin.parse().unwrap(), "localhost", "/readyz", PAGE_LIMIT).await.unwrap();
    assert_eq!(ready.status, 200, "{}", ready.body);
    process.terminate();
    let status = eventually("the controller ends", SOON, async || process.ended().ok_or("it runs")).await;
    assert_eq!(status.code(), Some(0), "{}", process.log_tail(10));
}

/// Files that were never applied to a member, and those of an earlier process, are removed when they are not wanted any
/// more; others stay.
#[tokio::test]
async fn mirrors_that_were_never_applied_and_those_of_an_earlier_run_are_taken_away() {
    let world = world();
    let out = tempfile::tempdir().unwrap();
    let args = |admin: &str| {
        [
            "controller".to_owned(),
            format!("--world={}", world.path().display()),
            format!("--mirror-out={}", out.path().display()),
            format!("--admin={admin}"),
        ]
    };
    let spawn = || {
        let admin = format!("127.0.0.1:{}", ports::free());
        Process::spawn("controller", Path::new(env!("CARGO_BIN_EXE_isthmus")), args(&admin), world.path())
    };
    let mut first = spawn();
    let has = async |first: &mut Process, expected: &[&str]| {
        eventually(&format!("{expected:?}"), SOON, async || {
            first.must_run();
            let found = files(out.path());
            if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    };
    has(&mut first, &["us-1/shop/_namespace.yaml", "us-1/shop/web.yaml"]).await;
    let web = std::fs::read_to_string(world.path().join("clusters/eu-1/web.yaml")).unwrap();
    std::fs::remove_file(world.path().join("clusters/eu-1/web.yaml")).unwrap();
    has(&mut first, &[]).await;
    std::fs::write(world.path().join("clusters/eu-1/web.yaml"), &web).unwrap();
    has(&mut first, &["us-1/shop/_namespace.yaml", "us-1/shop/web.yaml"]).await;
    first.terminate();
    eventually("the controller ends", SOON, async || first.ended().ok_or("it runs")).await;

    // While it does not run: the service goes, a user puts a file of their own beside, and files for a member that is none.
    std::fs::remove_file(world.path().join("clusters/eu-1/web.yaml")).unwrap();
    let ours = std::fs::read_to_string(out.path().join("us-1/shop/web.yaml")).unwrap();
    std::fs::write(out.path().join("us-1/shop/mine.yaml"), ours.replace("isthmus.dev/mirror", "example.org/mirror"))
        .unwrap();
    std::fs::create_dir_all(out.path().join("gone-1/shop")).unwrap();
    std::fs::write(out.path().join("gone-1/shop/web.yaml"), &ours).unwrap();
    let mut second = spawn();
    has(&mut second, &["us-1/shop/mine.yaml"]).await;
}

/// Families of an OpenMetrics page, each with its type; panics if a sample belongs to none or the page is cut off.
fn families(page: &str) -> BTreeMap<String, String> {
    assert!(page.ends_with("# EOF\n"), "{page}");
    let mut families = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for line in page.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(families.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            assert!(seen.insert(sample.to_owned()), "twice: {line}");
            let name = sample.split('{').next().unwrap();
            let kind = |name: &str| families.get(name).map(String::as_str);
            let counter = name.strip_suffix("_total").and_then(kind) == Some("counter");
            assert!(counter || kind(name) == Some("gauge"), "a sample of no family: {line}");
        }
    }
    families
}

fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort_unstable();
    found
}

#[tokio::test]
async fn a_region_that_does_not_exist_is_reported() {
    let world = world();
    let mut region = Isthmus::region("asia", Source::Folder(world.path()));
    region.wait_ready().await;
    let note = "--region asia: there is no Region of that name (known: eu, us)";
    eventually("the log says so", SOON, async || {
        let log = region.log();
        if log.contains(note) { Ok(()) } else { Err(log) }
    })
    .await;
    let admin = format!("--admin=http://{}", region.admin());
    let status = async || String::from_utf8(run(&["status", &admin]).await.stdout).unwrap();
    let text = status().await;
    assert!(text.starts_with(&format!("note: {note}")), "{text}");
    // Created: nothing is left to say.
    std::fs::write(world.path().join("asia.yaml"), objects::region("asia", &[])).unwrap();
    eventually("the note is gone", SOON, async || {
        let text = status().await;
        if text.contains("--region asia") { Err(text) } else { Ok(()) }
    })
    .await;
}
