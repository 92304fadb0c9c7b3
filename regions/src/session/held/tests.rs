use super::ResourceType::{Assignment, Cluster};
use super::State::{Error, NotSent, Stale, Synced};
use super::*;
use crate::session::Session;
use crate::session::tests::{NOTHING, Talk, short};
use crate::testing::*;

/// What the client has, as `a SYNCED`, with `?` where the content is not known any more.
fn held(talk: &Talk, t: ResourceType) -> Vec<String> {
    let held = talk.session.inspect().held(t);
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
    let mut talk = Talk::new(Variant::Delta);
    assert_eq!(held(&talk, Cluster), NOTHING, "not asked for");
    talk.delta(Cluster, &[], &[]);
    assert_eq!(held(&talk, Cluster), of(&[("a", Stale), ("b", Stale)]));
    talk.ack(Cluster);
    assert_eq!(held(&talk, Cluster), of(&[("a", Synced), ("b", Synced)]));
    talk.delta(Assignment, &["a", "unknown"], &[]);
    talk.nack(Assignment);
    assert_eq!(held(&talk, Assignment), of(&[("a", Error), ("unknown", NotSent)]));
    talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])]));
    assert_eq!(held(&talk, Assignment), of(&[("a", Stale), ("unknown", NotSent)]));
    talk.ack(Assignment);
    assert_eq!(held(&talk, Assignment), of(&[("a", Synced), ("unknown", NotSent)]));
}

#[test]
fn c46_what_changed_since_is_told_by_its_version() {
    let mut talk = Talk::new(Variant::Delta);
    talk.delta(Cluster, &[], &[]);
    talk.ack(Cluster);
    talk.delta(Assignment, &["a", "b"], &[]);
    let sent = talk.session.inspect().held(Assignment);
    // Unanswered, so what happens now has to wait: one changes, one goes, one comes.
    talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"]), web("shop/c", &["10.8.0.3:80"])]));
    talk.world(&service_gone("shop/b"));
    let now = talk.session.inspect().held(Assignment);
    assert_eq!(held(&talk, Assignment), ["a? Stale", "b Stale"]);
    let versions = |held: &[Held]| held.iter().map(|held| held.version).collect::<Vec<_>>();
    assert_eq!(versions(&now), versions(&sent), "as last sent");
    talk.delta(Assignment, &["c"], &[]);
    assert_eq!(held(&talk, Assignment), ["a? Stale", "b Stale", "c NotSent"]);
}

#[test]
fn c46_what_routes_may_still_refer_to_is_held() {
    let mut talk = Talk::new(Variant::Delta);
    talk.delta(Cluster, &[], &[]);
    talk.ack(Cluster);
    talk.delta(ResourceType::Scope, &[], &[]);
    talk.world(&service_gone("shop/b"));
    assert_eq!(held(&talk, Cluster), of(&[("a", Synced), ("b", Synced)]), "its removal waits");
    talk.ack(ResourceType::Scope);
    talk.ack(ResourceType::Scope);
    talk.ack(Cluster);
    assert_eq!(held(&talk, Cluster), of(&[("a", Synced)]));
}

#[test]
fn c46_a_resumed_stream_holds_what_it_says_it_has() {
    let mut talk = Talk::new(Variant::Delta);
    let known = [("a", talk.version(Assignment, "a"))];
    assert_eq!(talk.delta_full(Assignment, &["a"], &[], &known, "", None), NOTHING);
    assert_eq!(held(&talk, Assignment), of(&[("a", Synced)]));
}

#[test]
fn c46_state_of_the_world_accepts_in_the_end_what_was_well_all_along() {
    let mut talk = Talk::new(Variant::Sotw);
    talk.sotw(Cluster, &[]);
    talk.sotw_full(Cluster, &[], &talk.nonce(Cluster), Some("a is no good"));
    assert_eq!(held(&talk, Cluster), of(&[("a", Error), ("b", Error)]));
    talk.world(&services(vec![merged("shop/a", vec![port(81, federation::model::AppProtocol::Http, vec![])])]));
    talk.sotw(Cluster, &[]);
    talk.sotw(Cluster, &[]);
    assert_eq!(held(&talk, Cluster), of(&[("b", Synced), ("outbound|81||a.shop.svc.cluster.local", Synced)]));
}

#[test]
fn c46_before_there_is_a_snapshot_nothing_was_sent() {
    let inspection = Session::new(Variant::Delta).inspect();
    assert_eq!(inspection.held(Cluster), []);
}
