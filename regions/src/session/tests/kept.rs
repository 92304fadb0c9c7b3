//! Load assignments that hide others: a name that the client's member keeps for itself. The client is sent a change when it is hidden
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

fn client(variant: Variant) -> TestClient {
    let mut client = TestClient::with(variant, Some("us-1"), a("10.8.0.1:80"));
    let first = match variant {
        Variant::Delta => client.delta(Assignment, &["a"], &[]),
        Variant::Sotw => client.sotw(Assignment, &["a"]),
    };
    assert_eq!(first, ["eds +a"]);
    confirm(&mut client, variant);
    client
}

fn confirm(client: &mut TestClient, variant: Variant) -> Vec<String> {
    match variant {
        Variant::Delta => client.ack(Assignment),
        Variant::Sotw => client.sotw(Assignment, &["a"]),
    }
}

#[test]
fn what_is_hidden_is_not_sent_and_what_is_visible_again_is() {
    for variant in [Variant::Delta, Variant::Sotw] {
        let mut client = client(variant);
        let shared = client.version(Assignment, "a");
        assert_eq!(client.apply(&kept("10.13.0.9")), ["eds +a"], "{variant:?}: hidden");
        let own = client.version(Assignment, "a");
        assert_ne!(own, shared);
        assert_eq!(confirm(&mut client, variant), NOTHING);
        assert_eq!(client.apply(&a("10.8.0.2:80")), NOTHING, "{variant:?}: it changes beneath");
        assert_eq!(client.version(Assignment, "a"), own);
        assert_eq!(client.apply(&kept("10.13.0.10")), ["eds +a"], "{variant:?}: another VIP");
        confirm(&mut client, variant);
        assert_eq!(client.apply(&vips_gone("us-1", "shop/a")), ["eds +a"], "{variant:?}: shown again");
        assert_ne!(client.version(Assignment, "a"), shared, "as it is by now");
        assert_eq!(confirm(&mut client, variant), NOTHING);
        assert_eq!(client.apply(&a("10.8.0.3:80")), ["eds +a"], "{variant:?}: and followed again");
    }
}

/// Several steps while the client has not answered: what counts is what it has, and what it should have.
#[test]
fn steps_that_the_client_slept_through_come_down_to_the_difference() {
    for variant in [Variant::Delta, Variant::Sotw] {
        // Hidden, changed beneath, and shown as it was.
        let mut sleeper = client(variant);
        assert_eq!(sleeper.apply(&a("10.8.0.2:80")), ["eds +a"]);
        for step in [kept("10.13.0.9"), a("10.8.0.3:80"), a("10.8.0.2:80"), vips_gone("us-1", "shop/a")] {
            assert_eq!(sleeper.apply(&step), NOTHING);
        }
        assert_eq!(confirm(&mut sleeper, variant), NOTHING, "{variant:?}: it has what it should have");

        // It has the hiding one; beneath it changed and came back, and it is shown.
        let mut sleeper = client(variant);
        assert_eq!(sleeper.apply(&kept("10.13.0.9")), ["eds +a"]);
        for step in [a("10.8.0.2:80"), vips_gone("us-1", "shop/a"), a("10.8.0.1:80")] {
            assert_eq!(sleeper.apply(&step), NOTHING);
        }
        assert_eq!(confirm(&mut sleeper, variant), ["eds +a"], "{variant:?}: it has the hiding one");

        // Still hidden after all that happened beneath.
        let mut sleeper = client(variant);
        assert_eq!(sleeper.apply(&kept("10.13.0.9")), ["eds +a"]);
        for step in [a("10.8.0.2:80"), a("10.8.0.3:80")] {
            assert_eq!(sleeper.apply(&step), NOTHING);
        }
        assert_eq!(confirm(&mut sleeper, variant), NOTHING, "{variant:?}: nothing of it concerns the client");
    }
}
