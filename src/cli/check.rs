//! `isthmus check`: would this federation be admitted? Nothing is changed anywhere.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::output::{self, OutputArgs};
use super::source::SourceArgs;
use super::{BadUsage, exit};
use crate::offline::{self, Offline};
use crate::problem::Problems;
use crate::view::MemberView;

/// Reports every clash and every broken object at once. Exit 0: all is well; 1: something is not; 2: it could not be checked.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Check as if this file's objects (a MemberCluster, for example) had been applied as well. May be repeated.
    #[arg(long, value_name = "FILE")]
    add: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// The JSON document.
#[derive(Debug, Serialize)]
struct Document {
    ok: bool,
    members: Vec<MemberView>,
    problems: Vec<crate::problem::Problem>,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    for file in &args.add {
        if !file.is_file() {
            return Err(BadUsage(format!("--add: {} is not a file", file.display())).into());
        }
    }
    let Offline { engine, problems } = match args.source.folder()? {
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
    let ok = bad == 0 && problems.is_empty();
    let document = Document { ok, members, problems };
    if !output::print_document(args.output.format, &document)? {
        print(&document, bad);
    }
    Ok(if ok { exit::FINE } else { ExitCode::from(exit::PROBLEM) })
}

fn print(document: &Document, refused: usize) {
    for problem in &document.problems {
        anstream::println!("{problem}");
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
            anstream::println!("\n{}: {}", member.id, condition.message);
        }
    }
    let (members, broken) = (document.members.len(), document.problems.len());
    match document.ok {
        true => anstream::println!("\nfine: {members} members, no clash, nothing broken"),
        false => anstream::println!("\nnot fine: {refused} of {members} members refused, {broken} problems in objects"),
    }
}
