//! Figures, for people and for programs.

use std::time::Duration;

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::args::{Plan, Subscribe};
use super::client::ClientKind;
use super::percentiles::Percentiles;
use crate::terminal;

/// From so many cores that other processes keep busy, a warning is printed.
const NOTABLE: f64 = 0.1;

/// The JSON document: what was measured, on what, and how.
#[derive(Debug, Serialize)]
pub struct Document {
    pub version: &'static str,
    /// "release" or "debug". Figures of a debug build say nothing about a release build.
    pub profile: &'static str,
    /// Server and clients share them.
    pub cores: usize,
    /// How many of them other processes kept busy meanwhile: the more, the longer all times are.
    pub cores_of_others: Option<f64>,
    #[serde(rename = "world")]
    pub federation: FederationShown,
    pub clients: ClientsShown,
    pub scenarios: Vec<Outcome>,
}

#[derive(Debug, Serialize)]
pub struct FederationShown {
    pub services: usize,
    pub endpoints: usize,
    pub clusters: usize,
    pub regions: usize,
    pub zones: usize,
    pub namespaces: usize,
    pub tcp_percent: usize,
}

#[derive(Debug, Serialize)]
pub struct ClientsShown {
    pub clients: usize,
    pub client: &'static str,
    pub variant: &'static str,
    /// "all", or the number of services that each client uses.
    pub subscribe: String,
    pub classes: usize,
    pub seed: u64,
}

/// Result of one scenario.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub scenario: &'static str,
    pub figures: Figures,
    /// What was not as expected.
    pub problems: Vec<String>,
}

/// Keys end in their unit.
#[derive(Debug, Default)]
pub struct Figures(Vec<Figure>);

#[derive(Debug)]
struct Figure {
    key: String,
    label: String,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Count(u64),
    Bytes(u64),
    Time(Duration),
    Number(f64),
}

impl Outcome {
    pub fn new(scenario: &'static str) -> Self {
        Self { scenario, figures: Figures::default(), problems: Vec::new() }
    }
}

impl Figures {
    pub fn add(&mut self, key: &str, label: &str, value: Value) {
        self.0.push(Figure { key: key.to_owned(), label: label.to_owned(), value });
    }

    pub fn count(&mut self, key: &str, label: &str, count: u64) {
        self.add(key, label, Value::Count(count));
    }

    pub fn bytes(&mut self, key: &str, label: &str, bytes: u64) {
        self.add(key, label, Value::Bytes(bytes));
    }

    /// The key gets the unit appended.
    pub fn time(&mut self, key: &str, label: &str, time: Duration) {
        self.add(&format!("{key}_ms"), label, Value::Time(time));
    }

    /// Median, 99th percentile and worst, each with its own line.
    pub fn spread(&mut self, key: &str, label: &str, measured: &Percentiles) {
        for (name, percent) in [("p50", 50), ("p99", 99), ("max", 100)] {
            self.time(&format!("{key}_{name}"), &format!("{label}, {name}"), measured.at(percent));
        }
    }

    pub fn get(&self, key: &str) -> Option<Value> {
        self.0.iter().find(|figure| figure.key == key).map(|figure| figure.value)
    }
}

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for figure in &self.0 {
            match figure.value {
                Value::Count(n) | Value::Bytes(n) => map.serialize_entry(&figure.key, &n)?,
                Value::Time(time) => map.serialize_entry(&figure.key, &round(time.as_secs_f64() * 1e3))?,
                Value::Number(n) => map.serialize_entry(&figure.key, &round(n))?,
            }
        }
        map.end()
    }
}

impl Document {
    pub fn new(plan: &Plan) -> Self {
        let federation = &plan.federation;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
            cores,
            cores_of_others: None,
            federation: FederationShown {
                services: federation.services,
                endpoints: federation.endpoints,
                clusters: federation.clusters,
                regions: federation.regions,
                zones: federation.zones,
                namespaces: federation.namespaces,
                tcp_percent: federation.tcp_percent,
            },
            clients: ClientsShown {
                clients: plan.clients,
                client: match plan.client {
                    ClientKind::Quiet => "quiet",
                    ClientKind::Grpc => "grpc",
                },
                variant: match plan.variant {
                    regions::session::Variant::Delta => "delta",
                    regions::session::Variant::Sotw => "sotw",
                },
                subscribe: match plan.subscribe {
                    Subscribe::All => "all".to_owned(),
                    Subscribe::OnDemand(count) => count.to_string(),
                },
                classes: plan.classes,
                seed: plan.seed,
            },
            scenarios: Vec::new(),
        }
    }
}

/// A table for people, without colours.
pub fn print(document: &Document) {
    let Document { version, profile, cores, cores_of_others, federation, clients, scenarios } = document;
    anstream::println!("isthmus {version}, {profile} build, {cores} cores that server and clients shared");
    anstream::println!(
        "federation: {} services with {} endpoints each, {} clusters, {} regions, {} zones in each, {} namespaces",
        federation.services,
        federation.endpoints,
        federation.clusters,
        federation.regions,
        federation.zones,
        federation.namespaces
    );
    let what = match clients.subscribe.as_str() {
        "all" => "all clusters".to_owned(),
        count => format!("clusters of {count} services on demand"),
    };
    let classes = if clients.classes == 1 { "one class".to_owned() } else { format!("{} classes", clients.classes) };
    anstream::println!("clients: {}, {}, {}, {what}, in {classes}\n", clients.clients, clients.client, clients.variant);
    let mut table = terminal::table(&["SCENARIO", "FIGURE", "VALUE"]);
    for outcome in scenarios {
        for (i, figure) in outcome.figures.0.iter().enumerate() {
            let name = if i == 0 { outcome.scenario } else { "" };
            table.add_row([name, &figure.label, &figure.value.shown()]);
        }
    }
    terminal::print_table(&table);
    for outcome in scenarios {
        for problem in &outcome.problems {
            anstream::println!("\n{}: {problem}", outcome.scenario);
        }
    }
    if let Some(others) = cores_of_others.filter(|others| *others >= NOTABLE) {
        anstream::println!(
            "\nOther processes kept {others:.1} of the {cores} cores busy meanwhile: times are longer than they need be."
        );
    }
    if *profile == "debug" {
        anstream::println!("\nThis is a debug build: its figures say nothing. Build with `cargo build --release`.");
    }
}

/// Prints what is in progress, for people.
pub fn progress(text: &str) {
    anstream::eprintln!("{text}");
}

impl Value {
    fn shown(self) -> String {
        match self {
            Self::Count(n) => n.to_string(),
            Self::Bytes(n) if n < 10_000 => format!("{n} B"),
            Self::Bytes(n) if n < 10_000_000 => format!("{:.1} kB", n as f64 / 1e3),
            Self::Bytes(n) => format!("{:.1} MB", n as f64 / 1e6),
            Self::Time(time) if time < Duration::from_millis(1) => format!("{:.1} µs", time.as_secs_f64() * 1e6),
            Self::Time(time) if time < Duration::from_secs(10) => format!("{:.2} ms", time.as_secs_f64() * 1e3),
            Self::Time(time) => format!("{:.2} s", time.as_secs_f64()),
            Self::Number(n) => format!("{n:.2}"),
        }
    }
}

fn round(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_an_object_with_units_in_their_keys() {
        let mut figures = Figures::default();
        figures.count("clients", "clients", 3);
        figures.time("last", "last", Duration::from_micros(1_500));
        figures.spread("lag", "lag", &[Duration::from_millis(2)].into_iter().collect());
        let json = serde_json::to_value(&figures).expect("JSON");
        let expected =
            serde_json::json!({"clients": 3, "last_ms": 1.5, "lag_p50_ms": 2.0, "lag_p99_ms": 2.0, "lag_max_ms": 2.0});
        assert_eq!(json, expected);
        assert_eq!(figures.get("clients"), Some(Value::Count(3)));
    }

    #[test]
    fn values_are_shown_in_units_that_fit() {
        let shown = [
            Value::Time(Duration::from_nanos(1_540)),
            Value::Time(Duration::from_millis(12)),
            Value::Time(Duration::from_secs(70)),
            Value::Bytes(9_999),
            Value::Bytes(12_345_678),
        ];
        assert_eq!(shown.map(Value::shown), ["1.5 µs", "12.00 ms", "70.00 s", "9999 B", "12.3 MB"]);
    }
}
