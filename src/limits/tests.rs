use super::*;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/limits.md");
const BEGIN: &str = "<!-- made from the code: ISTHMUS_WRITE_DOCS=1 cargo test --lib limits -->\n";

/// With `ISTHMUS_WRITE_DOCS=1` it writes the tables instead.
#[test]
fn the_page_of_bounds_says_what_the_code_goes_by() {
    let page = std::fs::read_to_string(PAGE).expect("docs/limits.md");
    let (before, after) = page.split_once(BEGIN).expect("the line after which the tables begin");
    if std::env::var_os("ISTHMUS_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, format!("{before}{BEGIN}{}", markdown())).expect("written");
        return;
    }
    assert_eq!(after, markdown(), "docs/limits.md is out of date; run ISTHMUS_WRITE_DOCS=1 cargo test --lib limits");
}

#[test]
fn every_bound_says_what_happens_and_where_it_shows() {
    for (title, bounds) in tables() {
        assert!(!bounds.is_empty(), "{title}");
        for bound in bounds {
            let texts = [&*bound.what, &bound.value, bound.beyond, bound.seen];
            assert!(texts.iter().all(|text| !text.is_empty() && !text.contains('|')), "{title}: {}", bound.what);
            assert!(bound.flag.is_none_or(|flag| flag.starts_with("--")), "{title}: {}", bound.what);
        }
    }
}

#[test]
fn sizes_and_times_are_shown_in_the_unit_that_fits() {
    assert_eq!(
        [bytes(64 << 20), bytes(256 << 10), bytes(1_000), bytes(0)],
        ["64 MiB", "256 KiB", "1000 bytes", "0 bytes"]
    );
    let times = [Duration::from_mins(10), Duration::from_secs(90), Duration::from_millis(500), Duration::ZERO];
    assert_eq!(times.map(time), ["10 min", "90 s", "500 ms", "0 s"]);
}
