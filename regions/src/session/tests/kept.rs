//! Load assignments that hide others: a name that the client's member keeps for itself. The client is told when it is hidden
//! and when it no longer is, and in between nothing of what goes on beneath.

use super::ResourceType::Assignment;
use super::*;

fn a(host: &str) -> Effects {
    services(vec![web("shop/a", &[host])])
}

/// us-1 keeps `a` for itself, behind this VIP.
fn kept(vip: &str) -> Effects {
    vips("us-1", "shop/a", &[vip], &[80], false)
}

fn talk(variant: Variant) -> Talk {
    let mut talk = Talk::with(variant, Some("us-1"), a("10.8.0.1:80"));
    let first = match variant {
        Variant::Delta => talk.delta(Assignment, &["a"], &[]),
        Variant::Sotw => talk.sotw(Assignment, &["a"]),
    };
    assert_eq!(first, ["eds +a"]);
    confirm(&mut talk, variant);
    talk
}

fn confirm(talk: &mut Talk, variant: Variant) -> Vec<String> {
    match variant {
        Variant::Delta => talk.ack(Assignment),
        Variant::Sotw => talk.sotw(Assignment, &["a"]),
    }
}

#[test]
fn what_is_hidden_is_not_told_and_what_comes_back_is() {
    for variant in [Variant::Delta, Variant::Sotw] {
        let mut talk = talk(variant);
        let shared = talk.version(Assignment, "a");
        assert_eq!(talk.world(&kept("10.13.0.9")), ["eds +a"], "{variant:?}: hidden");
        let own = talk.version(Assignment, "a");
        assert_ne!(own, shared);
        assert_eq!(confirm(&mut talk, variant), NOTHING);
        assert_eq!(talk.world(&a("10.8.0.2:80")), NOTHING, "{variant:?}: it changes beneath");
        assert_eq!(talk.version(Assignment, "a"), own);
        assert_eq!(talk.world(&kept("10.13.0.10")), ["eds +a"], "{variant:?}: another VIP");
        confirm(&mut talk, variant);
        assert_eq!(talk.world(&vips_gone("us-1", "shop/a")), ["eds +a"], "{variant:?}: shown again");
        assert_ne!(talk.version(Assignment, "a"), shared, "as it is by now");
        assert_eq!(confirm(&mut talk, variant), NOTHING);
        assert_eq!(talk.world(&a("10.8.0.3:80")), ["eds +a"], "{variant:?}: and followed again");
    }
}

/// Several steps while the client has not answered: what counts is what it has, and what it should have.
#[test]
fn steps_that_the_client_slept_through_come_down_to_the_difference() {
    for variant in [Variant::Delta, Variant::Sotw] {
        // Hidden, changed beneath, and shown as it was.
        let mut sleeper = talk(variant);
        assert_eq!(sleeper.world(&a("10.8.0.2:80")), ["eds +a"]);
        for step in [kept("10.13.0.9"), a("10.8.0.3:80"), a("10.8.0.2:80"), vips_gone("us-1", "shop/a")] {
            assert_eq!(sleeper.world(&step), NOTHING);
        }
        assert_eq!(confirm(&mut sleeper, variant), NOTHING, "{variant:?}: it has what it should have");

        // It has the hiding one; beneath it changed and came back, and it is shown.
        let mut sleeper = talk(variant);
        assert_eq!(sleeper.world(&kept("10.13.0.9")), ["eds +a"]);
        for step in [a("10.8.0.2:80"), vips_gone("us-1", "shop/a"), a("10.8.0.1:80")] {
            assert_eq!(sleeper.world(&step), NOTHING);
        }
        assert_eq!(confirm(&mut sleeper, variant), ["eds +a"], "{variant:?}: it has the hiding one");

        // Still hidden after all that happened beneath.
        let mut sleeper = talk(variant);
        assert_eq!(sleeper.world(&kept("10.13.0.9")), ["eds +a"]);
        for step in [a("10.8.0.2:80"), a("10.8.0.3:80")] {
            assert_eq!(sleeper.world(&step), NOTHING);
        }
        assert_eq!(confirm(&mut sleeper, variant), NOTHING, "{variant:?}: nothing of it concerns the client");
    }
}
