//! Each transition of the life cycle, alone and through an engine.

use crate::change::{Batch, Delta, HubChanges};
use crate::life_cycle::{Admitted, Decision, Joining, LifeCycle, Transition};
use crate::model::{Admission, Member, Traffic};
use crate::report::{Clash, PendingReason, RangeUse, Refusal, Verdict};
use crate::testing::{TestFederation, make};
use crate::{Authority, Engine};

fn admission(pods: &str) -> Admission {
    make::admission(1, "uid-a", pods, "10.96.0.0/16")
}

fn clash() -> Clash {
    let (mine, theirs) = (make::net("10.1.0.0/16"), make::net("10.0.0.0/8"));
    Clash { mine, my_use: RangeUse::Pods, theirs, their_use: RangeUse::Reserved, with: None }
}

fn admit(pods: &str, drift: Vec<Clash>, traffic: Traffic) -> Decision {
    Decision::Admitted(Admitted { admission: admission(pods), drift }, traffic)
}

fn refuse() -> Decision {
    Decision::NotAdmitted(Joining::Refused(Refusal::UnknownRegion))
}

/// The transitions of one member, decision by decision, from its beginning.
fn transitions(decisions: Vec<Decision>) -> (Vec<Transition>, LifeCycle) {
    let mut state = LifeCycle::default();
    let transitions = decisions.into_iter().map(|decision| state.advance(decision)).collect();
    (transitions, state)
}

const POD_A: &str = "10.0.0.0/16";
const POD_B: &str = "10.1.0.0/16";

#[test]
fn a_member_begins_as_joining_with_an_unknown_identity() {
    let state = LifeCycle::default();
    assert_eq!(state.verdict(), Verdict::Pending(PendingReason::IdentityUnknown));
    assert_eq!(state.admission(), None);
}

#[test]
fn joining_stays_joining_whatever_the_reason() {
    let pending = Decision::NotAdmitted(Joining::Pending(PendingReason::AwaitingDecision));
    let (found, state) = transitions(vec![pending, refuse(), refuse()]);
    assert_eq!(found, [Transition::Unchanged; 3]);
    assert_eq!(state.verdict(), Verdict::Refused(Refusal::UnknownRegion));
    assert!(!Transition::Unchanged.changes_admissions());
}

#[test]
fn joining_becomes_active_or_drained_with_its_admission() {
    for (traffic, expected) in [(Traffic::Active, "Active"), (Traffic::Drained, "Drained")] {
        let (found, state) = transitions(vec![refuse(), admit(POD_A, Vec::new(), traffic)]);
        assert_eq!(found, [Transition::Unchanged, Transition::Admitted]);
        assert!(Transition::Admitted.changes_admissions());
        assert_eq!((state.admission(), state.verdict()), (Some(&admission(POD_A)), Verdict::Admitted));
        assert!(format!("{state:?}").starts_with(expected));
    }
}

#[test]
fn a_drain_and_its_end_change_no_admission() {
    let decisions = [Traffic::Active, Traffic::Drained, Traffic::Drained, Traffic::Active];
    let (found, _) = transitions(decisions.map(|traffic| admit(POD_A, Vec::new(), traffic)).to_vec());
    use Transition::{Admitted, Drained, Resumed, Unchanged};
    assert_eq!(found, [Admitted, Drained, Unchanged, Resumed]);
    assert!(!Drained.changes_admissions() && !Resumed.changes_admissions());
}

#[test]
fn other_ranges_are_a_move_even_if_the_member_is_drained_in_the_same_round() {
    for traffic in [Traffic::Active, Traffic::Drained] {
        let (found, state) =
            transitions(vec![admit(POD_A, Vec::new(), Traffic::Active), admit(POD_B, Vec::new(), traffic)]);
        assert_eq!(found, [Transition::Admitted, Transition::Moved]);
        assert!(Transition::Moved.changes_admissions());
        assert_eq!(state.admission(), Some(&admission(POD_B)));
    }
}

#[test]
fn refused_ranges_are_drift_and_no_transition() {
    let (found, state) =
        transitions(vec![admit(POD_A, Vec::new(), Traffic::Active), admit(POD_A, vec![clash()], Traffic::Active)]);
    assert_eq!(found, [Transition::Admitted, Transition::Unchanged]);
    assert_eq!(state.verdict(), Verdict::AdmittedWithDrift(vec![clash()]));
}

#[test]
fn an_admission_that_ends_makes_the_member_join_again() {
    for traffic in [Traffic::Active, Traffic::Drained] {
        let (found, state) = transitions(vec![admit(POD_A, Vec::new(), traffic), refuse()]);
        assert_eq!(found, [Transition::Admitted, Transition::Ended]);
        assert!(Transition::Ended.changes_admissions());
        assert_eq!(state.admission(), None);
    }
}

fn put(engine: &mut Engine, member: &Member, seconds: i64) {
    let batch = Batch::Hub(HubChanges::Members(Delta::put(member.clone())));
    engine.apply([batch], make::at(seconds));
}

fn state(engine: &Engine) -> Option<&LifeCycle> {
    engine.membership().state(&make::cluster("a"))
}

#[test]
fn an_engine_leads_a_member_through_its_life() {
    let federation = TestFederation::new().region("eu", &[]).member("a", "eu", POD_A, "10.96.0.0/16");
    let mut engine = Engine::new(TestFederation::config(Authority::Own));
    assert_eq!(state(&engine), None);
    engine.apply(federation.hub(), make::at(1));
    assert_eq!(state(&engine), Some(&LifeCycle::default()), "its identity is not known");
    engine.apply(federation.listing("a", 1), make::at(2));
    assert!(matches!(state(&engine), Some(LifeCycle::Active(_))), "{:?}", state(&engine));

    let mut member = federation.members[0].clone();
    member.traffic = Traffic::Drained;
    put(&mut engine, &member, 3);
    assert!(matches!(state(&engine), Some(LifeCycle::Drained(_))), "{:?}", state(&engine));
    member.traffic = Traffic::Active;
    put(&mut engine, &member, 4);
    assert!(matches!(state(&engine), Some(LifeCycle::Active(_))), "{:?}", state(&engine));

    // Its admission was for a network and does not hold in another one; and its Region is gone, so it is refused there.
    (member.network, member.region) = (make::network("other"), make::region_id("nowhere"));
    put(&mut engine, &member, 5);
    let refused = LifeCycle::Joining(Joining::Refused(Refusal::UnknownRegion));
    assert_eq!(state(&engine), Some(&refused));

    engine.apply([Batch::Hub(HubChanges::Members(Delta::delete(member.id)))], make::at(6));
    assert_eq!(state(&engine), None, "a removed member is forgotten at once");
}
