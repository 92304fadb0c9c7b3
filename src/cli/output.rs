//! `-o table|wide|json|yaml`. JSON is stable: programs read it.

use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::view::MemberView;

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
        Format::Json => anstream::println!("{}", serde_json::to_string_pretty(document)?),
        Format::Yaml => anstream::print!("{}", serde_saphyr::to_string(document)?),
        Format::Table | Format::Wide => return Ok(false),
    }
    Ok(true)
}

/// A table as kubectl prints them: no lines, columns three spaces apart, upper-case heads.
pub fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head.iter().copied());
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    table
}

/// Prints a table.
pub fn print_table(table: &Table) {
    for line in table_lines(table) {
        anstream::println!("{line}");
    }
}

/// The lines of a table, without trailing blanks.
pub fn table_lines(table: &Table) -> Vec<String> {
    table.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
}

/// What works, but not as one might expect; nothing if there is nothing.
pub fn print_notes(members: &[MemberView]) {
    for member in members {
        for note in &member.notes {
            anstream::println!("\n{}: note: {note}", member.id);
        }
    }
}
