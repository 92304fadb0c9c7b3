//! Plays a recording into an engine and a catalog. The same recording always comes to the same result: times are those
//! of the recording, and all that is printed is in order.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read;
use std::sync::Arc;

use clusters::conditions::json::MemberJson;
use clusters::conditions::known::Known;
use clusters::problem::Problems;
use federation::change::Batch;
use federation::model::{RegionId, Time};
use federation::{Authority, Config, Deadlines, Engine};
use regions::catalog::Catalog;
use regions::class::Class;
use regions::resource::{ResourceType, version_text};
use serde::Serialize;
use wire::recording::{Entry, ReadError, Reader, Start};
use xxhash_rust::xxh3::Xxh3;

use crate::admin::json::ServiceJson;
use crate::process::engine;

/// What came of a recording.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Played {
    /// Of all that follows, of what the engine reports of members, and of merged services with all of their endpoints.
    pub digest: String,
    /// The time of the first and the last batch.
    pub from: Option<String>,
    pub until: Option<String>,
    pub batches: u64,
    pub rounds: u64,
    /// Of which client the resources are.
    pub client: String,
    pub members: Vec<MemberJson>,
    pub services: Vec<ServiceJson>,
    pub resources: Vec<ResourceJson>,
    /// Set if the recording was cut, and what was played is not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}

/// One resource, as incremental xDS names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct ResourceJson {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub name: String,
    pub version: String,
}

/// An engine and a catalog that follow a recording.
pub(super) struct Player {
    engine: Engine,
    catalog: Catalog,
    first: Option<Time>,
    last: Time,
    /// When the engine must be called although there is no batch.
    wake_at: Option<Time>,
    batches: u64,
    rounds: u64,
}

impl Player {
    /// `authority`: who decides about admission; left out: who did when it was recorded.
    pub(super) fn new(start: &Start, authority: Option<Authority>) -> Self {
        let config = Config {
            authority: authority.unwrap_or(start.authority),
            own_namespace: start.own_namespace.clone(),
            awaits: start.awaits,
            deadlines: Deadlines::NONE,
            hub: start.hub,
        };
        let (engine, catalog) = (Engine::new(config), Catalog::new(Arc::default()));
        Self { engine, catalog, first: None, last: start.at, wake_at: None, batches: 0, rounds: 0 }
    }

    /// Plays all of a recording. An error says where it is damaged or cut; what comes before was played.
    pub(super) fn play<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), ReadError> {
        let mut round: Vec<Entry> = Vec::new();
        let end = loop {
            match reader.next_entry() {
                Ok(Some(entry)) => {
                    if entry.begins_round {
                        self.round(std::mem::take(&mut round));
                    }
                    round.push(entry);
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.round(round);
        end
    }

    fn round(&mut self, entries: Vec<Entry>) {
        let Some(at) = entries.first().map(|entry| entry.at) else { return };
        self.first.get_or_insert(at);
        while let Some(wake_at) = self.wake_at.take_if(|wake_at| self.last < *wake_at && *wake_at <= at) {
            self.apply(Vec::new(), wake_at);
        }
        self.rounds += 1;
        self.batches += entries.len() as u64;
        self.apply(entries.into_iter().map(|entry| entry.batch).collect(), at);
    }

    fn apply(&mut self, batches: Vec<Batch>, at: Time) {
        self.last = at;
        let effects = self.engine.apply(batches, at);
        self.wake_at = effects.wake_at;
        self.catalog.apply(&effects);
    }

    /// Regions that exist.
    pub(super) fn regions(&self) -> impl Iterator<Item = &RegionId> {
        self.engine.topology().regions.keys()
    }

    /// What all members are, what all services are, and what a client of this class is sent.
    pub(super) fn result(&mut self, class: &Class) -> anyhow::Result<Played> {
        let resources = self.resources(class)?;
        let problems = Problems::default();
        let known = Known::new(&problems, self.last);
        let members: Vec<MemberJson> =
            self.engine.reports().values().map(|report| MemberJson::new(report, &known)).collect();
        let services = engine::services(&self.engine).into_iter().map(ServiceJson::from).collect();
        let mut played = Played {
            digest: String::new(),
            from: self.first.and_then(shown),
            until: self.first.and_then(|_| shown(self.last)),
            batches: self.batches,
            rounds: self.rounds,
            client: client(class),
            members,
            services,
            resources,
            cut: None,
        };
        played.digest = self.digest(&serde_json::to_string(&played)?);
        Ok(played)
    }

    fn resources(&mut self, class: &Class) -> anyhow::Result<Vec<ResourceJson>> {
        self.catalog.set_ready();
        let subscription = self.catalog.open(class, Arc::default())?;
        let Some(snapshot) = subscription.snapshot() else { return Ok(Vec::new()) };
        let of = |kind: ResourceType| {
            let resource = move |resource: &regions::resource::Resource| ResourceJson {
                kind: kind.label(),
                name: resource.name().to_string(),
                version: version_text(resource.version()),
            };
            // Once each, although one part of a class's resources may hide another's of the same name.
            let names: BTreeSet<&Arc<str>> =
                snapshot.of(kind).under("").map(regions::resource::Resource::name).collect();
            names.into_iter().filter_map(|name| snapshot.of(kind).get(name)).map(resource).collect::<Vec<_>>()
        };
        Ok(ResourceType::ALL.into_iter().flat_map(of).collect())
    }

    /// Of a document and of what is not in it.
    fn digest(&self, document: &str) -> String {
        let mut digest = Xxh3::new();
        digest.update(document.as_bytes());
        let mut merged: Vec<_> = self.engine.merged().iter().collect();
        merged.sort_by_key(|(key, _)| *key);
        let mut text = String::new();
        for (_, service) in merged {
            text.clear();
            let _ = write!(text, "{service:?}"); // a String takes everything
            digest.update(text.as_bytes());
        }
        for report in self.engine.reports().values() {
            text.clear();
            let _ = write!(text, "{report:?}");
            digest.update(text.as_bytes());
        }
        format!("{:016x}", digest.digest())
    }
}

fn client(class: &Class) -> String {
    let client = &class.client;
    let zone = client.zone.as_ref().map_or_else(String::new, |zone| format!(", zone {zone}"));
    let cluster = client.cluster.as_ref().map_or_else(String::new, |id| format!(", member {id}"));
    format!("an Envoy in region {}{zone}{cluster}", client.region)
}

/// RFC 3339.
fn shown(time: Time) -> Option<String> {
    jiff::Timestamp::from_millisecond(time.unix_ms).ok().map(|time| time.to_string())
}
