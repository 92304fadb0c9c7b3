//! JSON that is nearly valid for its reader: any value in it may be one of another type, or an extreme one.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// Most edits of one document.
const MAX_EDITS: usize = 6;
/// Items of a list that an edit makes long.
const MANY: usize = 1_200;
/// Bytes of a text that an edit makes long.
const LONG: usize = 70_000;

#[derive(Clone, Debug)]
enum Edit {
    /// Puts another value there.
    Replace(Index, Value),
    /// Puts a value of the same document there.
    Copy(Index, Index),
    /// Repeats the first item of a list.
    Repeat(Index, usize),
    /// Takes a value away.
    Remove(Index),
}

/// One of the documents with some edits. `words`: texts that mean something to the reader.
pub fn edited_tree(documents: Vec<Value>, words: &[&str]) -> impl Strategy<Value = Value> + use<> {
    let values = values(words);
    let edit = prop_oneof![
        4 => (any::<Index>(), select(values)).prop_map(|(at, value)| Edit::Replace(at, value)),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(at, from)| Edit::Copy(at, from)),
        1 => (any::<Index>(), select(vec![2, 3, MANY])).prop_map(|(at, times)| Edit::Repeat(at, times)),
        2 => any::<Index>().prop_map(Edit::Remove),
    ];
    (select(documents), vec(edit, 0..MAX_EDITS)).prop_map(|(mut document, edits)| {
        edits.iter().for_each(|edit| edit.apply(&mut document));
        document
    })
}

fn values(words: &[&str]) -> Vec<Value> {
    let texts =
        ["", " ", "*", "-", "é", "\u{0}", "\u{202e}", "a/b/c", "10.0.0.1", "fd00::1", "::ffff:10.0.0.1", "0.0.0.0/0"];
    let texts = texts.iter().chain(words).map(|text| json!(text));
    let others = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(65_536),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!([]),
        json!({}),
        json!([null]),
        json!({"": ""}),
        json!("x".repeat(64)),
        json!("x".repeat(254)),
        json!("x".repeat(LONG)),
    ];
    texts.chain(others).collect()
}

impl Edit {
    fn apply(&self, document: &mut Value) {
        let count = count(document);
        match self {
            Self::Replace(at, value) => change(document, at.index(count), |found| *found = value.clone()),
            Self::Copy(at, from) => {
                let mut copied = Value::Null;
                change(document, from.index(count), |found| copied.clone_from(found));
                change(document, at.index(count), |found| *found = copied);
            }
            Self::Repeat(at, times) => change(document, at.index(count), |found| {
                if let Value::Array(items) = found
                    && let Some(first) = items.first().cloned()
                {
                    items.extend(std::iter::repeat_n(first, *times));
                }
            }),
            Self::Remove(at) => change(document, at.index(count), |found| match found {
                Value::Array(items) => drop(items.pop()),
                Value::Object(fields) => {
                    let first = fields.keys().next().cloned();
                    first.and_then(|key| fields.remove(&key));
                }
                other => *other = Value::Null,
            }),
        }
    }
}

/// How many values there are.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// Changes the value of this number, counted from the outside in.
fn change(value: &mut Value, mut number: usize, with: impl FnOnce(&mut Value)) {
    let mut at = value;
    while number > 0 {
        number -= 1;
        let inner: Vec<&mut Value> = match at {
            Value::Array(items) => items.iter_mut().collect(),
            Value::Object(fields) => fields.values_mut().collect(),
            _ => return,
        };
        let mut found = None;
        for one in inner {
            let size = count(one);
            if number < size {
                found = Some(one);
                break;
            }
            number -= size;
        }
        let Some(one) = found else { return };
        at = one;
    }
    with(at);
}
