//! What an operator looks for, and what must not alarm one.

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::harness::{Federation, Isthmus, SOON, Source, run};
use crate::testbed::eventually;

/// Events of type Warning about a member, as `reason: note`.
async fn warnings(federation: &Federation, member: &str) -> Vec<String> {
    let events = Api::<Event>::all(federation.hub.client()).list(&ListParams::default()).await.expect("events");
    let about =
        |event: &Event| event.regarding.as_ref().and_then(|about| about.name.clone()) == Some(member.to_owned());
    let warnings = events.items.iter().filter(|event| event.type_.as_deref() == Some("Warning") && about(event));
    warnings
        .map(|event| {
            format!("{}: {}", event.reason.clone().unwrap_or_default(), event.note.clone().unwrap_or_default())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_normal_join_causes_no_warning_and_mirroring_is_logged() {
    let federation = Federation::joined(&["eu-1", "us-1"]).await;
    federation.member("eu-1").serve("shop", "web", 2).await;
    let controller = federation.controller().await;
    federation.all_ready().await;
    let us = federation.member("us-1");
    us.until_mirror("shop", "web", &["eu-1"]).await;
    federation.until("us-1", "Synced", "True", "Synced").await;
    for member in ["eu-1", "us-1"] {
        assert_eq!(warnings(&federation, member).await, [""; 0], "{member}");
    }
    let log = controller.log();
    let logged =
        |what: &str| log.lines().any(|line| line.contains(what) && line.contains("us-1") && line.contains("shop/web"));
    assert!(logged("mirror applied"), "{log}");
    // What is wrong is reported, though.
    federation.hub.kubectl(&["-n", "isthmus-system", "delete", "secret", "us-1"]).await;
    eventually("a Warning", SOON, async || {
        let found = warnings(&federation, "us-1").await;
        if found.iter().any(|text| text.starts_with("SecretMissing: ")) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    let wide = federation.hub.kubectl(&["get", "mc", "-o", "wide"]).await;
    let head: Vec<&str> = wide.lines().next().unwrap_or_default().split_whitespace().collect();
    for column in ["NETWORK", "TRAFFIC", "WEIGHT", "VERSION"] {
        assert!(head.contains(&column), "{wide}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_says_who_leads() {
    let federation = Federation::joined(&["eu-1"]).await;
    let leader = federation.controller().await;
    federation.all_ready().await;
    let standby = Isthmus::controller(&federation.hub_kubeconfig("isthmus-controller"));
    let admin = format!("--admin=http://{}", standby.admin());
    eventually("the standby names the leader", SOON, async || {
        let output = run(&["status", &admin]).await;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let named = text.contains(&format!("_{}_", leader.pid()));
        if output.status.code() == Some(2) || !named || !text.contains("standing by: ") { Err(text) } else { Ok(()) }
    })
    .await;
    assert_eq!(standby.page("/readyz").await, "ok, standing by\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_starts_while_a_member_is_away_keeps_what_is_known_of_it() {
    let mut federation = Federation::joined(&["eu-1", "us-1"]).await;
    federation.member("us-1").serve("shop", "web", 2).await;
    let controller = federation.controller().await;
    federation.all_ready().await;
    let before = federation
        .until_status("us-1", "it is counted", |status| status.counts.is_some_and(|counts| counts.endpoints == 2))
        .await;
    drop(controller);
    federation.member_mut("us-1").cluster.kill_apiserver();
    let _controller = federation.controller().await;
    let lost = federation.until("us-1", "Connected", "False", "Unreachable").await;
    let after = federation.status("us-1").await;
    assert_eq!((after.counts, &after.cidrs, &after.admission), (before.counts, &before.cidrs, &before.admission));
    assert!(after.last_seen >= before.last_seen && after.last_seen.is_some(), "{after:?}");
    assert!(lost.message.contains("; it last answered at 20"), "{}", lost.message);
    federation.until("us-1", "Synced", "False", "Stale").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn debug_lines_about_a_member_name_it_and_the_kind() {
    let federation = Federation::joined(&["eu-1"]).await;
    let hub = federation.hub_kubeconfig("isthmus-region");
    let mut region = Isthmus::region_logging("eu", Source::Hub(&hub), "info,clusters=debug");
    region.wait_ready().await;
    // Each line: the innermost span comes last.
    let spans = [
        ("connected", json!([{"name": "member", "cluster": "eu-1"}, {"name": "connection", "epoch": 1}])),
        (
            "the cluster does not have this kind",
            json!([{"name": "watch", "cluster": "eu-1", "kind": "serviceexports"}]),
        ),
    ];
    for (message, expected) in spans {
        eventually(message, SOON, async || {
            let log = region.log();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut lines = lines.filter(|line| line["message"].as_str().is_some_and(|text| text.starts_with(message)));
            if lines.any(|line| line["spans"] == expected) { Ok(()) } else { Err(log) }
        })
        .await;
    }
}
