//! Flags of `isthmus bench`, and the plan that follows from them.

use std::time::Duration;

use clap::ValueEnum;
use regions::session::Variant;

use super::bounds::{MAX_CLIENTS, MAX_CLUSTERS, MAX_PER_SERVICE, MAX_SERVICES};
use super::client::ClientKind;
use super::error::BenchError;
use super::process;
use super::synthetic::SyntheticFederation;
use crate::terminal::Format;

/// Files that a process needs besides one for each client.
const OTHER_FILES: usize = 128;

/// Flags of `isthmus bench`.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchArgs {
    /// What to measure; may be repeated. Left out: start, cold, change, add, resume and floor, in this order.
    #[arg(long, value_enum, value_name = "NAME")]
    scenario: Vec<Scenario>,

    /// Services in the federation.
    #[arg(long, default_value_t = 1_000, value_name = "N", help_heading = "Federation", value_parser = at_most(MAX_SERVICES))]
    services: usize,
    /// Endpoints of each service, spread over clusters and zones.
    #[arg(long, default_value_t = 10, value_name = "N", help_heading = "Federation", value_parser = at_most(MAX_PER_SERVICE))]
    endpoints: usize,
    /// Member clusters, spread over the regions.
    #[arg(long, default_value_t = 3, value_name = "N", help_heading = "Federation", value_parser = at_most(MAX_CLUSTERS))]
    clusters: usize,
    /// Regions.
    #[arg(long, default_value_t = 3, value_name = "N", help_heading = "Federation", value_parser = at_most(MAX_CLUSTERS))]
    regions: usize,
    /// Zones in each region.
    #[arg(long, default_value_t = 2, value_name = "N", help_heading = "Federation", value_parser = at_most(16))]
    zones: usize,
    /// Namespaces that the services are spread over.
    #[arg(long, default_value_t = 50, value_name = "N", help_heading = "Federation", value_parser = at_most(1_000))]
    namespaces: usize,
    /// Percentage of services that use plain TCP; the others use HTTP.
    #[arg(long, default_value_t = 0, value_name = "0-100", help_heading = "Federation", value_parser = percent)]
    tcp_percent: usize,

    /// Clients, each with a connection of its own.
    #[arg(long, default_value_t = 100, value_name = "N", help_heading = "Clients", value_parser = at_most(MAX_CLIENTS))]
    clients: usize,
    /// How they behave below gRPC.
    #[arg(long, value_enum, default_value_t, value_name = "KIND", help_heading = "Clients")]
    client: ClientKind,
    /// Incremental xDS or state of the world.
    #[arg(long, value_enum, default_value_t, value_name = "VARIANT", help_heading = "Clients")]
    variant: VariantArg,
    /// "all": every client follows all clusters. A number: sidecars that use so many services each, drawn at random, and
    /// fetch their clusters on demand.
    #[arg(long, default_value = "all", value_name = "all|N", help_heading = "Clients", value_parser = subscribe)]
    subscribe: Subscribe,
    /// Clients fetch endpoints one by one (LEDS), instead of a service's all together.
    #[arg(long, help_heading = "Clients")]
    leds: bool,
    /// Pairs of cluster and zone that clients are spread over. Clients of one pair get the same bytes.
    #[arg(long, default_value_t = 1, value_name = "N", help_heading = "Clients", value_parser = at_most(512))]
    classes: usize,
    /// Seed of the random choice of services: the same seed gives the same run.
    #[arg(long, default_value_t = 1, value_name = "N", help_heading = "Clients")]
    seed: u64,

    /// Changes that the scenario "change" makes, one after another.
    #[arg(long, default_value_t = 100, value_name = "N", help_heading = "Load", value_parser = at_most(100_000))]
    changes: usize,
    /// In "change": how long the server rests before each change, up to 24h. A change that comes alone finds cold caches.
    #[arg(long, default_value = "0s", value_name = "DURATION", help_heading = "Load", value_parser = pause)]
    every: Duration,
    /// Changes a second in "churn" and "soak".
    #[arg(long, default_value_t = 20, value_name = "N", help_heading = "Load", value_parser = at_most(10_000))]
    rate: usize,
    /// In "churn": additional clients that stop reading once they have everything, and keep their connections.
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Load", value_parser = up_to(MAX_CLIENTS))]
    stalled: usize,
    /// How long "churn" and "soak" take, from 1s to 24h.
    #[arg(long = "for", default_value = "1m", value_name = "DURATION", help_heading = "Load", value_parser = duration)]
    length: Duration,
    /// How long each step may take.
    #[arg(long, default_value = "2m", value_name = "DURATION", help_heading = "Load", value_parser = duration)]
    timeout: Duration,

    /// How to print.
    #[arg(short = 'o', long = "output", value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// The same as "-o json".
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// The server's process: commands as JSON lines on standard input.
    #[arg(long, value_enum, hide = true)]
    pub(super) serve: Option<ServeAs>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ServeAs {
    Plane,
    Floor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// From a server that starts to the first client that has everything
    Start,
    /// All clients connect at once
    Cold,
    /// One endpoint changes, again and again, each time until the last client has it
    Change,
    /// One service is added, and removed again
    Add,
    /// All clients drop their connections and reconnect at once, with what they have
    Resume,
    /// The least a server could do: write one prebuilt message to every client
    Floor,
    /// Endpoints change at a steady rate: does it slow down?
    Churn,
    /// Changes, additions, removals, reconnects and rejections for a long time: is the final state right, and does it grow?
    Soak,
}

impl Scenario {
    const CHEAP: [Self; 6] = [Self::Start, Self::Cold, Self::Change, Self::Add, Self::Resume, Self::Floor];

    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Cold => "cold",
            Self::Change => "change",
            Self::Add => "add",
            Self::Resume => "resume",
            Self::Floor => "floor",
            Self::Churn => "churn",
            Self::Soak => "soak",
        }
    }

    /// A description of what is in progress, for people.
    pub fn what(self, plan: &Plan) -> String {
        let Plan { clients, changes, rate, length, .. } = plan;
        match self {
            Self::Start => "as it just did".to_owned(),
            Self::Cold => format!("{clients} clients connect at once"),
            Self::Change => format!("one endpoint changes, {changes} times"),
            Self::Add => "one service is added and removed, a few times".to_owned(),
            Self::Resume => format!("{clients} clients reconnect at once"),
            Self::Floor => "a bare server, for comparison".to_owned(),
            Self::Churn => format!("{rate} changes a second for {} s", length.as_secs()),
            Self::Soak => format!("everything at once for {} s", length.as_secs()),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum VariantArg {
    #[default]
    Delta,
    Sotw,
}

/// What each client subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribe {
    /// All clusters.
    All,
    /// The clusters of so many services, on demand.
    OnDemand(usize),
}

/// The whole run, as the flags describe it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub scenarios: Vec<Scenario>,
    pub federation: SyntheticFederation,
    pub clients: usize,
    pub client: ClientKind,
    pub variant: Variant,
    pub subscribe: Subscribe,
    pub leds: bool,
    pub classes: usize,
    pub seed: u64,
    pub changes: usize,
    /// Between changes of the scenario "change".
    pub every: Duration,
    pub rate: usize,
    pub stalled: usize,
    pub length: Duration,
    pub timeout: Duration,
}

impl BenchArgs {
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

impl Plan {
    pub fn new(args: BenchArgs) -> Result<Self, BenchError> {
        let BenchArgs { services, endpoints, clusters, regions, zones, namespaces, tcp_percent, .. } = args;
        let federation = SyntheticFederation { services, endpoints, clusters, regions, zones, namespaces, tcp_percent };
        federation.check()?;
        if args.classes > clusters * zones {
            return Err(BenchError::TooManyClasses { found: args.classes, clusters, zones });
        }
        let variant = match args.variant {
            VariantArg::Delta => Variant::Delta,
            VariantArg::Sotw => Variant::Sotw,
        };
        match args.subscribe {
            Subscribe::OnDemand(names) if names > services => {
                return Err(BenchError::TooManyNames { found: names, services });
            }
            Subscribe::OnDemand(_) if variant == Variant::Sotw => return Err(BenchError::OnDemandNeedsDelta),
            Subscribe::OnDemand(_) | Subscribe::All => {}
        }
        if args.leds && variant == Variant::Sotw {
            return Err(BenchError::LedsNeedsDelta);
        }
        let clients = args.clients + args.stalled;
        let needed = clients + OTHER_FILES;
        if let Some(limit) = process::open_files_limit().filter(|limit| *limit < needed) {
            return Err(BenchError::TooFewFiles { clients, limit, needed });
        }
        let mut scenarios = args.scenario;
        if scenarios.is_empty() {
            scenarios.extend(Scenario::CHEAP);
        }
        Ok(Self {
            scenarios,
            federation,
            clients: args.clients,
            client: args.client,
            variant,
            subscribe: args.subscribe,
            leds: args.leds,
            classes: args.classes,
            seed: args.seed,
            changes: args.changes,
            every: args.every,
            rate: args.rate,
            stalled: args.stalled,
            length: args.length,
            timeout: args.timeout,
        })
    }
}

fn at_most(max: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| {
        let expected = || format!("expected a number from 1 to {max}");
        text.parse().ok().filter(|n| (1..=max).contains(n)).ok_or_else(expected)
    }
}

fn up_to(max: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| text.parse().ok().filter(|n| *n <= max).ok_or_else(|| format!("expected a number from 0 to {max}"))
}

fn percent(text: &str) -> Result<usize, String> {
    up_to(100)(text)
}

fn subscribe(text: &str) -> Result<Subscribe, String> {
    if text == "all" {
        return Ok(Subscribe::All);
    }
    let names = text.parse().ok().filter(|n| *n > 0);
    names.map(Subscribe::OnDemand).ok_or_else(|| "expected \"all\" or a number of services".to_owned())
}

/// Reads a duration as people write it: `30s`, `5m`, `1h 30m`.
fn duration(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_secs(1)).ok_or_else(|| "expected a duration from 1s to 24h, such as 30s".to_owned())
}

fn pause(text: &str) -> Result<Duration, String> {
    within(text, Duration::ZERO).ok_or_else(|| "expected a duration from 0s to 24h, such as 500ms".to_owned())
}

fn within(text: &str, least: Duration) -> Option<Duration> {
    let signed: jiff::SignedDuration = text.parse().ok()?;
    let bounds = least..=Duration::from_secs(24 * 3_600);
    Duration::try_from(signed).ok().filter(|length| bounds.contains(length))
}

#[cfg(test)]
mod tests;
