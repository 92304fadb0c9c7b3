use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

#[test]
fn a_target_that_panics_fails_with_a_small_input() {
    let fails = |bytes: Vec<u8>| assert!(!bytes.contains(&b'!'), "an exclamation mark");
    let result = catch_unwind(AssertUnwindSafe(|| run("self", edited(vec![b"hello".to_vec()], &["!"]), fails)));
    let text = *result.expect_err("it panics").downcast::<String>().expect("a text");
    assert!(text.starts_with("fuzz self: an exclamation mark"), "{text}");
    assert!(text.contains("33"), "the input: {text}");
}

#[test]
fn inputs_are_seeds_and_nearly_seeds() {
    let (same, other) = (Cell::new(0), Cell::new(0));
    run("self", edited(vec![b"a seed".to_vec()], &["word"]), |bytes| {
        let count = if bytes == b"a seed" { &same } else { &other };
        count.set(count.get() + 1);
    });
    assert!(same.get() > 10 && other.get() > 100, "{} {}", same.get(), other.get());
}

#[test]
fn the_time_is_a_number_of_seconds() {
    assert_eq!(length(None), MOMENT);
    assert_eq!(length(Some("3600")), Duration::from_secs(3_600));
    assert!(catch_unwind(|| length(Some("1h"))).is_err());
}

#[test]
fn every_value_of_a_document_is_edited() {
    let document = serde_json::json!({"a": [1, {"b": "c"}], "d": null});
    let seen = Cell::new([false; 4]);
    run("self", edited_tree(vec![document.clone()], &["word"]), |value| {
        let [mut whole, mut outer, mut inner, mut same] = seen.get();
        whole |= !value.is_object();
        outer |= value.is_object() && value["d"] == "word";
        inner |= value["a"][1]["b"] == "word";
        same |= value == document;
        seen.set([whole, outer, inner, same]);
    });
    assert_eq!(seen.get(), [true; 4]);
}
