//! Conversions as tables: a good object, then the same one with one slip each, and the whole text of what is reported.

mod fuzz;
mod hub;
mod marks;
mod objects;
mod service;
mod slice;

use serde::de::DeserializeOwned;

use super::{Accepted, Convert, Converted, REJECTED};
use crate::problem::Problem;

fn read<T: DeserializeOwned>(yaml: &str) -> T {
    let value: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{error} in\n{yaml}"))
}

/// What the object is taken as, if nothing is wrong with it; else everything that is.
fn convert<T: Convert + DeserializeOwned>(yaml: &str) -> Result<Option<T::Model>, Vec<Problem>> {
    let Accepted { object, problems } = read::<T>(yaml).convert()?;
    if problems.is_empty() { Ok(object) } else { Err(problems) }
}

/// The object, whatever is wrong with it.
fn taken<T: Convert + DeserializeOwned>(yaml: &str) -> T::Model {
    let converted: Converted<T::Model> = read::<T>(yaml).convert();
    converted.unwrap_or_else(|problems| panic!("{problems:?} in\n{yaml}")).object.expect("an object for us")
}

/// The good object converts; with `from` replaced by `to`, exactly these problems are reported, one to a line. Each ends
/// with what is lost by it; where it does not, the object is rejected.
fn reject<T: Convert + DeserializeOwned>(good: &str, cases: &[(&str, &str, &str)]) {
    assert!(convert::<T>(good).is_ok_and(|object| object.is_some()), "the good object must be good");
    for (from, to, expected) in cases {
        assert!(good.contains(from), "{from:?} is not in the good object");
        let bad = good.replacen(from, to, 1);
        let end = format!("; {REJECTED}");
        let text = |problem: &Problem| problem.to_string().trim_end_matches(&end).to_owned();
        let found = match convert::<T>(&bad) {
            Ok(_) => "accepted".to_owned(),
            Err(problems) => problems.iter().map(text).collect::<Vec<_>>().join("\n"),
        };
        let rejected = convert::<T>(&bad).is_err_and(|all| all.iter().any(|problem| problem.lost == REJECTED));
        assert_eq!(read::<T>(&bad).convert().is_err(), rejected, "{from:?} -> {to:?}");
        assert_eq!(found, *expected, "{from:?} -> {to:?}");
    }
}
