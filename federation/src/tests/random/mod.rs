//! Random histories over small alphabets, so that names, ranges and times meet often. Every value is kept as the short
//! text it is made from: a failure prints a story that can be read, and retold with [`crate::testing::make`].

mod hub;
mod objects;
mod story;

pub(super) use story::{Move, Recorder, Round, arrivals, rounds};

use std::fmt;

use proptest::prelude::*;

use crate::change::{Change, Delta, Object};

pub(super) const CLUSTERS: [&str; 4] = ["a1", "a2", "b1", "c1"];
const REGIONS: [&str; 3] = ["ap", "eu", "us"];
const NAMESPACES: [&str; 3] = ["shop", "dev", "kube-system"];
const SERVICES: [&str; 6] = ["shop/web", "shop/api", "dev/web", "dev/db", "kube-system/dns", "default/kubernetes"];
const LABELS: [&str; 16] = [
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "isthmus.dev/federate=true",
    "isthmus.dev/federate=false",
    "isthmus.dev/federate=True",
    "isthmus.dev/federate=No",
    "team=a",
    "team=a tier=front",
];
/// Seconds; few, so that ages are often equal.
const TIMES: std::ops::Range<i64> = 0..4;

/// An object described in a few words.
pub(super) trait Spec: Clone + fmt::Debug {
    type Model: Object + Clone;
    /// The model value, as it is in the given cluster.
    fn build(&self, cluster: &str) -> Self::Model;
    fn key(text: &'static str) -> <Self::Model as Object>::Key;
}

/// A delta of one kind of object.
#[derive(Clone)]
pub(super) enum DeltaSpec<T> {
    Some(Vec<One<T>>),
    All { all: Vec<T>, rejected: Vec<&'static str> },
}

#[derive(Clone)]
pub(super) enum One<T> {
    Put(T),
    Delete(&'static str),
}

impl<T> DeltaSpec<T> {
    /// A complete list of nothing.
    pub fn is_none_at_all(&self) -> bool {
        matches!(self, Self::All { all, rejected } if all.is_empty() && rejected.is_empty())
    }
}

impl<T: Spec> DeltaSpec<T> {
    pub fn delta(&self, cluster: &str) -> Delta<T::Model> {
        match self {
            Self::Some(changes) => {
                let change = |one: &One<T>| match one {
                    One::Put(spec) => Change::Put(spec.build(cluster)),
                    One::Delete(key) => Change::Delete(T::key(key)),
                };
                Delta::Partial(changes.iter().map(change).collect())
            }
            Self::All { all, rejected } => Delta::Full {
                objects: all.iter().map(|spec| spec.build(cluster)).collect(),
                rejected: rejected.iter().map(|key| T::key(key)).collect(),
            },
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for DeltaSpec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Some(changes) => changes.iter().try_for_each(|change| write!(f, "{change:?}; ")),
            Self::All { all, rejected } if all.is_empty() && rejected.is_empty() => write!(f, "none at all"),
            Self::All { all, rejected } if rejected.is_empty() => write!(f, "all: {all:?}"),
            Self::All { all, rejected } => write!(f, "all: {all:?}, rejected: {rejected:?}"),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for One<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(spec) => write!(f, "put {spec:?}"),
            Self::Delete(key) => write!(f, "delete {key}"),
        }
    }
}

/// One of these.
fn of<T: Clone + fmt::Debug + 'static>(choices: &'static [T]) -> impl Strategy<Value = T> + Clone {
    proptest::sample::select(choices)
}

/// True about `percent` of the time; shrinks to false.
fn sometimes(percent: u32) -> impl Strategy<Value = bool> + Clone {
    proptest::bool::weighted(f64::from(percent) / 100.0)
}

/// Any delta of objects with these keys.
fn delta<T: Spec + 'static>(
    spec: impl Strategy<Value = T> + Clone + 'static,
    keys: &'static [&'static str],
) -> BoxedStrategy<DeltaSpec<T>> {
    let one = prop_oneof![
        3 => spec.clone().prop_map(One::Put),
        1 => of(keys).prop_map(One::Delete),
    ];
    let all = (proptest::collection::vec(spec, 0..4), proptest::collection::vec(of(keys), 0..2));
    prop_oneof![
        4 => proptest::collection::vec(one, 1..4).prop_map(DeltaSpec::Some),
        1 => all.prop_map(|(all, rejected)| DeltaSpec::All { all, rejected }),
    ]
    .boxed()
}
