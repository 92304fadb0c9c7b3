//! docs/metrics.md: every metric, as a process shows it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{made, pages};
use crate::admin::every_metric;

const PAGE: &str = "docs/metrics.md";

/// What can be made of `/metrics`: name, type, labels, help.
fn rows(text: &str) -> BTreeMap<String, (String, String, String)> {
    let mut rows: BTreeMap<String, (String, String, String)> = BTreeMap::new();
    let words = |line: &str| line.splitn(4, ' ').map(str::to_owned).collect::<Vec<_>>();
    for line in text.lines() {
        match words(line).as_slice() {
            [hash, what, name, rest] if hash == "#" && what == "HELP" => {
                rows.entry(name.clone()).or_default().2 = rest.trim_end_matches('.').to_owned();
            }
            [hash, what, name, kind] if hash == "#" && what == "TYPE" => {
                rows.entry(name.clone()).or_default().0.clone_from(kind);
            }
            _ if line.starts_with('#') => {}
            _ => {
                let Some((name, labels)) = line.split_once('{') else { continue };
                let labels = labels.split_once('}').map_or("", |(labels, _)| labels);
                let keys: Vec<String> =
                    labels.split("\",").filter_map(|pair| Some(format!("`{}`", pair.split_once('=')?.0))).collect();
                let family = rows.keys().rfind(|family| name.strip_suffix("_total").unwrap_or(name) == family.as_str());
                if let Some(family) = family.cloned() {
                    rows.entry(family).or_default().1 = keys.join(", ");
                }
            }
        }
    }
    rows
}

/// As Prometheus stores it.
fn stored(name: &str, kind: &str) -> String {
    if kind == "counter" { format!("{name}_total") } else { name.to_owned() }
}

#[test]
fn every_metric_is_documented() {
    let rows = rows(&every_metric());
    assert!(rows.len() > 30, "{rows:?}");
    let mut text = String::from("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
    for (name, (kind, labels, help)) in &rows {
        let labels = if labels.is_empty() { "–" } else { labels };
        let _ = writeln!(text, "| `{}` | {kind} | {labels} | {help} |", stored(name, kind)); // a String takes all
    }
    made(PAGE, &text);
}

#[test]
fn pages_name_metrics_that_exist() {
    let rows = rows(&every_metric());
    let known: Vec<String> = rows.iter().map(|(name, (kind, ..))| stored(name, kind)).collect();
    for (file, page) in pages() {
        for word in page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '*')) {
            // The demo's own figures, and the names of parts of a metric.
            let is_metric = word.starts_with("isthmus_");
            let prefix = word.strip_suffix('*').or(word.strip_suffix('_')).filter(|prefix| !prefix.is_empty());
            let fits = known.iter().any(|name| name == word || prefix.is_some_and(|prefix| name.starts_with(prefix)));
            assert!(!is_metric || fits, "{file} names {word:?}, which is no metric");
        }
    }
}
