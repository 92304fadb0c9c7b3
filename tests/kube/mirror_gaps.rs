//! A mirror that should be there is there in the end, and `Synced` says so only then: rapid deletions, a webhook that
//! changes what is written, and what comes back from a backup.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams};

use crate::harness::{Federation, Member, Scene, objects, still};
use crate::testbed::eventually;

const WINDOW: Duration = Duration::from_secs(3);
/// Deletions that follow each other are put right one after the other, at most this much later.
const LIMIT: Duration = Duration::from_secs(60);

async fn federation() -> (Federation, crate::harness::Isthmus) {
    let federation = Federation::joined(&["eu-1", "us-1"]).await;
    let controller = federation.controller().await;
    federation.all_ready().await;
    (federation, controller)
}

async fn all_mirrored(us: &Member, names: &[String]) {
    let api = Api::<Service>::namespaced(us.cluster.client(), "shop");
    eventually("every mirror is there", LIMIT, async || {
        let found = api.list(&Default::default()).await.map_err(|error| error.to_string())?.items;
        let has = |name: &String| found.iter().any(|service| service.metadata.name.as_ref() == Some(name));
        let missing: Vec<_> = names.iter().filter(|name| !has(name)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("missing: {missing:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mirrors_that_are_deleted_in_quick_succession_all_come_back() {
    let (federation, mut controller) = federation().await;
    let (eu, us) = (federation.member("eu-1"), federation.member("us-1"));
    let names: Vec<String> = (1..=8).map(|number| format!("web-{number}")).collect();
    for name in &names {
        eu.serve("shop", name, 1).await;
    }
    all_mirrored(us, &names).await;
    let api = Arc::new(Api::<Service>::namespaced(us.cluster.client(), "shop"));
    for count in [34, 200] {
        let mut deleted = 0;
        // Several at a time, so that a mirror is often deleted before the watch has shown that it was made.
        let mut tasks = tokio::task::JoinSet::new();
        for worker in 0..4 {
            let (api, names) = (Arc::clone(&api), names.clone());
            tasks.spawn(async move {
                let mut done = 0;
                for turn in (worker..count).step_by(4) {
                    let name = &names[turn % names.len()];
                    done += usize::from(api.delete(name, &DeleteParams::default()).await.is_ok());
                }
                done
            });
        }
        while let Some(done) = tasks.join_next().await {
            deleted += done.expect("a worker");
        }
        eprintln!("{count} deletions asked for, {deleted} found a mirror");
        // Synced is a comparison: if it is true, all are there, and it becomes true.
        all_mirrored(us, &names).await;
        federation.until("us-1", "Synced", "True", "Synced").await;
    }
    controller.must_run();
    let look = async || federation.scene_in(&["us-1"]).await.only(&["Service shop/"]);
    still("mirrors that are all there", WINDOW, look).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_something_keeps_deleting_is_reported() {
    let (federation, _controller) = federation().await;
    let (eu, us) = (federation.member("eu-1"), federation.member("us-1"));
    eu.serve("shop", "web", 1).await;
    us.until_mirror("shop", "web", &["eu-1"]).await;
    let api = Api::<Service>::namespaced(us.cluster.client(), "shop");
    let stop = tokio::time::Instant::now() + Duration::from_secs(20);
    let mut deletions = 0;
    let mut unsynced = false;
    while tokio::time::Instant::now() < stop {
        deletions += u32::from(api.delete("web", &DeleteParams::default()).await.is_ok());
        let synced = federation.condition("us-1", "Synced").await.expect("a condition");
        unsynced |= synced.status == "False" && synced.reason == "MirrorsPending";
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(deletions < 40, "{deletions} writes in 20 s: two that undo each other's work must slow down");
    assert!(unsynced, "a mirror that was missing most of the time was called synced");
    us.until_mirror("shop", "web", &["eu-1"]).await;
    federation.until("us-1", "Synced", "True", "Synced").await;
}

/// As Velero restores: labels and annotations as they were, another writer, a new UID.
async fn restore(member: &Member, mirror: &Service, name: &str, edit: impl Fn(&mut ObjectMeta)) -> Service {
    let mut metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: mirror.metadata.namespace.clone(),
        labels: mirror.metadata.labels.clone(),
        annotations: mirror.metadata.annotations.clone(),
        ..ObjectMeta::default()
    };
    metadata.labels.get_or_insert_default().insert("velero.io/restore-name".into(), "r1".into());
    edit(&mut metadata);
    let mut spec = mirror.spec.clone().expect("a spec");
    (spec.cluster_ip, spec.cluster_ips) = (None, None);
    let api = Api::<Service>::namespaced(member.cluster.client(), "shop");
    let post = PostParams { dry_run: false, field_manager: Some("velero-server".into()) };
    api.create(&post, &Service { metadata, spec: Some(spec), status: None }).await.expect("a restored Service")
}

#[tokio::test(flavor = "multi_thread")]
async fn mirrors_that_a_backup_brings_back_are_taken_back_or_reported() {
    let (federation, mut controller) = federation().await;
    let (eu, us) = (federation.member("eu-1"), federation.member("us-1"));
    eu.serve("shop", "web", 1).await;
    let mirror = us.until_mirror("shop", "web", &["eu-1"]).await;
    // The whole namespace is marked in both: whatever is taken for a user's Service is exported.
    let mark = ["label", "namespace", "shop", "isthmus.dev/federate=true"];
    us.cluster.kubectl(&mark).await;
    controller.kill();
    us.cluster.kubectl(&["delete", "-n", "shop", "service", "web"]).await;
    let web = restore(us, &mirror, "web", |_| {}).await;
    restore(us, &mirror, "gone", |_| {}).await;
    let theirs = restore(us, &mirror, "theirs", |metadata| {
        metadata.annotations.get_or_insert_default().insert("isthmus.dev/hub".into(), "another-hub".into());
    })
    .await;
    controller.restart();
    controller.wait_ready().await;

    // Ours, and wanted: written again, in place. Ours, and no member backs it: it goes.
    us.until_gone("shop", "gone").await;
    let taken = us
        .until_service("shop", "web", "is written by us", |found| {
            objects::managers(&found.metadata).contains(&objects::MANAGER)
        })
        .await;
    assert_eq!(taken.metadata.uid, web.metadata.uid);
    // Another hub's: left alone, and reported.
    let noted =
        |status: &clusters::api::MemberClusterStatus| status.notes.iter().any(|note| note.contains("shop/theirs"));
    federation.until_status("us-1", "notes what it does not own", noted).await;
    let found = us.service("shop", "theirs").await.expect("it stays");
    assert_eq!(objects::version(&found.metadata), objects::version(&theirs.metadata));
    // None of them was ever an export.
    let services = controller.services().await;
    assert_eq!(services.keys().collect::<Vec<_>>(), ["shop/web"]);
    assert_eq!(services["shop/web"].clusters, ["eu-1"]);
    still("what was restored", WINDOW, async || {
        Scene::of("theirs", &objects::version(&us.service("shop", "theirs").await.expect("it stays").metadata))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headless_mirrors_are_reported_to_resolve_to_nothing() {
    let (federation, controller) = federation().await;
    let (eu, us) = (federation.member("eu-1"), federation.member("us-1"));
    let mark = "isthmus.dev/federate: 'true'";
    eu.cluster.apply(&objects::namespace("shop")).await;
    eu.cluster.apply(&objects::service("shop", "peers", mark, "clusterIP: None, ports: [{name: p, port: 7000}]")).await;
    us.until_mirror("shop", "peers", &["eu-1"]).await;
    let noted = |text: &str| text.contains("headless mirrors: 1");
    federation
        .until_status("us-1", "notes its headless mirror", |status| status.notes.iter().any(|note| noted(note)))
        .await;
    let synced =
        federation.until_message("us-1", "Synced", "True", "Synced", "says so", |found| noted(&found.message)).await;
    assert_eq!(synced.status, "True", "it works as it is meant to in this version");
    let page = controller.members().await["us-1"]["notes"].to_string();
    assert!(noted(&page), "{page}");
    let hub = federation.hub_kubeconfig("isthmus-controller");
    let output = crate::harness::run(&["status", "--hub-kubeconfig", &hub.display().to_string()]).await;
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(noted(&shown), "{shown}");
    let namespace = Api::<Namespace>::all(us.cluster.client()).get("shop").await.expect("the namespace");
    assert_eq!(objects::label(&namespace.metadata, "isthmus.dev/mirror"), Some("true"));
}
