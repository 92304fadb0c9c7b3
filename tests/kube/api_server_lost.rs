//! An API server goes away, and nothing else happens. Nothing of its member is withdrawn, all other members go on, and
//! when it is back, what it missed and what was missed of it is made good.

use std::time::{Duration, Instant};

use crate::harness::{Federation, Isthmus, Scene, Witness, still};

const IDS: [&str; 3] = ["eu-1", "us-1", "ap-1"];
/// How long the API server is away.
const OUTAGE: Duration = Duration::from_secs(60);
/// A member that does not answer is reported within this time.
const NOTICED: Duration = Duration::from_secs(15);
const WINDOW: Duration = Duration::from_secs(3);

async fn serving(federation: &Federation) -> (Isthmus, Isthmus) {
    let controller = federation.controller().await;
    let region = federation.region("us").await;
    federation.all_ready().await;
    federation.member("eu-1").serve("shop", "only-eu", 2).await;
    federation.member("eu-1").serve("shop", "web", 2).await;
    federation.member("us-1").serve("shop", "web", 1).await;
    federation.member("us-1").serve("shop", "old", 1).await;
    region.has_service("shop/web", &["eu-1", "us-1"], 3).await;
    region.has_service("shop/only-eu", &["eu-1"], 2).await;
    for id in federation.ids() {
        if id != "eu-1" {
            federation.member(id).until_mirror("shop", "only-eu", &["eu-1"]).await;
        }
        if id != "us-1" {
            federation.member(id).until_mirror("shop", "old", &["us-1"]).await;
        }
    }
    (controller, region)
}

/// What exists because of `eu-1`, or has nothing to do with what the test changes.
async fn lasting(federation: &Federation, region: &Isthmus) -> Scene {
    let objects = federation.scene_in(&["us-1", "ap-1"]).await.only(&["/only-eu", "Namespace"]);
    objects + region.scene().await.only(&["shop/only-eu"])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_lost_takes_nothing_away() {
    let mut federation = Federation::joined(&IDS).await;
    let (controller, region) = serving(&federation).await;
    let before = lasting(&federation, &region).await;
    let seen = federation.status("eu-1").await.last_seen.expect("it was seen");

    let killed = Instant::now();
    federation.member_mut("eu-1").cluster.kill_apiserver();
    reported_lost(&federation, "eu-1", killed).await;
    let lost = federation.status("eu-1").await;
    let aged = lost.last_seen.as_ref().expect("still known");
    assert!(aged.0 >= seen.0, "when it was last seen is kept");

    // The others go on among themselves: endpoints, a new service, and one whose last source goes.
    federation.member("us-1").serve("shop", "web", 3).await;
    region.has_service("shop/web", &["eu-1", "us-1"], 5).await;
    federation.member("us-1").serve("shop", "new", 1).await;
    federation.member("ap-1").until_mirror("shop", "new", &["us-1"]).await;
    let held = async || federation.scene_in(&["ap-1"]).await.only(&["/old"]);
    let old = held().await;
    federation.member("us-1").withdraw("shop", "old").await;
    // The new controller knows the lost member from its record only; it must not take that for absence.
    assert_eq!(controller.stop().await, Some(0), "it ends although a member is dead");
    let controller = federation.controller().await;
    federation.member("ap-1").serve("shop", "late", 1).await;
    federation.member("us-1").until_mirror("shop", "late", &["ap-1"]).await;
    let known = federation.status("eu-1").await;
    assert_eq!((known.cluster_uid, known.kubernetes_version), (lost.cluster_uid, lost.kubernetes_version));
    assert_eq!(known.admission, lost.admission, "its membership stays on record");

    still("while it is away", OUTAGE.saturating_sub(killed.elapsed()), async || {
        let merged = region.scene().await.only(&["shop/web", "shop/new", "shop/late"]);
        lasting(&federation, &region).await + held().await + merged
    })
    .await;
    old.assert_same(&held().await, "the lost one could have backed it, which was unknown");
    before.assert_same(&lasting(&federation, &region).await, "a lost API server took something away");
    reported_lost(&federation, "eu-1", Instant::now()).await;

    // Back, and changed at once, before it is listed again.
    let eu = &mut federation.member_mut("eu-1").cluster;
    eu.restart_apiserver().await;
    let eu = federation.member("eu-1");
    eu.serve("shop", "only-eu", 1).await;
    eu.withdraw("shop", "web").await;
    eu.serve("shop", "fresh", 2).await;
    federation.until_ready("eu-1").await;
    region.has_service("shop/only-eu", &["eu-1"], 1).await;
    region.has_service("shop/web", &["us-1"], 3).await;
    region.has_service("shop/fresh", &["eu-1"], 2).await;
    // What it missed is made good, and what was held is done.
    for name in ["new", "web"] {
        eu.until_mirror("shop", name, &["us-1"]).await;
    }
    eu.until_gone("shop", "old").await;
    federation.member("ap-1").until_gone("shop", "old").await;
    federation.member("ap-1").until_mirror("shop", "fresh", &["eu-1"]).await;
    let objects = |scene: Scene| scene.without(&["merged"]);
    let after = objects(lasting(&federation, &region).await);
    objects(before).assert_same(&after, "its return moved what did not change");
    drop(controller);
}

/// Frozen: connections stay open, the kernel still answers for it, and only silence tells.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_lost_in_silence_is_noticed() {
    let federation = Federation::joined(&["eu-1", "us-1"]).await;
    let (_controller, region) = serving(&federation).await;
    let proxy = Witness::start(region.xds(), "us", "us-a").await;
    proxy.has_endpoints("only-eu.shop", 2).await;
    let scene = async || {
        let mirrors = federation.scene_in(&["us-1"]).await.only(&["/only-eu", "Namespace"]);
        mirrors + region.scene().await.only(&["shop/only-eu"]) + proxy.scene().only(&["only-eu.shop"])
    };
    let before = scene().await;
    let frozen = Instant::now();
    federation.member("eu-1").cluster.freeze_apiserver();
    reported_lost(&federation, "eu-1", frozen).await;
    federation.member("us-1").serve("shop", "web", 2).await;
    region.has_service("shop/web", &["eu-1", "us-1"], 4).await;
    still("while it is frozen", WINDOW, async || scene().await).await;
    // A region that starts now must not wait for it forever.
    let flags = ["--sync-deadline=1", "--member-deadline=2"].map(str::to_owned);
    let hub = federation.hub_kubeconfig("isthmus-region");
    let mut late = Isthmus::region_with("eu", crate::harness::Source::Hub(&hub), &flags);
    late.wait_ready().await;
    late.has_service("shop/web", &["us-1"], 2).await;

    federation.member("eu-1").cluster.thaw_apiserver();
    federation.until_ready("eu-1").await;
    late.has_service("shop/only-eu", &["eu-1"], 2).await;
    before.assert_same(&scene().await, "a frozen API server moved something");
}

/// The condition reports that it is unreachable, since when, and soon enough.
async fn reported_lost(federation: &Federation, id: &str, since: Instant) {
    let limit = NOTICED.saturating_sub(since.elapsed());
    let connected = federation.until_within(id, "Connected", "False", "Unreachable", limit).await;
    assert!(!connected.message.is_empty());
    let ready = federation.until_within(id, "Ready", "False", "", limit).await;
    assert!(!ready.reason.is_empty());
    let table = federation.hub.kubectl(&["get", "mc", id, "-o", "jsonpath={.status.lastSeen}"]).await;
    let seen: jiff::Timestamp = table.parse().unwrap_or_else(|error| panic!("lastSeen {table:?}: {error}"));
    let age = jiff::Timestamp::now().duration_since(seen);
    assert!(age.as_secs() >= -1 && age.as_secs() < 90, "the age that kubectl shows: {age:?}");
}
