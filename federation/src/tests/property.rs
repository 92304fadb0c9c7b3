//! Invariant 3: after any sequence of batches, relisted, duplicated, cut by the loss of a cluster, grouped into rounds in
//! any way, the engine's state equals a naive rebuild. And its effects alone are enough to follow it.
//!
//! A thorough run: `PROPTEST_CASES=10000 cargo test --profile nightly -p federation incremental`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::random::{Move, Recorder, Round, arrivals, rounds};
use crate::change::Batch;
use crate::desired::{Action, Desired};
use crate::model::{Families, Family, Health};
use crate::report::{AddressRefusal, LinkState, NotExported, Notable, Refusal, Verdict};
use crate::testing::{Oracle, Published, Replica, TestFederation, make};
use crate::{Authority, Awaits, Config, Engine, Knowledge, Phase, invariants};

/// Enough to find most mistakes within seconds in a debug build.
const ORDINARY_CASES: u32 = 500;
/// Each of these is reported twice, in some sixty rounds.
const ORDINARY_ORDERS: u32 = 150;
/// Histories in which everything that matters should have happened at least once.
const COVERING_CASES: usize = 2400;

/// As many cases as in `PROPTEST_CASES`, else `ordinary`.
fn config(ordinary: u32) -> ProptestConfig {
    let mut config = ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = ordinary;
    }
    config
}

/// Gives a history to the engine and to the oracle; after each round both must have the same published state, and the effects
/// must lead to it. `look` gets every published state.
fn replay(config: Config, rounds: &[Round], mut look: impl FnMut(&Published)) -> Result<(), TestCaseError> {
    let mut engine = Engine::new(config.clone());
    let mut oracle = Oracle::new(config);
    let (mut replica, mut recorder) = (Replica::default(), Recorder::default());
    let mut phase = Phase::WaitingForHub;
    for (number, round) in rounds.iter().enumerate() {
        let now = make::at(100 + i64::try_from(number).unwrap_or(0));
        let batches: Vec<_> = round.iter().flat_map(|step| recorder.batches(step, &oracle)).collect();
        oracle.round(&batches, now);
        let effects = engine.apply(batches, now);

        let mut expected = oracle.expected();
        look(&expected);
        let failed = |what: String| TestCaseError::fail(format!("after round {number} {round:?}\n{what}"));
        if let Some(difference) = expected.difference(&Published::of(&engine)) {
            return Err(failed(format!("the engine differs from the oracle:\n{difference}")));
        }
        if let Some(violated) = invariants::check(&engine).into_iter().find(|check| check.violations > 0) {
            return Err(failed(format!("a check of the engine's own state fails: {violated:?}")));
        }
        phase = match phase {
            Phase::Complete => Phase::Complete,
            _ if expected.synced => Phase::Complete,
            _ if engine.hub_is_listed() => Phase::Incomplete, // the deadlines of this configuration pass at once
            _ => Phase::WaitingForHub,
        };
        replica.follow(&effects).map_err(|what| failed(format!("effects are not minimal: {what}")))?;
        let expected_phase = (phase, phase == Phase::Incomplete);
        let Knowledge { phase: shown, waited, .. } = engine.knowledge();
        if (expected_phase, expected_phase) != (replica.phase, (shown, waited)) {
            return Err(failed(format!("expected phase {expected_phase:?}, published {:?}", replica.phase)));
        }
        expected.synced = false; // not a part of the effects
        if let Some(difference) = expected.difference(&replica.published) {
            return Err(failed(format!("effects are not complete:\n{difference}")));
        }
    }
    Ok(())
}

/// Batches of several sources in one order of arrival: each source's own order stays. `turns` says whose turn it is and
/// where a round ends.
fn interleave(sources: &[Vec<Batch>], turns: &[(usize, bool)]) -> Vec<Vec<Batch>> {
    let mut waiting: Vec<_> = sources.iter().map(|source| source.iter().cloned().peekable()).collect();
    let mut rounds = vec![Vec::new()];
    for (source, ends) in turns {
        let source = source % waiting.len();
        rounds.last_mut().into_iter().for_each(|round| round.extend(waiting[source].next()));
        if *ends {
            rounds.push(Vec::new());
        }
    }
    rounds.extend(waiting.into_iter().map(Iterator::collect));
    rounds
}

/// What an engine ends up with. Members' reports hold times of arrival; of them, what does not.
fn outcome(sources: &[Vec<Batch>], turns: &[(usize, bool)], start: &[Batch]) -> Published {
    let mut engine = Engine::new(TestFederation::config(Authority::Recorded));
    engine.apply(start.to_vec(), make::at(1));
    for (number, round) in (2..).zip(interleave(sources, turns)) {
        engine.apply(round, make::at(number));
    }
    let mut published = Published::of(&engine);
    for report in published.reports.values_mut() {
        report.link = LinkState::Pending;
    }
    published
}

proptest! {
    #![proptest_config(config(ORDINARY_CASES))]

    #[test]
    fn incremental_equals_from_scratch(
        authority in prop_oneof![Just(Authority::Own), Just(Authority::Recorded)],
        awaits in prop_oneof![Just(Awaits::Admitted), Just(Awaits::NotRefused)],
        rounds in rounds(),
    ) {
        replay(Config { awaits, ..TestFederation::config(authority) }, &rounds, |_| {})?;
    }
}

proptest! {
    #![proptest_config(config(ORDINARY_ORDERS))]

    #[test]
    fn order_of_arrival_does_not_matter(
        (start, sources) in arrivals(),
        one in proptest::collection::vec((0..5_usize, any::<bool>()), 0..60),
        other in proptest::collection::vec((0..5_usize, any::<bool>()), 0..60),
    ) {
        let oracle = Oracle::new(TestFederation::config(Authority::Recorded));
        let mut recorder = Recorder::default();
        let mut batches = |moves: &[Move]| moves.iter().flat_map(|step| recorder.batches(step, &oracle)).collect::<Vec<_>>();
        let start = batches(&start);
        let sources: Vec<Vec<Batch>> = sources.iter().map(|moves| batches(moves)).collect();
        let (one, other) = (outcome(&sources, &one, &start), outcome(&sources, &other, &start));
        prop_assert_eq!(one.difference(&other), None);
    }
}

/// The random federations are worth something only if things happen in them.
#[test]
fn random_histories_cover_what_matters() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for case in 0..COVERING_CASES {
        let rounds = rounds().new_tree(&mut runner).expect("a history").current();
        let authority = if case % 2 == 0 { Authority::Own } else { Authority::Recorded };
        let look = |published: &Published| {
            what_happens(published).into_iter().for_each(|what| *seen.entry(what).or_default() += 1);
        };
        let awaits = if case % 4 < 2 { Awaits::Admitted } else { Awaits::NotRefused };
        replay(Config { awaits, ..TestFederation::config(authority) }, &rounds, look).expect("engine and oracle agree");
    }
    let never: Vec<_> = ALL_THAT_MATTERS.iter().filter(|what| seen.get(*what).is_none_or(|times| *times < 3)).collect();
    assert!(never.is_empty(), "hardly ever: {never:?} of {seen:?}");
}

const ALL_THAT_MATTERS: [&str; 45] = [
    "admitted",
    "apply",
    "apply headless",
    "apply namespace",
    "apply namespace of a release",
    "apply of a release",
    "asked for in vain",
    "both addresses",
    "conflicting ports",
    "delete",
    "derived",
    "down",
    "drift",
    "duplicate",
    "ended",
    "export without service",
    "families apart",
    "federated vips",
    "headless mirror",
    "identity changed",
    "kept local",
    "kept local, headless",
    "loopback",
    "merged of three",
    "misspelt",
    "offered twice",
    "outside",
    "outside, strict",
    "overlap",
    "pending",
    "release",
    "stranger",
    "synced",
    "out of range",
    "two families",
    "two zones",
    "unknown member, others serve",
    "unknown region",
    "unreadable",
    "up, not listed",
    "v6 first",
    "v6 vips",
    "virtual ip",
    "vips of a mirror for the unknown",
    "vips of a mirror for the unknown, federated",
];

fn what_happens(published: &Published) -> Vec<&'static str> {
    let mut seen = Vec::new();
    let mut note = |what: &'static str, happened: bool| {
        if happened {
            seen.push(what);
        }
    };
    note("synced", published.synced);
    note("unknown member, others serve", !published.unknown.is_empty() && !published.merged.is_empty());
    for action in published.mirror_work.values() {
        match action {
            Action::Leave(_) => {}
            Action::Apply(Desired::Namespace(desired)) if desired.helm.is_some() => {
                note("apply namespace of a release", true);
            }
            Action::Apply(Desired::Namespace(_)) => note("apply namespace", true),
            Action::Apply(Desired::Service(service)) if service.helm.is_some() => note("apply of a release", true),
            Action::Apply(Desired::Service(service)) if service.headless => note("apply headless", true),
            Action::Apply(Desired::Service(_)) => note("apply", true),
            Action::Release(_) => note("release", true),
            Action::Delete { .. } => note("delete", true),
        }
    }
    for report in published.reports.values() {
        note("unreadable", !report.unreadable.is_empty());
        note("outside", !report.outside.is_empty());
        for refused in &report.refused.first {
            match &refused.why {
                AddressRefusal::InRangeOf(_) => note("out of range", true),
                AddressRefusal::AlsoOfferedBy(_) => note("offered twice", true),
                AddressRefusal::VirtualIp => note("virtual ip", true),
                AddressRefusal::Loopback => note("loopback", true),
                AddressRefusal::OutsideRanges => note("outside, strict", true),
            }
        }
        for notice in &report.notices.first {
            match &notice.what {
                Notable::KeptLocal { why, .. } => {
                    note("kept local", true);
                    note("derived", matches!(why, NotExported::Derived { .. }));
                }
                Notable::NotExported(_) => note("asked for in vain", true),
                Notable::NoService => note("export without service", true),
                Notable::Misspelt(_) => note("misspelt", true),
                Notable::TooManyHosts { .. } => note("too many hosts", true),
            }
        }
        note("families apart", !report.family_conflicts.is_empty());
        note("stranger", !report.strangers.is_empty());
        note("headless mirror", report.counts.headless_mirrors > 0);
        note("down", matches!(report.link, LinkState::Down { .. }));
        note("identity changed", matches!(report.link, LinkState::IdentityChanged { .. }));
        note("up, not listed", matches!(report.link, LinkState::Up { .. }) && !report.listed);
        match &report.admission {
            Verdict::Pending(_) => note("pending", true),
            Verdict::Admitted => note("admitted", true),
            Verdict::AdmittedWithDrift(_) => note("drift", true),
            Verdict::Refused(Refusal::CidrOverlap(_)) => note("overlap", true),
            Verdict::Refused(Refusal::DuplicateCluster { .. }) => note("duplicate", true),
            Verdict::Refused(Refusal::UnknownRegion) => note("unknown region", true),
        }
    }
    for merged in published.merged.values() {
        let backends = || merged.ports.iter().flat_map(|port| &port.backends);
        let hosts = || backends().flat_map(|backend| &backend.hosts);
        note("merged of three", merged.sources.len() >= 3);
        note("conflicting ports", merged.ports.len() == 1 && merged.sources.len() > 1);
        note("two zones", backends().any(|b| b.zone.is_some()) && backends().any(|b| b.zone.is_none()));
        note("both addresses", backends().any(|backend| !backend.second.is_empty()));
        note("ended", hosts().any(|host| host.health == Health::Ended));
        note("two families", hosts().any(|h| h.ip.is_ipv4()) && hosts().any(|h| h.ip.is_ipv6()));
    }
    let places = published.topology.members.values();
    note("v6 first", places.filter_map(|place| place.families).any(|families| families == Families::Both(Family::V6)));
    for vips in published.vips.values() {
        note("federated vips", vips.federated);
        note("kept local, headless", vips.ips.is_empty());
        note("vips of a mirror for the unknown", vips.awaits_source && !vips.federated);
        note("vips of a mirror for the unknown, federated", vips.awaits_source && vips.federated);
        note("v6 vips", vips.ips.first().is_some_and(std::net::IpAddr::is_ipv6));
    }
    seen
}
