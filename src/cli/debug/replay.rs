//! `isthmus debug replay`: what comes of a recording.

use std::fs::File;
use std::io::BufReader;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use federation::Authority;
use federation::model::{ClusterId, Network, RegionId, Zone};
use federation::ranking::ClientClass;
use regions::class::{Class, EnvoyProfile, Interception, Profile};
use wire::recording::Reader;

use super::player::{Played, Player};
use crate::outcome::{self, BadUsage};
use crate::terminal::{self, OutputArgs};

/// Plays a recording into an engine at the recorded times, and prints a digest of what comes of it: members, services and
/// the resources of one client. Equal recordings have equal digests.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file that isthmus debug record wrote.
    file: PathBuf,
    /// The region of the client whose resources are made. Left out: the recorded process's own, else the first by name.
    #[arg(long, value_name = "REGION", value_parser = RegionId::new)]
    region: Option<RegionId>,
    /// Its zone.
    #[arg(long, value_name = "ZONE", value_parser = Zone::new)]
    zone: Option<Zone>,
    /// The member that it is in; it is a sidecar then.
    #[arg(long, value_name = "ID", value_parser = ClusterId::new)]
    cluster: Option<ClusterId>,
    /// Who decides about admission. Left out: as when it was recorded.
    #[arg(long, value_enum, value_name = "WHO")]
    authority: Option<Decides>,
    /// Play a recording that was cut or damaged up to where it is whole.
    #[arg(long)]
    allow_cut: bool,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Decides {
    /// The engine itself, as in a controller.
    Own,
    /// A controller: what the statuses of members have on record counts.
    Recorded,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let played = play(args)?;
    if !terminal::print_document(args.output.format, &played)? {
        print(&played);
    }
    if let Some(cut) = &played.cut {
        terminal::complain(format_args!("warning: not all of the recording was played: {cut}"));
    }
    Ok(outcome::OK)
}

fn play(args: &Args) -> anyhow::Result<Played> {
    let name = args.file.display();
    let file = File::open(&args.file).map_err(|error| BadUsage(format!("{name} cannot be read: {error}")))?;
    let (mut reader, start) =
        Reader::new(BufReader::new(file)).map_err(|error| BadUsage(format!("{name} is no recording: {error}")))?;
    let authority = args.authority.map(|decides| match decides {
        Decides::Own => Authority::Own,
        Decides::Recorded => Authority::Recorded,
    });
    let mut player = Player::new(&start, authority);
    let cut = match player.play(&mut reader) {
        Ok(()) => None,
        Err(error) if args.allow_cut => Some(error.to_string()),
        Err(error) => {
            let text = format!(
                "{name}: {error}; the {} batches before it are whole: --allow-cut plays them",
                reader.entries()
            );
            return Err(BadUsage(text).into());
        }
    };
    let region = args.region.clone().or(start.region).or_else(|| player.regions().next().cloned());
    let Some(region) = region else {
        return Err(BadUsage(format!("{name}: no Region is in the recording; name one with --region")).into());
    };
    let mut played = player.result(&class(region, args.zone.clone(), args.cluster.clone()))?;
    played.cut = cut;
    Ok(played)
}

/// An Envoy that follows all clusters, as `node.metadata.CLUSTERS: eager` asks.
fn class(region: RegionId, zone: Option<Zone>, cluster: Option<ClusterId>) -> Class {
    let interception = if cluster.is_some() { Interception::Redirect } else { Interception::Unset };
    let listen = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    Class {
        client: ClientClass { region, zone, network: Network::default_network(), cluster, families: None },
        network_named: false,
        profile: Profile::Envoy(EnvoyProfile { listen, interception, on_demand: false, leds: false, vhds: false }),
    }
}

fn print(played: &Played) {
    let Played { digest, from, until, batches, rounds, client, members, services, resources, cut: _ } = played;
    let time = |time: &Option<String>| time.clone().unwrap_or_else(|| "–".to_owned());
    terminal::say(format_args!(
        "played     {batches} batches in {rounds} rounds, from {} to {}",
        time(from),
        time(until)
    ));
    let ready = members.iter().filter(|member| member.ready).count();
    terminal::say(format_args!("members    {} ({ready} ready)", members.len()));
    let endpoints: u64 = services.iter().map(|service| service.endpoints).sum();
    terminal::say(format_args!("services   {} with {endpoints} endpoints", services.len()));
    terminal::say(format_args!("resources  {} for {client}", resources.len()));
    terminal::say(format_args!("digest     {digest}"));
}
