use super::ResourceType::{Assignment, Cluster};
use super::State::{Error, NotSent, Stale, Synced};
use super::*;
use crate::session::Session;
use crate::session::tests::{NOTHING, TestClient, short};
use crate::testing::*;

/// What the client has, as `a SYNCED`, with `?` where the content is not known any more.
fn held(client: &TestClient, t: ResourceType) -> Vec<String> {
    let held = client.session.inspect().held(t);
    let line = |held: &Held| {
        let known = if held.resource.is_none() && held.version.is_some() { "?" } else { "" };
        assert!(held.resource.as_ref().is_none_or(|resource| Some(resource.version()) == held.version));
        format!("{}{known} {:?}", short(&held.name), held.state)
    };
    held.iter().map(line).filter(|line| !line.starts_with("hole") && !line.starts_with("pass")).collect()
}

fn of(lines: &[(&str, State)]) -> Vec<String> {
    lines.iter().map(|(name, state)| format!("{name} {state:?}")).collect()
}

#[test]
fn c46_what_is_sent_is_stale_until_it_is_answered() {
    let mut client = TestClient::new(Variant::Delta);
    assert_eq!(held(&client, Cluster), NOTHING, "not asked for");
    client.delta(Cluster, &[], &[]);
    assert_eq!(held(&client, Cluster), of(&[("a", Stale), ("b", Stale)]));
    client.ack(Cluster);
    assert_eq!(held(&client, Cluster), of(&[("a", Synced), ("b", Synced)]));
    client.delta(Assignment, &["a", "unknown"], &[]);
    client.nack(Assignment);
    assert_eq!(held(&client, Assignment), of(&[("a", Error), ("unknown", NotSent)]));
    client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])]));
    assert_eq!(held(&client, Assignment), of(&[("a", Stale), ("unknown", NotSent)]));
    client.ack(Assignment);
    assert_eq!(held(&client, Assignment), of(&[("a", Synced), ("unknown", NotSent)]));
}

#[test]
fn c46_what_changed_since_is_shown_by_its_version() {
    let mut client = TestClient::new(Variant::Delta);
    client.delta(Cluster, &[], &[]);
    client.ack(Cluster);
    client.delta(Assignment, &["a", "b"], &[]);
    let sent = client.session.inspect().held(Assignment);
    // Unanswered, so what happens now has to wait: one changes, one goes, one comes.
    client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"]), web("shop/c", &["10.8.0.3:80"])]));
    client.apply(&service_gone("shop/b"));
    let now = client.session.inspect().held(Assignment);
    assert_eq!(held(&client, Assignment), ["a? Stale", "b Stale"]);
    let versions = |held: &[Held]| held.iter().map(|held| held.version).collect::<Vec<_>>();
    assert_eq!(versions(&now), versions(&sent), "as last sent");
    client.delta(Assignment, &["c"], &[]);
    assert_eq!(held(&client, Assignment), ["a? Stale", "b Stale", "c NotSent"]);
}

#[test]
fn c46_what_routes_may_still_refer_to_is_held() {
    let mut client = TestClient::new(Variant::Delta);
    client.delta(Cluster, &[], &[]);
    client.ack(Cluster);
    client.delta(ResourceType::Scope, &[], &[]);
    client.apply(&service_gone("shop/b"));
    assert_eq!(held(&client, Cluster), of(&[("a", Synced), ("b", Synced)]), "its removal waits");
    client.ack(ResourceType::Scope);
    client.ack(ResourceType::Scope);
    client.ack(Cluster);
    assert_eq!(held(&client, Cluster), of(&[("a", Synced)]));
}

#[test]
fn c46_a_resumed_stream_holds_what_it_reports_to_have() {
    let mut client = TestClient::new(Variant::Delta);
    let known = [("a", client.version(Assignment, "a"))];
    assert_eq!(client.delta_full(Assignment, &["a"], &[], &known, "", None), NOTHING);
    assert_eq!(held(&client, Assignment), of(&[("a", Synced)]));
}

#[test]
fn c46_in_state_of_the_world_what_was_acceptable_all_along_is_accepted_in_the_end() {
    let mut client = TestClient::new(Variant::Sotw);
    client.sotw(Cluster, &[]);
    client.sotw_full(Cluster, &[], &client.nonce(Cluster), Some("a is no good"));
    assert_eq!(held(&client, Cluster), of(&[("a", Error), ("b", Error)]));
    client.apply(&services(vec![merged("shop/a", vec![port(81, federation::model::AppProtocol::Http, vec![])])]));
    client.sotw(Cluster, &[]);
    client.sotw(Cluster, &[]);
    assert_eq!(held(&client, Cluster), of(&[("b", Synced), ("outbound|81||a.shop.svc.cluster.local", Synced)]));
}

#[test]
fn c46_before_there_is_a_snapshot_nothing_was_sent() {
    let inspection = Session::new(Variant::Delta).inspect();
    assert_eq!(inspection.held(Cluster), []);
}
