//! What was passed over in files: always counted, listed with --verbose.

use clusters::sources::folder::PassedOver;

use crate::terminal;

/// A flag of the commands that read files.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct VerboseArgs {
    /// Also list what is passed over in files: objects of other kinds, and files of other tools.
    #[arg(short, long)]
    pub verbose: bool,
}

/// How many objects and documents.
pub fn count(passed_over: &[PassedOver]) -> usize {
    passed_over.iter().map(|other| other.count).sum()
}

/// One line, or with `-v` one for each kind in each file.
pub fn lines(passed_over: &[PassedOver], verbose: VerboseArgs) -> Vec<String> {
    match count(passed_over) {
        0 => Vec::new(),
        _ if verbose.verbose => passed_over.iter().map(|other| format!("{other}; passed over")).collect(),
        1 => vec!["passed over: 1 object of another kind (-v lists it)".to_owned()],
        count => vec![format!("passed over: {count} objects of other kinds (-v lists them)")],
    }
}

/// To standard error, beside a listing.
pub fn complain(passed_over: &[PassedOver], verbose: VerboseArgs) {
    lines(passed_over, verbose).iter().for_each(terminal::complain);
}
