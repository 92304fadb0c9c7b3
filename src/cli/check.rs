//! `isthmus check`: would this federation be admitted? Nothing is changed anywhere.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clusters::conditions::ADMITTED;
use clusters::conditions::json::MemberJson;
use clusters::offline;
use clusters::problem::Problem;
use clusters::sources::folder::PassedOver;
use serde::Serialize;

use super::passed_over::{self, VerboseArgs};
use super::source::SourceArgs;
use super::verdict::{self, Finding, Outcome, Severity};
use crate::outcome::{self, BadUsage};
use crate::terminal::{self, OutputArgs};

/// Reports everything that is not as it should be at once: clashes, broken objects, addresses that are not served, names
/// that lead nowhere; of a hub also what the conditions of its members say. Exit 0: OK, or nothing but warnings; 1: FAILED,
/// something that was asked for is not done; 2: it could not be checked.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Check as if this file's objects (a MemberCluster, for example) had been applied as well. May be repeated.
    #[arg(long, value_name = "FILE")]
    add: Vec<PathBuf>,
    /// Warnings fail the check as well.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    verbose: VerboseArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The JSON document.
#[derive(Debug, Serialize)]
struct Document {
    /// Nothing failed.
    ok: bool,
    outcome: Outcome,
    members: Vec<MemberJson>,
    /// Objects and files that are not used, or only in part.
    problems: Vec<Problem>,
    /// Objects with problems that are not among these, because there are too many to list.
    #[serde(rename = "problemsNotListed", skip_serializing_if = "is_zero")]
    problems_not_listed: usize,
    /// Everything else that is not as it should be.
    findings: Vec<Finding>,
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
    let world = match args.source.folder()? {
        Some(folder) => offline::folder(&folder, &args.add)?,
        None => offline::hub(&args.source.hub().await?, &args.add).await?,
    };
    let world = world.assume_reached();
    let members = world.members();
    let mut findings = verdict::findings(&members, |id| world.is_known(id), world.engine.hub_notices());
    // Each problem is listed once, with its place.
    let listed: BTreeSet<String> = world.problems.iter().map(ToString::to_string).collect();
    findings.retain(|finding| !listed.contains(&finding.message));
    findings.extend(world.empty.iter().map(|message| Finding {
        severity: Severity::Failure,
        object: "Hub".to_owned(),
        condition: None,
        message: message.clone(),
    }));
    let outcome = verdict::outcome(&world.problems, world.unlisted, &findings);
    let failed = outcome == Outcome::Failed || (args.strict && outcome == Outcome::Warnings);
    let passed_over = passed_over::lines(&world.passed_over, args.verbose);
    let document = Document {
        ok: outcome != Outcome::Failed,
        outcome,
        members,
        problems: world.problems,
        problems_not_listed: world.unlisted,
        findings,
        passed_over: passed_over::count(&world.passed_over),
        passed_over_listed: if args.verbose.verbose { world.passed_over } else { Vec::new() },
    };
    if !terminal::print_document(args.output.format, &document)? {
        print(&document, &passed_over);
    }
    Ok(if failed { ExitCode::from(outcome::PROBLEM) } else { outcome::OK })
}

fn print(document: &Document, passed_over: &[String]) {
    for problem in &document.problems {
        terminal::say(problem);
    }
    let listed: BTreeSet<_> = document.problems.iter().map(|problem| &problem.object).collect();
    if document.problems_not_listed > 0 {
        terminal::say(format_args!(
            "{} shown, {} more objects with problems",
            listed.len(),
            document.problems_not_listed
        ));
    }
    print_members(&document.members);
    for finding in &document.findings {
        let Finding { severity, object, condition, message } = finding;
        let condition = condition.as_deref().map_or_else(String::new, |condition| format!("{condition}: "));
        terminal::gap();
        terminal::say(format_args!("{}: {object}: {condition}{message}", severity.label()));
    }
    if !passed_over.is_empty() {
        terminal::gap();
        passed_over.iter().for_each(terminal::say);
    }
    terminal::gap();
    terminal::say(summary(document, listed.len() + document.problems_not_listed));
}

fn print_members(members: &[MemberJson]) {
    if members.is_empty() {
        return;
    }
    let mut table = terminal::table(&["CLUSTER", "REGION", "ADMITTED", "REASON", "PODS", "SERVICES"]);
    for member in members {
        let (status, reason) =
            member.condition(ADMITTED).map_or(("", ""), |condition| (&condition.status, &condition.reason));
        table.add_row([
            member.id.as_str(),
            member.region.as_str(),
            status,
            reason,
            &member.pod_cidrs.join(","),
            &member.service_cidrs.join(","),
        ]);
    }
    terminal::print_table(&table);
}

/// The last line: the outcome, and what it counts.
fn summary(document: &Document, objects: usize) -> String {
    let members = document.members.len();
    let admitted = |status: &str| {
        let is = |member: &&MemberJson| member.condition(ADMITTED).is_some_and(|condition| condition.status == status);
        document.members.iter().filter(is).count()
    };
    let count = |severity| document.findings.iter().filter(|finding| finding.severity == severity).count();
    let (failures, warnings) = (count(Severity::Failure), count(Severity::Warning));
    let (refused, pending) = (admitted("False"), admitted("Unknown"));
    match document.outcome {
        Outcome::Ok => format!("OK: {members} members, no clash, nothing broken"),
        Outcome::Warnings => {
            format!("OK with warnings: {members} members, {pending} of them not decided, {warnings} warnings")
        }
        Outcome::Failed => format!(
            "FAILED: {refused} of {members} members refused, {pending} not decided, {objects} objects with problems, \
             {failures} more failures, {warnings} warnings"
        ),
    }
}
