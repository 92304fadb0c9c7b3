#![allow(clippy::unwrap_used)]

use super::*;

fn spec(holder: &str, number: i32) -> LeaseSpec {
    let holder_identity = (!holder.is_empty()).then(|| holder.to_owned());
    LeaseSpec { holder_identity, lease_transitions: Some(number), ..LeaseSpec::default() }
}

fn claim(hub: &str, number: i32) -> Claim {
    Claim { hub: Arc::from(hub), number }
}

#[test]
fn a_member_is_claimed_once_and_taken_over_only_by_name() {
    assert_eq!(step(None, "h1", None), Step::Create);
    assert_eq!(step(Some(&spec("h1", 0)), "h1", None), Step::Keep);
    assert_eq!(step(Some(&spec("h1", 0)), "h2", None), Step::LeaveTo(claim("h1", 0)));
    // A Lease without a holder was released by hand.
    assert_eq!(step(Some(&spec("", 4)), "h2", None), Step::Claim(5));
    assert_eq!(step(Some(&LeaseSpec::default()), "h2", None), Step::Claim(1));
    // Only the claim that is named: not another hub's, and not a later one of the same hub.
    for wrong in ["h1", "h1/1", "h3/0", "true", ""] {
        assert_eq!(step(Some(&spec("h1", 0)), "h2", Some(wrong)), Step::LeaveTo(claim("h1", 0)), "{wrong:?}");
    }
    assert_eq!(step(Some(&spec("h1", 0)), "h2", Some("h1/0")), Step::Claim(1));
}

/// Both hubs keep the annotation that once let them take the member from the other.
#[test]
fn two_hubs_that_name_each_other_do_not_take_turns() {
    let mut lease = spec("h1", 0);
    let orders = [("h2", "h1/0"), ("h1", "h2/1")];
    let mut changes = 0;
    for _ in 0..10 {
        for (hub, order) in orders {
            if let Step::Claim(number) = step(Some(&lease), hub, Some(order)) {
                lease = spec(hub, number);
                changes += 1;
            }
        }
    }
    assert_eq!((changes, lease.holder_identity.as_deref()), (2, Some("h1")));
}

#[test]
fn a_claim_reads_as_what_a_person_writes() {
    assert_eq!(claim("6f0c", 3).to_string(), "6f0c/3");
}
