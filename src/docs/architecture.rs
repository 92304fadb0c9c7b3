//! docs/ARCHITECTURE.md, CONTRIBUTING.md and README.md name files and tests that exist.

use std::collections::BTreeSet;
use std::path::Path;

use super::{read, root, section};

const PAGES: [&str; 3] = ["docs/ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"];
/// Folders of the checkout; what begins with one of them is a path.
const FOLDERS: [&str; 10] =
    [".ci/", "clusters/", "docs/", "federation/", "manifests/", "programs/", "regions/", "src/", "tests/", "wire/"];

/// What is in backticks, without what is in code blocks.
fn spans(page: &str) -> Vec<&str> {
    let text = page.split("```").step_by(2);
    text.flat_map(|text| text.lines()).flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// Paths from the root; `a/{b,c}.rs` is two.
fn paths(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for span in spans(page) {
        let is_path = FOLDERS.iter().any(|folder| span.starts_with(folder)) && !span.contains([' ', '$', '*']);
        if !is_path {
            continue;
        }
        match span.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
            Some((before, (names, after))) => {
                found.extend(names.split(',').map(|name| format!("{before}{}{after}", name.trim())));
            }
            None => _ = found.insert(span.to_owned()),
        }
    }
    found
}

/// Names of tests: several words, each in lower case.
fn tests(text: &str) -> BTreeSet<&str> {
    let name =
        |span: &&str| span.matches('_').count() >= 3 && span.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'));
    spans(text).into_iter().filter(name).collect()
}

#[test]
fn every_file_that_is_named_exists() {
    let mut seen = 0;
    for page in PAGES {
        for path in paths(&read(page)) {
            seen += 1;
            let (found, is_folder) = (root().join(&path), path.ends_with('/'));
            assert!(
                if is_folder { found.is_dir() } else { found.exists() },
                "{page} names {path}, which does not exist"
            );
        }
    }
    assert!(seen > 80, "{seen}");
}

/// Each row names a test and the file that has it.
#[test]
fn every_invariant_has_its_test() {
    let page = read("docs/ARCHITECTURE.md");
    let rows = section(&page, "## Invariants").lines().filter(|line| line.starts_with("| ")).skip(2);
    let mut seen = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [_, test, file] = cells[..] else { panic!("three columns: {row}") };
        let (test, file) = (test.trim().trim_matches('`'), file.trim().trim_matches('`'));
        let what = if test.starts_with(".ci/") { test.to_owned() } else { format!("fn {test}(") };
        assert!(read(Path::new(file)).contains(&what), "{file} has no {what}");
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn every_test_that_is_named_exists() {
    let mut code = String::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                code.push_str(&std::fs::read_to_string(&path).expect("code"));
            }
        }
    }
    for page in PAGES {
        for test in tests(&read(page)) {
            assert!(code.contains(&format!("fn {test}(")), "{page} names {test}, which is no test");
        }
    }
}
