//! A stranger's day, from docs/operations.md alone: every command of that page is run word for word, on real API servers and
//! with a real Envoy, and after each of its sections it is looked whether the page was right. At the end the audit logs of
//! the API servers are compared with the roles that were printed.

mod audit;
mod checks;
mod documented;
mod grpc;
mod kubelet;
mod rights;
mod script;
mod stage;

use std::sync::Arc;

use self::kubelet::Kubelet;
use self::stage::{Stage, server};
use crate::testbed::netns;

/// Its owner's: its status is Isthmus's to write.
const POLICY: &str = "apiVersion: isthmus.dev/v1alpha1\nkind: FederationPolicy\nmetadata: {name: default}\nspec: {}\n";

#[test]
fn every_command_of_the_page_does_what_it_says() {
    netns::isolated(day());
}

async fn day() {
    let mut stage = Stage::set().await;
    let hub = Arc::clone(stage.cluster("hub"));
    let kubelet = Kubelet::start(Arc::clone(&hub), server(&hub, 0));

    stage.script.section("The hub").await;
    checks::installed(&kubelet);
    stage.script.section("Members").await;
    hub.apply(POLICY).await;
    stage.script.section("The way to the control planes").await;
    checks::name_resolves(&stage, &kubelet).await;

    stage.script.section("Mark and call").await;
    let envoy = stage.envoy().await;
    checks::answers(&stage.script.in_a_pod(), &envoy, "eu-2").await;
    checks::synced(&kubelet, "web-7d9f").await;
    let _peers = grpc::is_answered(&stage).await;
    checks::synced(&kubelet, "checkout-7d9f").await;

    let old = checks::token(stage.cluster("us-1"), "isthmus-member-token").await;
    stage.script.section("Rotate a member's token").await;
    checks::rotated(&stage, &kubelet, &old).await;
    stage.script.section("Renew a certificate").await;
    checks::renewed(&kubelet).await;
    stage.script.section("Drain").await;
    let call = stage.script.in_a_pod();
    checks::answers(&call, &envoy, "us-1").await;
    stage.script.section("Remove a member").await;
    checks::removed(&stage, "eu-2").await;

    checks::customise(&hub).await;
    let before = checks::deployments(&hub).await;
    stage.script.section("Upgrade").await;
    checks::upgraded(&stage, &kubelet, before).await;
    checks::conflicts_are_reported(&stage).await;
    checks::name_resolves(&stage, &kubelet).await;
    checks::answers(&call, &envoy, "us-1").await;
    checks::synced(&kubelet, "web-7d9f").await;

    stage.script.section("Remove a region").await;
    checks::removed(&stage, "us-1").await;
    stage.script.section("Uninstall").await;
    checks::nothing_is_left(&stage, &kubelet).await;
    assert!(stage.script.is_done(), "a block of the page was not run");
    assert_eq!(kubelet.faults(), [""; 0]);
    rights::are_those_that_are_used(&stage.audits, &kubelet).await;
}
