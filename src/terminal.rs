//! `-o table|wide|json|yaml`. JSON is stable: programs read it.

use std::fmt::Display;

use clap::ValueEnum;
use clusters::conditions::json::MemberJson;
use clusters::foreign::{self, Visible, is_hidden, visible};
use comfy_table::{Table, presets};
use serde::Serialize;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Wide,
    Json,
    Yaml,
}

/// Flags of every command that lists something.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct OutputArgs {
    /// How to print.
    #[arg(short = 'o', long = "output", value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Prints a document for programs; `false` if the format is one for people.
pub fn print_document(format: Format, document: &impl Serialize) -> anyhow::Result<bool> {
    match format {
        Format::Json => anstream::println!("{}", foreign::json(serde_json::to_string_pretty(document)?)),
        Format::Yaml => anstream::print!("{}", yaml(document)?),
        Format::Table | Format::Wide => return Ok(false),
    }
    Ok(true)
}

/// YAML writes some texts without quotes, and so without escapes. A document with a hidden character is written as JSON, which
/// is YAML too.
fn yaml(document: &impl Serialize) -> anyhow::Result<String> {
    let text = serde_saphyr::to_string(document)?;
    let hidden = text.chars().any(|c| is_hidden(c) && c != '\n');
    Ok(if hidden { foreign::yaml(serde_json::to_string_pretty(document)?) + "\n" } else { text })
}

/// Prints a line for people. What others wrote in it cannot end the line or steer the terminal.
pub fn say(text: impl Display) {
    anstream::println!("{}", Visible(text));
}

/// The same, to standard error.
pub fn complain(text: impl Display) {
    anstream::eprintln!("{}", Visible(text));
}

/// An empty line.
pub fn gap() {
    anstream::println!();
}

/// A table whose cells hold visible characters only.
#[derive(Debug)]
pub struct Listing(Table);

impl Listing {
    pub fn add_row(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) {
        self.0.add_row(cells.into_iter().map(|cell| visible(cell.as_ref()).into_owned()));
    }
}

/// A table as kubectl prints them: no lines, columns three spaces apart, upper-case heads.
pub fn table(head: &[&str]) -> Listing {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head.iter().copied());
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    Listing(table)
}

/// Prints a table.
pub fn print_table(table: &Listing) {
    for line in table_lines(table) {
        anstream::println!("{line}");
    }
}

/// The lines of a table, without trailing blanks.
pub fn table_lines(table: &Listing) -> Vec<String> {
    table.0.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
}

/// What works, but not as one might expect; nothing if there is nothing.
pub fn print_notes(members: &[MemberJson]) {
    for member in members {
        for note in &member.notes {
            gap();
            say(format_args!("{}: note: {note}", member.id));
        }
    }
}
