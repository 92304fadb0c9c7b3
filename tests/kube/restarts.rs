//! A control plane that starts while its hub or a member cannot be reached: what is not known is not served as absent.

use std::time::Duration;

use crate::harness::{Federation, Isthmus, SOON, Source, Witness, still};
use crate::testbed::{eventually, http};

const PAGE_LIMIT: Duration = Duration::from_secs(5);
/// Longer than both deadlines below.
const WINDOW: Duration = Duration::from_secs(4);

/// A replica that has not started before, with short deadlines for members.
fn replica(federation: &Federation, region: &str, member_deadline: u64) -> Isthmus {
    let flags = ["--sync-deadline=1".to_owned(), format!("--member-deadline={member_deadline}")];
    Isthmus::region_with(region, Source::Hub(&federation.hub_kubeconfig("isthmus-region")), &flags)
}

async fn until_says(plane: &Isthmus, status: u16, texts: &[&str]) {
    eventually(&format!("readyz says {status} and {texts:?}"), SOON, async || {
        let answer = http::get(plane.admin(), "localhost", "/readyz", PAGE_LIMIT).await?;
        let fits = answer.status == status && texts.iter().all(|text| answer.body.contains(text));
        if fits { Ok(()) } else { Err(format!("{} {}", answer.status, answer.body)) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_starts_without_its_hub_or_a_member_waits_and_says_for_whom() {
    let mut federation = Federation::joined(&["eu-1", "us-1"]).await;
    let _controller = federation.controller().await;
    federation.all_ready().await;
    federation.member("eu-1").serve("shop", "web", 2).await;
    federation.member("us-1").serve("shop", "far", 1).await;
    let first = federation.region("eu").await;
    first.has_service("shop/web", &["eu-1"], 2).await;
    first.has_service("shop/far", &["us-1"], 1).await;

    // The hub is away: nothing is sent, however long it takes, and only what is right when it is back.
    federation.hub.kill_apiserver();
    let late = replica(&federation, "eu", 1);
    until_says(
        &late,
        503,
        &["waiting for the hub", "Regions, MemberClusters, FederationPolicies", "connection refused"],
    )
    .await;
    let proxy = Witness::start(late.xds(), "eu", "eu-a").await;
    still("while the hub is away", WINDOW, async || proxy.scene()).await;
    until_says(&late, 503, &["waiting for the hub"]).await;
    assert!(proxy.response_times().is_empty(), "a half-known federation looks like one without some services");
    first.has_service("shop/far", &["us-1"], 1).await;
    federation.hub.restart_apiserver().await;
    until_says(&late, 200, &["ok\n"]).await;
    proxy.has_endpoints("web.shop", 2).await;
    proxy.has_endpoints("far.shop", 1).await;

    // A member on record is away: a rolling restart waits at the first replica, which names it.
    federation.member_mut("us-1").cluster.kill_apiserver();
    let rolled = replica(&federation, "eu", 600);
    until_says(&rolled, 503, &["serving, but not ready before", "us-1: Unreachable", "connection refused"]).await;
    rolled.has_service("shop/web", &["eu-1"], 2).await;
    let brief = replica(&federation, "eu", 2);
    until_says(&brief, 200, &["ok, but these members are not known", "us-1: Unreachable"]).await;
    first.has_service("shop/far", &["us-1"], 1).await;
    federation.member_mut("us-1").cluster.restart_apiserver().await;
    for plane in [&rolled, &brief] {
        until_says(plane, 200, &["ok\n"]).await;
        plane.has_service("shop/far", &["us-1"], 1).await;
    }
}

/// Each right by itself: what the others tell is used, and the condition names the one that is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_takes_only_its_kind_away() {
    let federation = Federation::joined(&["eu-1"]).await;
    let member = federation.member("eu-1");
    let _controller = federation.controller().await;
    federation.all_ready().await;
    member.serve("shop", "web", 2).await;
    let running = federation.region("eu").await;
    running.has_service("shop/web", &["eu-1"], 2).await;
    let take = async |resource: &str, rights: &str| {
        let role = member.cluster.kubectl(&["get", "clusterrole", "isthmus-member", "-o", "json"]).await;
        let mut role: serde_json::Value = serde_json::from_str(&role).unwrap();
        for rule in role["rules"].as_array_mut().unwrap() {
            let list = rule["resources"].as_array_mut().unwrap();
            list.retain(|found| found != resource);
        }
        let rules = role["rules"].as_array_mut().unwrap();
        rules.retain(|rule| !rule["resources"].as_array().unwrap().is_empty());
        member.cluster.apply(&role.to_string()).await;
        rights.to_owned()
    };
    take("nodes", "nodes").await;
    let fresh = replica(&federation, "eu", 600);
    until_says(&fresh, 200, &["ok\n"]).await;
    fresh.has_service("shop/web", &["eu-1"], 2).await;
    eventually("the condition names the right", SOON, async || {
        let found = fresh.members().await.remove("eu-1").ok_or("no member")?;
        let text = found["message"].as_str().unwrap_or_default().to_owned();
        if text.contains("nodes cannot be read") && text.contains("403") && found["ready"] == true {
            Ok(())
        } else {
            Err(found.to_string())
        }
    })
    .await;
    member.serve("shop", "web", 3).await;
    fresh.has_service("shop/web", &["eu-1"], 3).await;

    // One that decides what the member contributes: then nothing of it is known, and that is reported.
    take("endpointslices", "slices").await;
    let blind = replica(&federation, "eu", 600);
    until_says(&blind, 503, &["eu-1: KindUnreadable: endpointslices", "403"]).await;
    assert!(
        blind.services().await.is_empty(),
        "Services without their slices would look like Services without endpoints"
    );
    running.has_service("shop/web", &["eu-1"], 3).await;
    member.cluster.apply(&crate::harness::manifests("member-rbac").await).await;
    until_says(&blind, 200, &["ok\n"]).await;
    blind.has_service("shop/web", &["eu-1"], 3).await;
}
