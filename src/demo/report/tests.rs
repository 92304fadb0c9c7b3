use std::collections::BTreeMap;

use super::super::director::Answered;
use super::super::measure::Failed;
use super::super::planes::MemberSays;
use super::super::timetable::{self, Event};
use super::super::world::Spot;
use super::*;

fn event(name: &str) -> Option<Event> {
    timetable::events().into_iter().find(|event| event.name == name)
}

fn done(event: Event, measured: Measured, answered: Vec<Answered>) -> Done {
    let ms = Duration::from_millis;
    Done { event, at: ms(3_000), written: ms(2), window: ms(4_000), measured, lag: ms(1), answered }
}

fn show() -> Vec<Done> {
    let moved = Measured {
        first: Some(Duration::from_micros(21_400)),
        last: Some(Duration::from_millis(1_043)),
        requests: 2_400,
        failed: Failed { in_flight: 1, before_move: 2, other: 0 },
        served: BTreeMap::from([("eu".to_owned(), vec![(Spot::new("us", "us-1", "us-a"), 1.0)])]),
        ..Measured::default()
    };
    let says = MemberSays { id: "us-2".to_owned(), reason: Some("CIDROverlap".to_owned()), ..MemberSays::default() };
    let answered = Answered { region: "eu", after: Duration::from_millis(30), says };
    let broken = Measured {
        requests: 100,
        failed: Failed { in_flight: 0, before_move: 0, other: 4 },
        reasons: vec!["ap: no answer in time (4 ×)".to_owned()],
        ..Measured::default()
    };
    [
        event("regionLost").map(|event| done(event, moved, vec![])),
        event("clashRefused").map(|event| done(event, broken, vec![answered])),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn the_table_is_narrow_and_says_it_all() {
    let text = table(&show());
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let row = |label: &str| text.lines().find(|line| line.contains(label)).unwrap_or_default().to_owned();
    for part in ["21 ms", "1.04 s", "3 of 2400: 1 in flight, 2 before the move", "held"] {
        assert!(row("a region lost").contains(part), "{part} in {text}");
    }
    // No client moves when a cluster is refused: the times are those of the control planes.
    for part in ["30 ms", "4 of 100: 4 other", "NOT HELD"] {
        assert!(row("a clashing cluster refused").contains(part), "{part} in {text}");
    }
}

#[test]
fn a_machine_without_time_is_named_among_the_reasons() {
    let mut shown = show();
    assert_eq!(reasons(&shown), ["a clashing cluster refused: ap: no answer in time (4 ×)"]);
    for done in &mut shown {
        done.lag = Duration::from_millis(640);
    }
    assert!(reasons(&shown).last().is_some_and(|reason| reason.contains("640 ms")));
    shown.retain(|done| done.measured.reasons.is_empty());
    assert_eq!(reasons(&shown), Vec::<String>::new());
}

#[test]
fn the_summary_counts_what_was_not_shown() {
    let totals = Totals::of(&show());
    assert_eq!(totals, Totals { events: 2, held: 1, requests: 2_500, excused: 3, other: 4 });
    let text = summary(&show(), 7);
    for part in ["1 of the 2", "5 were not shown", "7 failed, 4 of them"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let text = summary(&show(), 2);
    assert!(text.starts_with("1 of 2 events went as they should"), "{text}");
    let held: Vec<Done> = show().into_iter().take(1).collect();
    assert!(summary(&held, 1).contains("within 1.04 s"), "{}", summary(&held, 1));
}

#[test]
fn the_document_has_stable_names_and_holds_only_when_all_of_it_was_shown() -> Result<(), serde_json::Error> {
    let shown = show();
    let value = serde_json::to_value(document(&shown, 7, Duration::from_secs(31), None))?;
    assert_eq!(value.pointer("/held"), Some(&false.into()));
    assert_eq!(value.pointer("/tookMs"), Some(&31_000.0.into()));
    assert_eq!(value.pointer("/events/0/name"), Some(&"regionLost".into()));
    assert_eq!(value.pointer("/events/0/zero"), Some(&"podsKilled".into()));
    assert_eq!(value.pointer("/events/0/firstMs"), Some(&21.4.into()));
    assert_eq!(value.pointer("/events/0/failed/beforeMove"), Some(&2.into()));
    assert_eq!(value.pointer("/events/0/served/eu/0/cluster"), Some(&"us-1".into()));
    assert_eq!(value.pointer("/events/1/verdicts/0/reason"), Some(&"CIDROverlap".into()));
    assert_eq!(value.pointer("/events/1/held"), Some(&false.into()));

    let good: Vec<Done> = shown.into_iter().take(1).collect();
    let held = |length, error| {
        serde_json::to_value(document(&good, length, Duration::ZERO, error)).map(|v| v.get("held").cloned())
    };
    assert_eq!(held(1, None)?, Some(true.into()));
    assert_eq!(held(2, None)?, Some(false.into()), "one event is missing");
    assert_eq!(held(1, Some("interrupted".to_owned()))?, Some(false.into()));
    Ok(())
}
