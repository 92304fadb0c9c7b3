//! The documentation and the code name the same things: reasons, columns, flags, metrics, pages, commands and files. What
//! can be made from the code is made from it (`ISTHMUS_WRITE_DOCS=1 cargo test --lib docs`); the rest is compared.

mod architecture;
mod commands;
mod metrics;
mod names;
mod pages;
mod reasons;
mod sources;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Pages beside the code.
const TOP: [&str; 4] = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];

/// All pages, [`TOP`] and docs/*.md, by path from the root.
fn pages() -> Vec<(String, String)> {
    let mut files: Vec<PathBuf> = TOP.iter().map(PathBuf::from).collect();
    for entry in std::fs::read_dir(root().join("docs")).expect("docs/") {
        let name = entry.expect("an entry").file_name();
        files.push(Path::new("docs").join(name));
    }
    files.sort();
    files.into_iter().map(|file| (file.display().to_string(), read(&file))).collect()
}

/// Checks the part of a page behind the line that says it is made, or writes it.
fn made(page: &str, text: &str) {
    let begin = "<!-- made from the code: ISTHMUS_WRITE_DOCS=1 cargo test --lib docs -->\n";
    let whole = read(page);
    let (before, after) = whole.split_once(begin).unwrap_or_else(|| panic!("{page} has no line {begin:?}"));
    if std::env::var_os("ISTHMUS_WRITE_DOCS").is_some() {
        std::fs::write(root().join(page), format!("{before}{begin}{text}")).expect("written");
        return;
    }
    assert_eq!(after, text, "{page} is out of date; run ISTHMUS_WRITE_DOCS=1 cargo test --lib docs");
}

/// What is in backticks in the first column of the tables of a text.
fn first_column(text: &str) -> BTreeSet<String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once('`')).map(|(name, _)| name.to_owned()).collect()
}

/// The part of a page from a heading to the next one.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let begin = page.find(&format!("{heading}\n")).unwrap_or_else(|| panic!("no heading {heading:?}"));
    let rest = page.get(begin + heading.len()..).unwrap_or_default();
    rest.find("\n## ").map_or(rest, |end| rest.get(..end).unwrap_or_default())
}

/// Both sides name the same, or the error says what is where only.
fn assert_same(what: &str, code: &BTreeSet<String>, docs: &BTreeSet<String>) {
    let missing: Vec<_> = code.difference(docs).collect();
    assert!(missing.is_empty(), "{what}: not documented: {missing:?}");
    let invented: Vec<_> = docs.difference(code).collect();
    assert!(invented.is_empty(), "{what}: documented, but not in the code: {invented:?}");
}

fn owned(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
