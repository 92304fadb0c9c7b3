//! One object of the hub: the status that it has, the one that was asked for, and whether that is worth a write. No IO.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tokio::time::Instant;

use crate::api::MemberClusterStatus;
use crate::tables::observed::{Identity, Observed};

/// A status as it is written.
pub(super) trait Status: Clone + PartialEq {
    fn conditions(&self) -> &[Condition];

    /// Whether an object that has the status `found` is as this one says. Conditions that others wrote do not count.
    fn is_shown_by(&self, found: &Self) -> bool;
}

impl Status for Vec<Condition> {
    fn conditions(&self) -> &[Condition] {
        self
    }

    fn is_shown_by(&self, found: &Self) -> bool {
        self.iter().all(|condition| found.contains(condition))
    }
}

impl Status for MemberClusterStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn is_shown_by(&self, found: &Self) -> bool {
        let rest = |status: &Self| Self { conditions: Vec::new(), ..status.clone() };
        self.conditions.is_shown_by(&found.conditions) && rest(self) == rest(found)
    }
}

/// What to do about the status of an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step<S> {
    /// It is as it should be, or the right write is on its way, or the difference is not worth one yet.
    Keep,
    /// It is as it should be without the write on its way.
    TakeBack,
    Write(S),
}

#[derive(Debug)]
pub(super) struct Row<S> {
    /// As the hub shows it.
    observed: Arc<Observed<S>>,
    /// As it was asked for, until the hub shows it.
    asked: Option<S>,
    /// When it was asked for last.
    asked_at: Option<Instant>,
    /// The conditions that the hub is known to have, or to have had last: Events say what changed since.
    known: Vec<Condition>,
}

/// Conditions before and after a change that the hub has.
pub(super) type Transition = (Vec<Condition>, Vec<Condition>);

impl<S: Status> Row<S> {
    pub(super) fn new(observed: Arc<Observed<S>>) -> Self {
        let known = observed.status.conditions().to_vec();
        Self { observed, asked: None, asked_at: None, known }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.observed.identity
    }

    /// Fields of the object that are accepted but do nothing yet.
    pub(super) fn idle(&self) -> &[&'static str] {
        &self.observed.idle
    }

    /// The status as it is, or soon is. What is observed is older than what was asked for, until it shows that.
    pub(super) fn status(&self) -> &S {
        self.asked.as_ref().unwrap_or(&self.observed.status)
    }

    /// Takes what the hub shows of the same object. Returns which conditions changed by what was asked for.
    pub(super) fn observe(&mut self, observed: Arc<Observed<S>>) -> Option<Transition> {
        self.observed = observed;
        match &self.asked {
            Some(asked) if asked.is_shown_by(&self.observed.status) => self.accepted(),
            Some(_) => None,
            None => {
                self.known = self.observed.status.conditions().to_vec();
                None
            }
        }
    }

    /// The hub accepted what was asked for. Returns which conditions changed by it, once.
    pub(super) fn accepted(&mut self) -> Option<Transition> {
        let asked = self.asked.as_ref()?.conditions();
        if asked == self.known {
            return None;
        }
        let before = std::mem::replace(&mut self.known, asked.to_vec());
        Some((before, self.known.clone()))
    }

    /// `wanted`: the status that it should have. Counts and texts alone are written no sooner than `quiet` after the last write;
    /// a transition is written at once.
    pub(super) fn step(&mut self, wanted: S, quiet: Duration, now: Instant) -> Step<S> {
        if wanted.is_shown_by(&self.observed.status) {
            let was_asked = self.asked.take().is_some();
            return if was_asked { Step::TakeBack } else { Step::Keep };
        }
        if self.asked.as_ref() == Some(&wanted) {
            return Step::Keep;
        }
        let is_quiet = self.asked_at.is_none_or(|at| now.duration_since(at) >= quiet);
        if !is_quiet && signatures(wanted.conditions()) == signatures(self.status().conditions()) {
            return Step::Keep;
        }
        (self.asked, self.asked_at) = (Some(wanted.clone()), Some(now));
        Step::Write(wanted)
    }
}

/// The objects of one kind, by name.
#[derive(Debug)]
pub(super) struct Rows<S> {
    pub(super) rows: BTreeMap<Arc<str>, Row<S>>,
}

impl<S> Default for Rows<S> {
    fn default() -> Self {
        Self { rows: BTreeMap::new() }
    }
}

impl<S: Status> Rows<S> {
    /// Follows what the hub shows. `transition`: called for each object of which it shows for the first time what was asked for.
    /// Returns the names of those that are gone, or were deleted and created again: what was asked for them is over.
    pub(super) fn follow(
        &mut self,
        shown: &BTreeMap<Arc<str>, Arc<Observed<S>>>,
        mut transition: impl FnMut(&Identity, Transition),
    ) -> Vec<Arc<str>> {
        let stays = |name: &Arc<str>, row: &Row<S>| {
            shown.get(name).is_some_and(|observed| observed.identity.uid == row.identity().uid)
        };
        let over: Vec<_> = self.rows.extract_if(.., |name, row| !stays(name, row)).map(|(name, _)| name).collect();
        for (name, observed) in shown {
            let Some(row) = self.rows.get_mut(name) else {
                self.rows.insert(Arc::clone(name), Row::new(Arc::clone(observed)));
                continue;
            };
            if !Arc::ptr_eq(&row.observed, observed)
                && let Some(change) = row.observe(Arc::clone(observed))
            {
                transition(&observed.identity, change);
            }
        }
        over
    }
}

fn signatures(conditions: &[Condition]) -> Vec<(&str, &str, &str)> {
    conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use federation::model::Time;

    use super::*;
    use crate::conditions::{Status as Value, Wanted, with_history};

    const QUIET: Duration = Duration::from_secs(1);

    fn shown(uid: &str, status: Vec<Condition>) -> Arc<Observed<Vec<Condition>>> {
        let identity = Identity { name: Arc::from("eu-1"), uid: Arc::from(uid), generation: 1 };
        Arc::new(Observed { identity, status, idle: Vec::new() })
    }

    fn conditions(before: &[Condition], status: Value, reason: &'static str, message: &str, at: i64) -> Vec<Condition> {
        let wanted = Wanted { kind: "Connected", status, reason, message: message.to_owned() };
        with_history(before, &[wanted], Some(1), Time::from_unix_ms(at * 1_000))
    }

    fn up(message: &str) -> Vec<Condition> {
        conditions(&[], Value::True, "Connected", message, 1)
    }

    #[test]
    fn what_is_as_it_should_be_is_not_written_although_others_wrote_conditions() {
        let mut row = Row::new(shown("u", up("3")));
        let now = Instant::now();
        assert_eq!(row.step(up("3"), QUIET, now), Step::Keep);
        let theirs = Condition { type_: "Theirs".to_owned(), ..up("x").remove(0) };
        row.observe(shown("u", [vec![theirs], up("3")].concat()));
        assert_eq!(row.step(up("3"), QUIET, now), Step::Keep);
    }

    #[test]
    fn counts_and_texts_are_written_now_and_then_and_transitions_at_once() {
        let mut row = Row::new(shown("u", up("1")));
        let now = Instant::now();
        assert_eq!(row.step(up("2"), QUIET, now), Step::Write(up("2")));
        assert_eq!(row.step(up("3"), QUIET, now + QUIET / 2), Step::Keep, "a text alone");
        let down = conditions(&up("1"), Value::False, "Unreachable", "no answer", 2);
        assert_eq!(row.step(down.clone(), QUIET, now + QUIET / 2), Step::Write(down));
        assert_eq!(row.step(up("3"), QUIET, now + QUIET), Step::Write(up("3")));
        let mut row = Row::new(shown("u", up("1")));
        row.step(up("2"), QUIET, now);
        assert_eq!(row.step(up("3"), QUIET, now + QUIET), Step::Write(up("3")));
    }

    /// Until the hub shows what was asked for, what it shows is older.
    #[test]
    fn what_was_asked_for_counts_until_the_hub_shows_it() {
        let mut row = Row::new(shown("u", up("1")));
        let (start, later) = (Instant::now(), Instant::now() + 10 * QUIET);
        row.step(up("2"), QUIET, start);
        row.observe(shown("u", up("1")));
        assert_eq!(row.status(), &up("2"));
        assert_eq!(row.step(up("2"), QUIET, later), Step::Keep, "it is on its way");
        row.observe(shown("u", up("2")));
        assert_eq!(row.step(up("2"), QUIET, later), Step::TakeBack, "and there is nothing left to write");
        assert_eq!(row.step(up("2"), QUIET, later), Step::Keep);
        // Another client changed it.
        row.observe(shown("u", up("theirs")));
        assert_eq!(row.step(up("2"), QUIET, later), Step::Write(up("2")));
        assert_eq!(row.step(up("theirs"), QUIET, later + QUIET), Step::TakeBack, "what is there is right after all");
    }

    #[test]
    fn a_transition_is_reported_once_whichever_answer_comes_first() {
        let down = conditions(&up("1"), Value::False, "Unreachable", "no answer", 2);
        let transition = Some((up("1"), down.clone()));
        let asked = || {
            let mut row = Row::new(shown("u", up("1")));
            row.step(down.clone(), QUIET, Instant::now());
            row
        };
        let mut row = asked();
        assert_eq!(row.accepted(), transition);
        assert_eq!(row.accepted(), None);
        assert_eq!(row.observe(shown("u", down.clone())), None);
        let mut row = asked();
        assert_eq!(row.observe(shown("u", up("1"))), None, "an older state");
        assert_eq!(row.observe(shown("u", down.clone())), transition);
        assert_eq!(row.accepted(), None);
        // A write that never arrived is replaced by a newer one: the transition is still to be reported.
        let mut row = asked();
        let newer = conditions(&down, Value::False, "Unreachable", "still no answer", 3);
        row.step(newer.clone(), QUIET, Instant::now() + QUIET);
        assert_eq!(row.accepted(), Some((up("1"), newer)));
    }
    #[test]
    fn what_was_asked_for_an_object_ends_with_it() {
        let mut rows = Rows::default();
        let table = |uid: &str, text: &str| BTreeMap::from([(Arc::from("eu-1"), shown(uid, up(text)))]);
        let follow = |rows: &mut Rows<_>, table| {
            let mut transition = 0;
            (rows.follow(&table, |_, _| transition += 1).len(), rows.rows.len(), transition)
        };
        assert_eq!(follow(&mut rows, table("u", "1")), (0, 1, 0));
        let asked = rows.rows.values_mut().next().unwrap();
        asked.step(up("2"), QUIET, Instant::now());
        assert_eq!(follow(&mut rows, table("u", "1")), (0, 1, 0));
        assert_eq!(rows.rows.values().next().unwrap().status(), &up("2"));
        assert_eq!(follow(&mut rows, table("again", "1")), (1, 1, 0), "another object of the same name");
        assert_eq!(rows.rows.values().next().unwrap().status(), &up("1"));
        assert_eq!(follow(&mut rows, BTreeMap::new()), (1, 0, 0));
    }
}
