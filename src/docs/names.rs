//! Commands, flags and files that messages and pages name exist.

use std::collections::{BTreeMap, BTreeSet};

use super::{pages, read, root, sources};
use crate::cli;

/// Flags of other programs that our texts name, so that none of ours can hide among them.
const FOREIGN: [(&str, &[&str]); 6] = [
    ("kubectl", &["context", "from-file", "overwrite", "server-side", "force-conflicts", "type", "dry-run"]),
    (
        "cargo",
        &[
            "release",
            "workspace",
            "test",
            "lib",
            "features",
            "no-default-features",
            "no-run",
            "nocapture",
            "test-threads",
            "locked",
            "bench",
            "profile",
        ],
    ),
    ("kind", &["name", "config"]),
    ("helm", &["take-ownership", "create-namespace", "timeout"]),
    ("envoy", &["drain-time-s", "version"]),
    (
        "pip and other tools that the demo runs",
        &["no-deps", "dest", "only-binary", "all", "quiet", "disable-pip-version-check", "help"],
    ),
];

/// Flags by command; those of all commands by the empty name.
fn flags() -> BTreeMap<String, BTreeSet<String>> {
    let command = cli::command();
    let mut all: BTreeMap<String, BTreeSet<String>> =
        command.get_subcommands().map(|sub| (sub.get_name().to_owned(), with_subcommands(sub))).collect();
    all.insert(String::new(), own(&command));
    all
}

fn own(command: &clap::Command) -> BTreeSet<String> {
    command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
}

/// A command has the flags of the commands below it, such as those of `isthmus debug record`.
fn with_subcommands(command: &clap::Command) -> BTreeSet<String> {
    command.get_subcommands().flat_map(with_subcommands).chain(own(command)).collect()
}

/// What `isthmus manifests` prints.
fn parts_of_manifests() -> BTreeSet<String> {
    let command = cli::command();
    let manifests = command.get_subcommands().find(|command| command.get_name() == "manifests").expect("a command");
    let values = manifests.get_positionals().flat_map(clap::Arg::get_possible_values);
    values.map(|value| value.get_name().to_owned()).collect()
}

/// Where a text may name something: every page, and every text in the code.
fn texts() -> Vec<(String, String)> {
    let mut all = pages();
    for file in sources::files() {
        let text = sources::literals(&sources::code(&file)).join("\n");
        all.push((file.strip_prefix(root()).unwrap_or(&file).display().to_string(), text));
    }
    for file in ["controller", "region", "region-address", "region-address-slice", "hub-rbac", "member-rbac"] {
        let file = format!("manifests/{file}.yaml");
        all.push((file.clone(), read(&file)));
    }
    all
}

/// Words after `isthmus ` where that is a command line: in backticks, after a prompt, in a substitution, at a line's begin.
fn command_lines(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines() {
        for sign in ["`isthmus ", "$ isthmus ", "<(isthmus "] {
            found.extend(line.match_indices(sign).filter_map(|(at, _)| line.get(at + sign.len()..)));
        }
        found.extend(line.strip_prefix("isthmus "));
    }
    // The end of a span in backticks, of a substitution, of a command before a pipe, or of the line.
    let end = |rest: &str| rest.find(['`', ')', '\n']).into_iter().chain(rest.find(" |")).min().unwrap_or(rest.len());
    found.into_iter().map(|rest| rest.get(..end(rest)).unwrap_or_default()).collect()
}

fn flags_in(text: &str) -> impl Iterator<Item = &str> {
    let begins = |(at, _): &(usize, &str)| {
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        before.is_none_or(|c| !(c.is_ascii_alphanumeric() || c == '-'))
    };
    text.match_indices("--").filter(begins).filter_map(|(at, _)| {
        let rest = text.get(at + 2..)?;
        let end =
            rest.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')).unwrap_or(rest.len());
        let name = rest.get(..end)?.trim_end_matches('-');
        name.starts_with(|c: char| c.is_ascii_lowercase()).then_some(name)
    })
}

#[test]
fn commands_that_are_named_exist_with_their_flags() {
    let flags = flags();
    let everywhere = &flags[""];
    let parts = parts_of_manifests();
    let mut seen = 0;
    for (file, text) in texts() {
        for line in command_lines(&text) {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap_or_default().trim_end_matches(['.', ',', ':', ';']);
            // "isthmus CMD", "isthmus --help", "isthmus …" mean any command.
            if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
                continue;
            }
            seen += 1;
            for name in name.split('|') {
                let Some(own) = flags.get(name) else {
                    panic!("{file} names `isthmus {name}`, which is no command: {line:?}")
                };
                for flag in flags_in(line) {
                    let known = own.contains(flag) || everywhere.contains(flag) || ["help", "version"].contains(&flag);
                    assert!(known, "{file} names --{flag} of `isthmus {name}`, which it does not have: {line:?}");
                }
                if let ("manifests", Some(part)) = (name, words.clone().next()) {
                    let part = part.trim_end_matches(['.', ',', ':', ';']);
                    let other = !part.starts_with(|c: char| c.is_ascii_lowercase());
                    assert!(other || parts.contains(part), "{file} names `isthmus manifests {part}`");
                }
            }
        }
    }
    assert!(seen > 60, "{seen}");
}

#[test]
fn flags_that_are_named_exist() {
    let flags = flags();
    let ours: BTreeSet<&str> = flags.values().flatten().map(String::as_str).collect();
    let foreign: BTreeSet<&str> = FOREIGN.iter().flat_map(|(_, flags)| flags.iter().copied()).collect();
    let (mut seen, mut unknown) = (0, BTreeSet::new());
    for (file, text) in texts() {
        // What they run are other programs; each command of the page on operations is run by a test.
        let others = file.contains("programs/src/")
            || file.contains("src/demo/")
            || file.contains("src/bench/")
            || file.ends_with("docs/operations.md");
        for flag in flags_in(&text) {
            seen += 1;
            if !(ours.contains(flag) || foreign.contains(flag) || others) {
                unknown.insert(format!("{file} names --{flag}"));
            }
        }
    }
    assert_eq!(unknown, BTreeSet::new(), "no command of ours has these");
    assert!(seen > 100, "{seen}");
}

/// As GitHub makes them of headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |text: &str| {
        let kept =
            text.to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>();
        kept.replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn pages_that_are_named_exist_with_their_headings() {
    let pages: BTreeMap<String, String> = pages().into_iter().collect();
    let mut seen = 0;
    for (file, text) in &pages {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (target, anchor) = link.split_once('#').map_or((link, None), |(target, anchor)| (target, Some(anchor)));
            if link.contains("://") || !(target.is_empty() || target.ends_with(".md")) {
                continue;
            }
            seen += 1;
            let path = match (target, file.strip_prefix("docs/")) {
                ("", _) => file.clone(),
                (target, Some(_)) => target.strip_prefix("../").map_or_else(|| format!("docs/{target}"), str::to_owned),
                (target, None) => target.to_owned(),
            };
            let Some(page) = pages.get(&path) else { panic!("{file} leads to {link}, and there is no {path}") };
            let found = anchor.is_none_or(|anchor| anchors(page).contains(anchor));
            assert!(found, "{file} leads to {link}, and {path} has no such heading");
        }
    }
    assert!(seen > 30, "{seen}");
    for (file, text) in texts() {
        for rest in text.split("docs/").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
            if let Some(name) = name.strip_suffix(".md").or(name.strip_suffix(".md.")) {
                assert!(pages.contains_key(&format!("docs/{name}.md")), "{file} names docs/{name}.md");
            }
        }
    }
}
