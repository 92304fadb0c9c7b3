//! docs/commands.md: every command, flag and column.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Arg, Command};
use serde_json::Value;

use super::{assert_same, made, read, section, sources};
use crate::cli;

const PAGE: &str = "docs/commands.md";

/// Where the columns of each listing are named in the code.
const LISTINGS: [(&str, &str); 3] = [
    ("isthmus check", "src/cli/check.rs"),
    ("isthmus status", "src/cli/status.rs"),
    ("isthmus proxy", "src/cli/proxies/print.rs"),
];

/// One line, which fits in a table.
fn line(text: Option<&StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn row(arg: &Arg) -> String {
    let value = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>();
    let value = if arg.get_action().takes_values() && !value.is_empty() {
        format!(" {}", value.join(" "))
    } else {
        String::new()
    };
    let short = arg.get_short().map_or_else(String::new, |short| format!(", `-{short}`"));
    let name = arg.get_long().map_or_else(|| value.trim().to_owned(), |long| format!("--{long}{value}"));
    let default = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let default =
        if default.is_empty() || !arg.get_action().takes_values() { "–".to_owned() } else { format!("`{default}`") };
    let mut text = line(arg.get_long_help().or(arg.get_help()));
    let possible = arg.get_possible_values();
    if arg.get_action().takes_values() && !possible.is_empty() {
        let values: Vec<String> = possible.iter().map(|value| format!("`{}`", value.get_name())).collect();
        let _ = write!(text, ". One of {}", values.join(", ")); // a String takes all
    }
    format!("| `{}`{short} | {default} | {text} |\n", name.replace('|', "\\|"))
}

fn args(command: &Command) -> Vec<&Arg> {
    let help = |arg: &&Arg| !["help", "version"].contains(&arg.get_id().as_str());
    command.get_arguments().filter(help).collect()
}

fn markdown(command: &Command) -> String {
    let mut text = String::from("## Flags of every command\n| flag | default | meaning |\n| --- | --- | --- |\n");
    text.extend(args(command).into_iter().map(row));
    let shown = |command: &&Command| command.get_name() != "help" && !command.is_hide_set();
    for command in command.get_subcommands().filter(shown) {
        let about = line(command.get_long_about().or(command.get_about()));
        let _ = write!(text, "\n## Flags of isthmus {}\n{about}\n\n", command.get_name());
        let of_all: Vec<&Arg> = args(command).into_iter().filter(|arg| !arg.is_global_set()).collect();
        if !of_all.is_empty() {
            text.push_str("| flag | default | meaning |\n| --- | --- | --- |\n");
            text.extend(of_all.into_iter().map(row));
        }
    }
    text
}

#[test]
fn every_flag_is_documented() {
    made(PAGE, &markdown(&cli::command()));
}

/// Upper-case texts are heads of columns there.
fn columns(file: &str) -> BTreeSet<String> {
    let head = |text: &String| {
        text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.chars().all(|c| c.is_ascii_uppercase() || c == ' ' || c == '/')
    };
    // Values of flags look the same.
    let code = sources::code(Path::new(file)).replace("value_name = \"", "value_name = \"<");
    let no_heads = ["SYNCED", "REJECTED", "REFUSED", "STALE", "ERROR", "NOT_SENT"];
    let found = sources::literals(&code).into_iter().filter(head);
    found.filter(|text| !no_heads.contains(&text.as_str())).collect()
}

/// The columns that the page names of a listing, in any row of its tables.
fn documented(text: &str) -> BTreeSet<String> {
    super::first_column(text)
}

#[test]
fn every_column_is_documented_and_no_other() {
    let page = read(PAGE);
    for (command, file) in LISTINGS {
        let mut code = columns(file);
        if command == "isthmus proxy" {
            code.extend(regions::resource::ResourceType::ALL.map(|kind| kind.label().to_uppercase()));
        }
        assert!(code.len() > 5, "{file}: {code:?}");
        assert_same(
            &format!("{PAGE}, {command}"),
            &code,
            &documented(section(&page, &format!("## Columns of {command}"))),
        );
    }
}

#[test]
fn every_column_of_kubectl_is_documented_and_no_other() {
    let page = read(PAGE);
    let text = section(&page, "## Columns of kubectl get");
    let mut code = BTreeSet::new();
    for document in clusters::manifests::crds().split("---\n").filter(|text| !text.trim().is_empty()) {
        let document: Value = serde_saphyr::from_str(document).expect("YAML");
        let kind = document["spec"]["names"]["kind"].as_str().expect("a kind");
        for version in document["spec"]["versions"].as_array().expect("versions") {
            let columns = version["additionalPrinterColumns"].as_array().cloned().unwrap_or_default();
            code.extend(columns.iter().filter_map(|column| Some(format!("{kind} {}", column["name"].as_str()?))));
        }
    }
    assert!(code.contains("MemberCluster READY"), "{code:?}");
    assert_same(&format!("{PAGE}, kubectl get"), &code, &documented(text));
}
