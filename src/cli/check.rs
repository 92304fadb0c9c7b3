//! `isthmus check`: would this federation be admitted? Nothing is changed anywhere.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::output::{self, OutputArgs};
use super::passed_over::{self, VerboseArgs};
use super::source::SourceArgs;
use super::{BadUsage, exit};
use crate::files::PassedOver;
use crate::offline::{self, Offline};
use crate::problem::Problems;
use crate::view::MemberView;

/// Reports every clash, every broken object and every address that would not be served at once. Exit 0: all is well; 1:
/// something is not; 2: it could not be checked.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Check as if this file's objects (a MemberCluster, for example) had been applied as well. May be repeated.
    #[arg(long, value_name = "FILE")]
    add: Vec<PathBuf>,
    #[command(flatten)]
    verbose: VerboseArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The JSON document.
#[derive(Debug, Serialize)]
struct Document {
    ok: bool,
    members: Vec<MemberView>,
    problems: Vec<crate::problem::Problem>,
    /// Objects with problems that are not among these, because there are too many to list.
    #[serde(rename = "problemsNotListed", skip_serializing_if = "is_zero")]
    problems_not_listed: usize,
    /// Objects of other kinds, and documents that are no objects.
    #[serde(rename = "passedOver", skip_serializing_if = "is_zero")]
    passed_over: usize,
    /// With `-v`.
    #[serde(rename = "passedOverListed", skip_serializing_if = "Vec::is_empty")]
    passed_over_listed: Vec<PassedOver>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    for file in &args.add {
        if !file.is_file() {
            return Err(BadUsage(format!("--add: {} is not a file", file.display())).into());
        }
    }
    let Offline { engine, problems, unlisted, passed_over: others } = match args.source.folder()? {
        Some(folder) => offline::folder(&folder, &args.add)?,
        None => offline::hub(&args.source.hub().await?, &args.add).await?,
    }
    .assume_reached();
    let members: Vec<MemberView> =
        engine.reports().values().map(|report| MemberView::new(report, &Problems::default(), None, None)).collect();
    let refused = |member: &&MemberView| {
        member.conditions.iter().any(|condition| condition.kind == "Admitted" && condition.status != "True")
    };
    let bad = members.iter().filter(refused).count();
    let ok =
        bad == 0 && problems.is_empty() && unlisted == 0 && members.iter().all(|member| member.problems.is_empty());
    let mut document = Document {
        ok,
        members,
        problems,
        problems_not_listed: unlisted,
        passed_over: passed_over::count(&others),
        passed_over_listed: Vec::new(),
    };
    let lines = passed_over::lines(&others, args.verbose);
    if args.verbose.verbose {
        document.passed_over_listed = others;
    }
    if !output::print_document(args.output.format, &document)? {
        print(&document, bad, &lines);
    }
    Ok(if ok { exit::FINE } else { ExitCode::from(exit::PROBLEM) })
}

fn print(document: &Document, refused: usize, passed_over: &[String]) {
    for problem in &document.problems {
        output::say(problem);
    }
    let listed: BTreeSet<_> = document.problems.iter().map(|problem| &problem.object).collect();
    let objects = listed.len() + document.problems_not_listed;
    if document.problems_not_listed > 0 {
        output::say(format_args!(
            "{} shown, {} more objects with problems",
            listed.len(),
            document.problems_not_listed
        ));
    }
    let mut table = output::table(&["CLUSTER", "REGION", "ADMITTED", "REASON", "PODS", "SERVICES"]);
    for member in &document.members {
        let admitted = member.conditions.iter().find(|condition| condition.kind == "Admitted");
        let text = |pick: fn(&crate::view::ConditionView) -> &String| admitted.map(pick).cloned().unwrap_or_default();
        table.add_row([
            member.id.clone(),
            member.region.clone(),
            text(|condition| &condition.status),
            text(|condition| &condition.reason),
            member.pod_cidrs.join(","),
            member.service_cidrs.join(","),
        ]);
    }
    if !document.members.is_empty() {
        output::print_table(&table);
    }
    for member in &document.members {
        for condition in
            member.conditions.iter().filter(|condition| condition.kind == "Admitted" && condition.status != "True")
        {
            output::gap();
            output::say(format_args!("{}: {}", member.id, condition.message));
        }
    }
    for member in &document.members {
        for problem in &member.problems {
            output::gap();
            output::say(format_args!("{}: {problem}", member.id));
        }
    }
    output::print_notes(&document.members);
    if !passed_over.is_empty() {
        output::gap();
        passed_over.iter().for_each(output::say);
    }
    let unserved = document.members.iter().map(|member| member.problems.len()).sum::<usize>();
    let members = document.members.len();
    output::gap();
    match document.ok {
        true => output::say(format_args!("fine: {members} members, no clash, nothing broken")),
        false => output::say(format_args!(
            "not fine: {refused} of {members} members refused, {} objects with problems",
            objects + unserved
        )),
    }
}
