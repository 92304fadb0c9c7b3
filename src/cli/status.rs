//! `isthmus status`: members, regions and services at a glance, from the hub, a folder or a running process.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::output::{self, Format, OutputArgs};
use super::passed_over::{self, VerboseArgs};
use super::source::SourceArgs;
use super::{BadUsage, exit};
use crate::hub::HubObjects;
use crate::problem::Problems;
use crate::runtime::KnowledgeView;
use crate::view::{MemberView, ServiceView};

/// Exit 0: every member is ready; 1: some member is not; 2: bad usage or input.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Ask a running controller or region, for example http://127.0.0.1:15014.
    #[arg(long, value_name = "URL", conflicts_with_all = ["world", "hub_kubeconfig"])]
    admin: Option<String>,
    #[command(flatten)]
    verbose: VerboseArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The JSON document. The hub knows members only: services are merged in the control planes.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    members: Vec<MemberView>,
    services: Vec<ServiceView>,
    /// Of a running process: whether it knows all that it should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    knowledge: Option<KnowledgeView>,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let document = match (&args.admin, args.source.folder()?) {
        (Some(url), _) => from_admin(url).await?,
        (None, Some(folder)) => {
            let world = crate::offline::folder(&folder, &[])?;
            for problem in &world.problems {
                output::complain(problem);
            }
            if world.unlisted > 0 {
                output::complain(format_args!("{} more objects with problems are not listed", world.unlisted));
            }
            passed_over::complain(&world.passed_over, args.verbose);
            let mut services: Vec<ServiceView> =
                world.engine.merged().values().map(|merged| crate::runtime::summary(merged).into()).collect();
            services.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
            Document {
                members: world
                    .engine
                    .reports()
                    .values()
                    .map(|report| MemberView::new(report, &Problems::default(), None, None))
                    .collect(),
                services,
                knowledge: None,
            }
        }
        (None, None) => {
            let members = HubObjects::read(&args.source.hub().await?).await?.views();
            Document { members, ..Document::default() }
        }
    };
    if !output::print_document(args.output.format, &document)? {
        print(&document, args.output.format == Format::Wide);
    }
    let ready = document.members.iter().all(|member| member.ready);
    Ok(if ready { exit::FINE } else { ExitCode::from(exit::PROBLEM) })
}

async fn from_admin(url: &str) -> anyhow::Result<Document> {
    if !url.starts_with("http://") {
        let text =
            format!("--admin: {url:?} is not a URL this command can ask; expected one such as http://127.0.0.1:15014");
        return Err(BadUsage(text).into());
    }
    let get = async |page: &str| {
        let url = format!("{}/{page}", url.trim_end_matches('/'));
        crate::http::get(&url)
            .await
            .with_context(|| format!("cannot read {url}; is --admin the admin address of a running isthmus?"))
    };
    let members =
        serde_json::from_slice(&get("debug/members").await?).context("the answer is not a list of members")?;
    let services =
        serde_json::from_slice(&get("debug/services").await?).context("the answer is not a list of services")?;
    let knowledge =
        serde_json::from_slice(&get("debug/knowledge").await?).context("the answer does not say what is known")?;
    Ok(Document { members, services, knowledge: Some(knowledge) })
}

fn print(document: &Document, wide: bool) {
    if let Some(known) = document.knowledge.as_ref().filter(|known| known.message != "ok") {
        output::say(format_args!("not all is known: {}", known.message));
        output::gap();
    }
    if document.members.is_empty() {
        output::say("no members; see the README for how a cluster joins");
        return;
    }
    let mut head = vec!["CLUSTER", "REGION", "READY", "REASON", "SERVICES", "ENDPOINTS", "MIRRORED"];
    if wide {
        head.extend(["VERSION", "PODS", "SERVICE RANGES", "SEEN"]);
    }
    let mut table = output::table(&head);
    for member in &document.members {
        let ready = if member.ready { "True" } else { "False" };
        let mut row = vec![member.id.clone(), member.region.clone(), ready.to_owned(), member.reason.clone()];
        row.extend([member.services, member.endpoints, member.mirrored].map(|count| count.to_string()));
        if wide {
            let seen = member.last_seen.clone().unwrap_or_default();
            let version = member.kubernetes_version.clone().unwrap_or_default();
            row.extend([version, member.pod_cidrs.join(","), member.service_cidrs.join(","), seen]);
        }
        table.add_row(row);
    }
    output::print_table(&table);
    for member in document.members.iter().filter(|member| !member.ready) {
        output::gap();
        output::say(format_args!("{}: {}", member.id, member.message));
    }
    output::print_notes(&document.members);
    regions(document);
    services(document);
}

fn regions(document: &Document) {
    let mut regions: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for member in &document.members {
        let (members, ready, endpoints) = regions.entry(&member.region).or_default();
        *members += 1;
        *ready += u64::from(member.ready);
        *endpoints += member.endpoints;
    }
    let mut table = output::table(&["REGION", "MEMBERS", "READY", "ENDPOINTS"]);
    for (region, (members, ready, endpoints)) in regions {
        table.add_row([region.to_owned(), members.to_string(), ready.to_string(), endpoints.to_string()]);
    }
    output::gap();
    output::print_table(&table);
}

fn services(document: &Document) {
    if document.services.is_empty() {
        return;
    }
    let mut table = output::table(&["SERVICE", "PORTS", "READY", "CLUSTERS"]);
    for service in &document.services {
        table.add_row([
            format!("{}/{}", service.namespace, service.name),
            service.ports.join(","),
            format!("{}/{}", service.ready, service.endpoints),
            service.clusters.join(","),
        ]);
    }
    output::gap();
    output::print_table(&table);
}
