//! One client as a state machine without a socket: it takes responses and returns requests, in the order and at the moments
//! at which Envoy 1.40 sends them over ADS.
//!
//! Clusters first, all of them; then the load assignment of each; listeners once all clusters have theirs; and once there
//! are listeners, the clusters of a client that fetches them on demand. Every response is acknowledged at once.

mod collections;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use regions::resource::ResourceType::{Assignment, Cluster, Endpoint, Listener};
use regions::resource::{PerType, ResourceType};
use regions::session::Variant;

use super::super::board::Board;
use super::super::names::Names;
use super::held::Held;
use super::scan::{self, Response, ScanError};
use super::wire::Request;
use collections::Collections;

/// What all clients share.
#[derive(Debug, Default)]
pub struct Common {
    pub names: Names,
    pub board: Board,
}

pub struct Peer {
    variant: Variant,
    common: Arc<Common>,
    node: Bytes,
    /// Fetched on demand; none for a client that follows all clusters.
    wanted: Vec<String>,
    held: PerType<Held>,
    /// Load assignments that clusters refer to, each with the version 1.
    eds: Held,
    /// Those whose name is not the cluster's, by cluster.
    loads: BTreeMap<u32, u32>,
    /// How many of `eds` were not received yet.
    missing: usize,
    collections: Collections,
    stream: Stream,
    /// Answer the next load assignment with a rejection.
    reject: bool,
    /// It rejected a response, so it lacks something until it reconnects.
    behind: bool,
}

/// State of one stream.
#[derive(Default)]
struct Stream {
    asked: PerType<bool>,
    answered: PerType<bool>,
    asked_on_demand: bool,
}

/// Numbers of resources, by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts(pub PerType<usize>);

impl Counts {
    pub fn of(&self, resource_type: ResourceType) -> usize {
        self.0[resource_type]
    }

    pub fn total(&self) -> usize {
        self.0.values().sum()
    }
}

impl Peer {
    pub fn new(variant: Variant, common: Arc<Common>, node: Bytes, wanted: Vec<String>) -> Self {
        Self {
            variant,
            common,
            node,
            wanted,
            held: PerType::default(),
            eds: Held::default(),
            loads: BTreeMap::new(),
            missing: 0,
            collections: Collections::default(),
            stream: Stream::default(),
            reject: false,
            behind: false,
        }
    }

    pub fn variant(&self) -> Variant {
        self.variant
    }

    pub fn reject_next(&mut self) {
        self.reject = true;
    }

    pub fn is_behind(&self) -> bool {
        self.behind
    }

    pub fn counts(&self) -> Counts {
        Counts(self.held.each_ref().map(Held::len))
    }

    pub fn held(&self) -> &PerType<Held> {
        &self.held
    }

    /// Whether clusters and listeners were answered on this stream, and it has at least so many resources of each type.
    pub fn is_complete(&self, expected: &Counts) -> bool {
        let answered = [Cluster, Listener].iter().all(|t| self.stream.answered[*t]);
        let counts = self.counts();
        answered && self.missing == 0 && ResourceType::ALL.iter().all(|t| counts.of(*t) >= expected.of(*t))
    }

    /// The first requests of a stream. They name what the client already has.
    pub fn open(&mut self) -> Vec<Bytes> {
        self.stream = Stream::default();
        (self.reject, self.behind) = (false, false);
        let mut out = Vec::new();
        let back = self.of(Cluster).len() > 0;
        self.ask(Cluster, true, &mut out);
        if back {
            self.ask(Assignment, false, &mut out);
            if self.collections.iter().next().is_some() {
                self.ask(Endpoint, false, &mut out);
            }
            self.ask(Listener, false, &mut out);
        }
        out
    }

    fn is_on_demand(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Takes one response, and returns the requests that follow from it.
    pub fn receive(&mut self, message: &[u8], at_ns: u64) -> Result<Vec<Bytes>, ScanError> {
        let response = Response::scan(self.variant, message)?;
        let resource_type = response.resource_type;
        let mut out = Vec::new();
        if self.reject && resource_type == Assignment {
            self.reject = false;
            self.behind = true;
            self.answer(&response, Some("rejected on purpose, to test rejections"), &mut out);
            return Ok(out);
        }
        let changed = self.take(&response)?;
        self.common.board.saw(resource_type, &changed.ids, at_ns);
        self.stream.answered[resource_type] = true;
        self.answer(&response, None, &mut out);
        self.follow_up(&changed, &mut out);
        Ok(out)
    }

    fn of(&self, resource_type: ResourceType) -> &Held {
        &self.held[resource_type]
    }

    fn of_mut(&mut self, resource_type: ResourceType) -> &mut Held {
        &mut self.held[resource_type]
    }

    fn take(&mut self, response: &Response<'_>) -> Result<Changed, ScanError> {
        let resource_type = response.resource_type;
        let found = response.resources().collect::<Result<Vec<_>, _>>()?;
        let removed = response.removed().collect::<Result<Vec<_>, _>>()?;
        let ids = self.common.names.ids(found.iter().map(|found| found.name));
        let mut changed = Changed::default();
        for (id, found) in ids.iter().zip(&found) {
            let old = self.of_mut(resource_type).put(*id, found.version);
            if old != Some(found.version) {
                changed.ids.push(*id);
            }
            match resource_type {
                Cluster => match scan::load_of(found)? {
                    Some(load) if load == found.name => self.cluster_wants(*id, &mut changed),
                    Some(load) => {
                        let load = self.common.names.id(load);
                        self.loads.insert(*id, load);
                        self.cluster_wants(load, &mut changed);
                    }
                    // The cluster no longer gets its endpoints from a load assignment.
                    None => self.cluster_gone(*id, &mut changed),
                },
                Assignment => {
                    self.missing -= usize::from(old.is_none() && self.eds.contains(*id));
                    self.follow(*id, scan::collections(found.body)?, &mut changed);
                }
                _ => {}
            }
        }
        let gone = if self.is_full_state(resource_type) {
            let here: BTreeSet<u32> = ids.into_iter().collect();
            self.of(resource_type).iter().map(|(id, _)| id).filter(|id| !here.contains(id)).collect()
        } else {
            self.common.names.ids(removed.into_iter())
        };
        for id in gone {
            if self.of_mut(resource_type).remove(id).is_some() {
                changed.ids.push(id);
                match resource_type {
                    Cluster => self.cluster_gone(id, &mut changed),
                    Assignment if self.eds.contains(id) => self.missing += 1,
                    _ => {}
                }
            }
        }
        Ok(changed)
    }

    /// In state of the world, what is not in such a response was removed.
    fn is_full_state(&self, resource_type: ResourceType) -> bool {
        self.variant == Variant::Sotw && resource_type.allows_wildcard()
    }

    fn cluster_wants(&mut self, load: u32, changed: &mut Changed) {
        if self.eds.put(load, 1).is_none() {
            self.missing += usize::from(!self.of(Assignment).contains(load));
            changed.subscribe.push(load);
        }
    }

    fn cluster_gone(&mut self, id: u32, changed: &mut Changed) {
        let load = self.loads.remove(&id).unwrap_or(id);
        if self.eds.remove(load).is_some() {
            // Envoy forgets a load assignment with its cluster.
            if self.of_mut(Assignment).remove(load).is_none() {
                self.missing -= 1;
            }
            self.follow(load, BTreeSet::new(), changed);
            changed.unsubscribe.push(load);
        }
    }

    /// A load assignment names the collections that hold its endpoints. Endpoints of collections it no longer names are dropped.
    fn follow(&mut self, assignment: u32, names: BTreeSet<String>, changed: &mut Changed) {
        let difference = self.collections.set(assignment, names);
        if !difference.unsubscribe.is_empty() {
            let (ids, _): (Vec<u32>, Vec<u64>) = self.of(Endpoint).iter().unzip();
            let named: Vec<_> = self.common.names.names(ids.iter().copied()).into_iter().zip(ids).collect();
            for (name, id) in named {
                if difference.unsubscribe.iter().any(|collection| collections::holds(collection, &name)) {
                    self.of_mut(Endpoint).remove(id);
                }
            }
        }
        changed.collections.subscribe.extend(difference.subscribe);
        changed.collections.unsubscribe.extend(difference.unsubscribe);
    }

    /// ACK or NACK.
    fn answer(&mut self, response: &Response<'_>, error: Option<&str>, out: &mut Vec<Bytes>) {
        let resource_type = response.resource_type;
        let names = self.named(resource_type);
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let (version, nonce) = (response.version, response.nonce);
        let request = Request { names: &names, version, nonce, error, ..Request::default() };
        out.push(request.encode(self.variant, resource_type));
    }

    /// In state of the world every request names the complete subscription.
    fn named(&self, resource_type: ResourceType) -> Vec<Arc<str>> {
        match (self.variant, resource_type) {
            (Variant::Sotw, Assignment) => self.common.names.names(self.eds.iter().map(|(id, _)| id)),
            _ => Vec::new(),
        }
    }

    fn follow_up(&mut self, changed: &Changed, out: &mut Vec<Bytes>) {
        if !changed.subscribe.is_empty() || !changed.unsubscribe.is_empty() {
            if self.variant == Variant::Sotw {
                self.ask(Assignment, false, out);
            } else {
                let subscribe = self.common.names.names(changed.subscribe.iter().copied());
                let unsubscribe = self.common.names.names(changed.unsubscribe.iter().copied());
                self.stream.asked[Assignment] = true;
                out.push(self.change(Assignment, &subscribe, &unsubscribe));
            }
        }
        let collections::Difference { subscribe, unsubscribe } = &changed.collections;
        if !subscribe.is_empty() || !unsubscribe.is_empty() {
            out.push(self.change(Endpoint, subscribe, unsubscribe));
        }
        let ready = self.stream.answered[Cluster] && self.missing == 0;
        if ready && !self.stream.asked[Listener] {
            self.ask(Listener, false, out);
        }
        if !self.stream.answered[Listener] {
            return;
        }
        if self.is_on_demand() && !self.stream.asked_on_demand {
            self.stream.asked_on_demand = true;
            let names: Vec<&str> = self.wanted.iter().map(String::as_str).collect();
            out.push(Request { names: &names, ..Request::default() }.encode(self.variant, Cluster));
        }
    }

    /// Subscribes to some names and unsubscribes from others.
    fn change<T: AsRef<str>>(&self, resource_type: ResourceType, subscribe: &[T], unsubscribe: &[T]) -> Bytes {
        let (subscribe, unsubscribe) = (texts(subscribe), texts(unsubscribe));
        let request = Request { names: &subscribe, unsubscribe: &unsubscribe, ..Request::default() };
        request.encode(self.variant, resource_type)
    }

    /// A first request of a type on this stream, or, in state of the world, one that names the complete subscription again.
    fn ask(&mut self, resource_type: ResourceType, first: bool, out: &mut Vec<Bytes>) {
        self.stream.asked[resource_type] = true;
        let node = if first { self.node.clone() } else { Bytes::new() };
        let (ids, versions): (Vec<u32>, Vec<u64>) = self.of(resource_type).iter().unzip();
        let texts_of = self.common.names.names(ids.into_iter());
        let known: Vec<(&str, u64)> = texts_of.iter().map(|name| &**name).zip(versions).collect();
        let eds = self.common.names.names(self.eds.iter().map(|(id, _)| id));
        let back = first && !known.is_empty() && self.is_on_demand();
        // When Envoy reconnects, it names everything that it ever fetched on demand.
        let on_demand = std::iter::once("*").chain(self.wanted.iter().map(String::as_str));
        let names: Vec<&str> = match resource_type {
            Assignment => texts(&eds),
            Endpoint => self.collections.iter().collect(),
            Cluster if back => on_demand.collect(),
            _ => Vec::new(),
        };
        self.stream.asked_on_demand |= back;
        let request = Request { node: &node, names: &names, known: &known, ..Request::default() };
        out.push(request.encode(self.variant, resource_type));
    }
}

/// What a response changed.
#[derive(Debug, Default)]
struct Changed {
    ids: Vec<u32>,
    subscribe: Vec<u32>,
    unsubscribe: Vec<u32>,
    collections: collections::Difference,
}

fn texts<T: AsRef<str>>(names: &[T]) -> Vec<&str> {
    names.iter().map(AsRef::as_ref).collect()
}

#[cfg(test)]
mod tests;
