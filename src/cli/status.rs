//! `isthmus status`: members, regions and services at a glance, from the hub, a folder or a running process.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use clusters::clock::now;
use clusters::conditions::json::MemberJson;
use clusters::conditions::known::Known;
use clusters::offline::Offline;
use clusters::sources::hub::HubObjects;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::passed_over::{self, VerboseArgs};
use super::source::SourceArgs;
use crate::admin::json::ServiceJson;
use crate::outcome::{self, BadUsage};
use crate::process::engine::{self, KnowledgeJson};
use crate::terminal::{self, Format, OutputArgs};

/// Exit 0: every member is ready; 1: some member is not; 2: bad usage or input.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to list. Left out: members and regions, and how many services there are.
    #[arg(value_enum)]
    what: Option<What>,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The merged services, one a line. A hub does not know them: ask a control plane with --admin, or a folder.
    Services,
}

/// The JSON document.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    members: Vec<MemberJson>,
    regions: Vec<RegionJson>,
    /// Merged services; `None` from a hub, which knows members only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service_count: Option<usize>,
    /// Only where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    services: Option<Vec<ServiceJson>>,
    /// Of a running process: whether it knows all that it should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    knowledge: Option<KnowledgeJson>,
}

/// One region: the sum of its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegionJson {
    name: String,
    members: u64,
    ready: u64,
    endpoints: u64,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { what, source, admin, verbose, output } = args;
    let services = what == Some(What::Services);
    let mut document = match (admin, source.folder()?) {
        (Some(url), _) => from_admin(&url, services).await?,
        (None, Some(folder)) => from_folder(clusters::offline::folder(&folder, &[])?, services, verbose),
        (None, None) if services => return Err(services_elsewhere().into()),
        (None, None) => {
            let objects = HubObjects::read(&source.hub().await?).await?;
            let regions = objects.regions.iter().filter_map(|region| region.metadata.name.clone());
            let regions = regions.map(|name| RegionJson { name, ..RegionJson::default() }).collect();
            Document { members: objects.views(), regions, ..Document::default() }
        }
    };
    document.regions = regions(&document);
    if !terminal::print_document(output.format, &document)? {
        print(&document, output.format == Format::Wide);
    }
    let ready = document.members.iter().all(|member| member.ready);
    Ok(if ready { outcome::OK } else { ExitCode::from(outcome::PROBLEM) })
}

fn services_elsewhere() -> BadUsage {
    BadUsage(
        "services: the hub holds members only, services are merged in the control planes; ask one of them, for example \
         kubectl -n isthmus-system port-forward deployment/isthmus-region-eu 15014 and then isthmus status services \
         --admin http://127.0.0.1:15014"
            .to_owned(),
    )
}

fn from_folder(world: Offline, services: bool, verbose: VerboseArgs) -> Document {
    for problem in &world.problems {
        terminal::complain(problem);
    }
    if world.unlisted > 0 {
        terminal::complain(format_args!("{} more objects with problems are not listed", world.unlisted));
    }
    passed_over::complain(&world.passed_over, verbose);
    let known = Known::new(&world.book, now());
    let members = clusters::conditions::json::members(world.engine.reports().values(), &world.book, |report| {
        MemberJson::new(report, &known)
    });
    let all: Vec<ServiceJson> = engine::services(&world.engine).into_iter().map(ServiceJson::from).collect();
    let service_count = Some(all.len());
    let names = world.engine.topology().regions.keys();
    let regions = names.map(|name| RegionJson { name: name.to_string(), ..RegionJson::default() }).collect();
    Document { members, regions, service_count, services: services.then_some(all), knowledge: None }
}

async fn from_admin(url: &str, services: bool) -> anyhow::Result<Document> {
    if !url.starts_with("http://") {
        let text =
            format!("--admin: {url:?} is not a URL this command can ask; expected one such as http://127.0.0.1:15014");
        return Err(BadUsage(text).into());
    }
    let members = page(url, "debug/members", "a list of members").await?;
    let knowledge: KnowledgeJson = page(url, "debug/knowledge", "what is known").await?;
    let services = match services {
        true => Some(page(url, "debug/services", "a list of services").await?),
        false => None,
    };
    let service_count = Some(knowledge.services);
    Ok(Document { members, service_count, services, knowledge: Some(knowledge), ..Document::default() })
}

async fn page<T: DeserializeOwned>(url: &str, path: &str, what: &str) -> anyhow::Result<T> {
    let url = format!("{}/{path}", url.trim_end_matches('/'));
    let hint = || format!("cannot read {url}; is --admin the admin address of a running isthmus?");
    let bytes = crate::cli::http::get(&url).await.with_context(hint)?;
    serde_json::from_slice(&bytes).with_context(|| format!("the answer of {url} is not {what}"))
}

/// Sums of the members, with the regions that have none.
fn regions(document: &Document) -> Vec<RegionJson> {
    let mut regions: BTreeMap<&str, RegionJson> =
        document.regions.iter().map(|region| (region.name.as_str(), region.clone())).collect();
    for member in document.members.iter().filter(|member| !member.region.is_empty()) {
        let region = regions.entry(&member.region).or_default();
        region.name.clone_from(&member.region);
        region.members += 1;
        region.ready += u64::from(member.ready);
        region.endpoints += member.endpoints;
    }
    regions.into_values().collect()
}

fn print(document: &Document, wide: bool) {
    if let Some(known) = document.knowledge.as_ref().filter(|known| known.message != "ok") {
        terminal::say(format_args!("not all is known: {}", known.message));
        terminal::gap();
    }
    for note in document.knowledge.iter().flat_map(|known| &known.notes) {
        terminal::say(format_args!("note: {note}"));
        terminal::gap();
    }
    if let Some(services) = &document.services {
        print_services(services);
        return;
    }
    if document.members.is_empty() {
        terminal::say("no members; see the README for how a cluster joins");
        return;
    }
    print_members(&document.members, wide);
    let mut table = terminal::table(&["REGION", "MEMBERS", "READY", "ENDPOINTS"]);
    for region in &document.regions {
        let counts = [region.members, region.ready, region.endpoints].map(|count| count.to_string());
        table.add_row([region.name.clone()].into_iter().chain(counts));
    }
    terminal::gap();
    terminal::print_table(&table);
    if let Some(count) = document.service_count {
        terminal::gap();
        terminal::say(format_args!("services: {count}; isthmus status services lists them"));
    }
}

fn print_members(members: &[MemberJson], wide: bool) {
    let mut head = vec!["CLUSTER", "REGION", "READY", "REASON", "SERVICES", "ENDPOINTS", "MIRRORED"];
    if wide {
        head.extend(["NETWORK", "TRAFFIC", "WEIGHT", "VERSION", "PODS", "SERVICE RANGES", "SEEN"]);
    }
    let mut table = terminal::table(&head);
    for member in members {
        let ready = if member.ready { "True" } else { "False" };
        let mut row = vec![member.id.clone(), member.region.clone(), ready.to_owned(), member.reason.clone()];
        row.extend([member.services, member.endpoints, member.mirrored].map(|count| count.to_string()));
        if wide {
            let weight = member.weight.map(|weight| weight.to_string()).unwrap_or_default();
            let seen = member.last_seen.clone().unwrap_or_default();
            let version = member.kubernetes_version.clone().unwrap_or_default();
            row.extend([member.network.clone(), member.traffic.clone(), weight, version]);
            row.extend([member.pod_cidrs.join(","), member.service_cidrs.join(","), seen]);
        }
        table.add_row(row);
    }
    terminal::print_table(&table);
    for member in members.iter().filter(|member| !member.ready) {
        terminal::gap();
        terminal::say(format_args!("{}: {}", member.id, member.message));
    }
    terminal::print_notes(members);
}

fn print_services(services: &[ServiceJson]) {
    if services.is_empty() {
        terminal::say("no services; mark one with the label isthmus.dev/federate=true, or with a ServiceExport");
        return;
    }
    let mut table = terminal::table(&["SERVICE", "PORTS", "READY", "CLUSTERS"]);
    for service in services {
        table.add_row([
            format!("{}/{}", service.namespace, service.name),
            service.ports.join(","),
            format!("{}/{}", service.ready, service.endpoints),
            service.clusters.join(","),
        ]);
    }
    terminal::print_table(&table);
}
