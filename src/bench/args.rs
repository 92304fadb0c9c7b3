//! What `isthmus bench` can be told, and the plan that follows from it.

use std::time::Duration;

use clap::ValueEnum;
use regions::session::Variant;

use super::error::BenchError;
use super::process;
use super::world::{MAX_CLUSTERS, MAX_SERVICES, World};
use crate::terminal::Format;

pub const MAX_CLIENTS: usize = 20_000;
const MAX_PER_SERVICE: usize = 100_000;
/// Files that a process needs besides one for each client.
const OTHER_FILES: usize = 128;

/// Flags of `isthmus bench`.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchArgs {
    /// What to measure; may be repeated. Left out: start, cold, change, add, resume and floor, in this order.
    #[arg(long, value_enum, value_name = "NAME")]
    scenario: Vec<Scenario>,

    /// Services in the world.
    #[arg(long, default_value_t = 1_000, value_name = "N", help_heading = "World", value_parser = at_most(MAX_SERVICES))]
    services: usize,
    /// Endpoints of each service, spread over clusters and zones.
    #[arg(long, default_value_t = 10, value_name = "N", help_heading = "World", value_parser = at_most(MAX_PER_SERVICE))]
    endpoints: usize,
    /// Member clusters, spread over the regions.
    #[arg(long, default_value_t = 3, value_name = "N", help_heading = "World", value_parser = at_most(MAX_CLUSTERS))]
    clusters: usize,
    /// Regions.
    #[arg(long, default_value_t = 3, value_name = "N", help_heading = "World", value_parser = at_most(MAX_CLUSTERS))]
    regions: usize,
    /// Zones in each region.
    #[arg(long, default_value_t = 2, value_name = "N", help_heading = "World", value_parser = at_most(16))]
    zones: usize,
    /// Namespaces that the services are spread over.
    #[arg(long, default_value_t = 50, value_name = "N", help_heading = "World", value_parser = at_most(1_000))]
    namespaces: usize,
    /// Of a hundred services, so many speak plain TCP; the others speak HTTP.
    #[arg(long, default_value_t = 0, value_name = "0-100", help_heading = "World", value_parser = percent)]
    tcp_percent: usize,

    /// Clients, each with a connection of its own.
    #[arg(long, default_value_t = 100, value_name = "N", help_heading = "Clients", value_parser = at_most(MAX_CLIENTS))]
    clients: usize,
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
    /// Pairs of cluster and zone that clients are spread over. Clients of one pair are sent the same bytes.
    #[arg(long, default_value_t = 1, value_name = "N", help_heading = "Clients", value_parser = at_most(512))]
    classes: usize,
    /// Where the drawing of services begins: the same seed, the same run.
    #[arg(long, default_value_t = 1, value_name = "N", help_heading = "Clients")]
    seed: u64,

    /// Changes that the scenario "change" makes, one after another.
    #[arg(long, default_value_t = 100, value_name = "N", help_heading = "Load", value_parser = at_most(100_000))]
    changes: usize,
    /// Changes a second in "churn" and "soak".
    #[arg(long, default_value_t = 20, value_name = "N", help_heading = "Load", value_parser = at_most(10_000))]
    rate: usize,
    /// In "churn": so many more clients that stop reading, and keep their connections, once they have everything.
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Load", value_parser = up_to(MAX_CLIENTS))]
    stalled: usize,
    /// How long "churn" and "soak" take, from 1s to 24h.
    #[arg(long = "for", default_value = "1m", value_name = "DURATION", help_heading = "Load", value_parser = duration)]
    length: Duration,
    /// How long everything that is waited for may take.
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
    /// All clients drop their connections and come back at once, with what they have
    Resume,
    /// The least a server could do: one prebuilt message to every client
    Floor,
    /// Endpoints change at a steady rate: does it slow down?
    Churn,
    /// Changes, additions, removals, reconnects and rejections for long: does it end as it should, and does it grow?
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

    /// For people who wait.
    pub fn what(self, plan: &Plan) -> String {
        let Plan { clients, changes, rate, length, .. } = plan;
        match self {
            Self::Start => "as it just did".to_owned(),
            Self::Cold => format!("{clients} clients connect at once"),
            Self::Change => format!("one endpoint changes, {changes} times"),
            Self::Add => "one service is added and removed, a few times".to_owned(),
            Self::Resume => format!("{clients} clients come back at once"),
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

/// What each client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribe {
    /// All clusters.
    All,
    /// Clusters of so many services, when it uses them.
    OnDemand(usize),
}

/// Everything that was decided before anything runs.
#[derive(Clone, Debug)]
pub struct Plan {
    pub scenarios: Vec<Scenario>,
    pub world: World,
    pub clients: usize,
    pub variant: Variant,
    pub subscribe: Subscribe,
    pub leds: bool,
    pub classes: usize,
    pub seed: u64,
    pub changes: usize,
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
        let world = World { services, endpoints, clusters, regions, zones, namespaces, tcp_percent };
        world.check()?;
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
            world,
            clients: args.clients,
            variant,
            subscribe: args.subscribe,
            leds: args.leds,
            classes: args.classes,
            seed: args.seed,
            changes: args.changes,
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
    let expected = || "expected a duration from 1s to 24h, such as 30s".to_owned();
    let signed: jiff::SignedDuration = text.parse().map_err(|_| expected())?;
    let length = Duration::try_from(signed).map_err(|_| expected())?;
    let bounds = Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);
    if bounds.contains(&length) { Ok(length) } else { Err(expected()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        bench: BenchArgs,
    }

    fn plan(args: &[&str]) -> Result<Plan, String> {
        let cli = Cli::try_parse_from([&["bench"], args].concat()).map_err(|error| error.to_string())?;
        Plan::new(cli.bench).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_needs_to_be_said() {
        let plan = plan(&[]).expect("a plan");
        assert_eq!((plan.world.services, plan.world.endpoints, plan.world.clusters), (1_000, 10, 3));
        assert_eq!(plan.scenarios, Scenario::CHEAP);
        assert_eq!((plan.variant, plan.subscribe), (Variant::Delta, Subscribe::All));
    }

    #[test]
    fn what_cannot_be_is_told_with_what_could() {
        let cases: [(&[&str], &str); 10] = [
            (&["--services=0"], "from 1 to 200000"),
            (&["--clients=20001"], "from 1 to 20000"),
            (&["--tcp-percent=101"], "from 0 to 100"),
            (&["--subscribe=none"], "\"all\" or a number"),
            (&["--for=soon"], "such as 30s"),
            (&["--subscribe=2000"], "1000 services"),
            (&["--subscribe=10", "--variant=sotw"], "--variant delta"),
            (&["--leds", "--variant=sotw"], "--variant delta"),
            (&["--classes=7"], "3 clusters with 2 zones"),
            (&["--services=200000", "--endpoints=1000"], "4000000"),
        ];
        for (args, words) in cases {
            let text = plan(args).expect_err("a refusal");
            assert!(text.contains(words), "{args:?} says {text:?}, expected {words:?}");
        }
    }
}
