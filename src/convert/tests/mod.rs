//! Conversions as tables: a good object, then the same one with one slip each, and the whole text of what is said.

mod hub;
mod marks;
mod objects;
mod service;
mod slice;

use serde::de::DeserializeOwned;

use super::{Convert, Converted};

fn read<T: DeserializeOwned>(yaml: &str) -> T {
    let value: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{error} in\n{yaml}"))
}

fn convert<T: Convert + DeserializeOwned>(yaml: &str) -> Converted<T::Model> {
    read::<T>(yaml).convert()
}

/// The good object converts; with `from` replaced by `to`, exactly these problems are reported, one to a line.
fn reject<T: Convert + DeserializeOwned>(good: &str, cases: &[(&str, &str, &str)]) {
    assert!(convert::<T>(good).is_ok_and(|object| object.is_some()), "the good object must be good");
    for (from, to, expected) in cases {
        assert!(good.contains(from), "{from:?} is not in the good object");
        let bad = good.replacen(from, to, 1);
        let found = match convert::<T>(&bad) {
            Ok(_) => "accepted".to_owned(),
            Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        };
        assert_eq!(found, *expected, "{from:?} -> {to:?}");
    }
}
