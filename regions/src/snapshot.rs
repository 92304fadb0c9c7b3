//! What one class of clients should hold, as an immutable value: readers share it, and never wait for the writer.
//!
//! A [`Snapshot`] consists of [`Part`]s, the present state of the catalog's shelves. Classes that must be sent
//! the same bytes share the part, its log of changes included, so a thousand classes cost little more than one.

mod log;
mod part;

pub use log::{Change, Log, MIN_LOG_CHANGES, Was};
pub use part::Part;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::alias::{self, References};
use crate::resource::{PerType, Resource, ResourceType};
use crate::translate::{cluster, grpc};

/// All resources of one class at one moment. Cloning it, or making the next one, copies no resource.
#[derive(Clone, Debug)]
pub struct Snapshot {
    seq: u64,
    about: About,
    types: PerType<TypeSnapshot>,
}

/// What holds for all types of a snapshot.
#[derive(Clone, Debug, Default)]
pub struct About {
    pub computed: Computed,
    /// Members that have to be known are not: what they contribute is missing in the snapshot, and is not gone.
    pub incomplete: bool,
    /// Load assignments of services that such a member backs, as mirrors show.
    pub awaited: Arc<HashSet<String>>,
    /// These clients are in no admitted member.
    pub outside: bool,
}

/// What is made, from its name alone, for clients that ask for something that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Computed {
    /// Clusters, for clients that fetch them when they need them.
    pub clusters: bool,
    /// Listeners of gRPC servers (gRFC A36), and of services that are not there.
    pub grpc_listeners: bool,
    /// Virtual hosts, for clients that fetch them when they need them.
    pub virtual_hosts: bool,
}

/// The resources of one type.
#[derive(Clone, Debug, Default)]
pub struct TypeSnapshot {
    /// What hides the others' resources of the same name.
    over: Part,
    /// What a wildcard subscription covers.
    star: Part,
    /// What a client gets only if it asks for it by name.
    named: Vec<Part>,
    /// Since when the resources come from these parts: what changed before that does not follow from their logs.
    since: u64,
}

impl Snapshot {
    pub(crate) fn new(seq: u64, about: About, types: PerType<TypeSnapshot>) -> Self {
        Self { seq, about, types }
    }

    /// Counts the catalog's commits.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether these clients fetch clusters when they need them, instead of following all of them.
    pub fn is_on_demand(&self) -> bool {
        self.about.computed.clusters
    }

    /// Whether these clients need to know at once what does not exist: gRPC would wait 15 s for it (gRFC A88).
    pub fn reports_missing(&self) -> bool {
        self.about.computed.grpc_listeners
    }

    /// Whether what is not here may be there all the same.
    pub fn is_incomplete(&self) -> bool {
        self.about.incomplete
    }

    /// Whether these clients are in no admitted member.
    pub fn is_outside(&self) -> bool {
        self.about.outside
    }

    /// Whether a load assignment surely lacks endpoints of a member that is not known.
    pub fn is_awaited(&self, name: &str) -> bool {
        let awaited = &self.about.awaited;
        let plain = || alias::origin(ResourceType::Assignment, name);
        !awaited.is_empty() && (awaited.contains(name) || plain().is_some_and(|plain| awaited.contains(&plain)))
    }

    pub fn of(&self, resource_type: ResourceType) -> &TypeSnapshot {
        &self.types[resource_type]
    }

    /// What a client that asks for this name gets. With on-demand clusters that is never nothing: Envoy asks for a
    /// cluster once, and after a "no" never again, so what does not exist is a cluster without hosts until it does. Nor is it for gRPC's listeners: most libraries do not understand the "no" of gRFC A88, and hold calls back for 15 s. A virtual
    /// host that is not there is an alias of nothing.
    pub fn find(&self, resource_type: ResourceType, name: &str) -> Option<Resource> {
        let found = self.find_certain(resource_type, name);
        found.or_else(|| self.made_for(resource_type, name, |origin| self.placeholder(resource_type, origin)))
    }

    /// The same without placeholders for what does not exist: what is not known yet need not be absent.
    pub fn find_certain(&self, resource_type: ResourceType, name: &str) -> Option<Resource> {
        let current = self.of(resource_type);
        if let Some(found) = current.get(name) {
            return Some(found.clone());
        }
        let certain = |origin: &str| current.get(origin).cloned().or_else(|| self.follows(resource_type, origin));
        self.made_for(resource_type, name, certain)
    }

    fn made_for(
        &self,
        resource_type: ResourceType,
        name: &str,
        make: impl Fn(&str) -> Option<Resource>,
    ) -> Option<Resource> {
        match alias::origin(resource_type, name) {
            None => make(name),
            Some(origin) => self.rename(resource_type, &make(&origin)?, name),
        }
    }

    /// What is kept for a name: under it, or under that for which it is another name.
    pub fn kept(&self, resource_type: ResourceType, name: &str) -> Option<&Resource> {
        self.of(resource_type).kept(resource_type, name)
    }

    /// A resource under another name that this client has for it.
    pub fn rename(&self, resource_type: ResourceType, origin: &Resource, name: &str) -> Option<Resource> {
        let references = if self.about.computed.grpc_listeners { References::SameAuthority } else { References::Plain };
        alias::rename(resource_type, origin, name, references)
    }

    /// What follows from its name alone.
    fn follows(&self, resource_type: ResourceType, name: &str) -> Option<Resource> {
        let listener = resource_type == ResourceType::Listener && self.about.computed.grpc_listeners;
        listener.then(|| grpc::server_listener(name)).flatten()
    }

    /// The placeholder for something that does not exist.
    fn placeholder(&self, resource_type: ResourceType, name: &str) -> Option<Resource> {
        let Computed { clusters, grpc_listeners, virtual_hosts } = self.about.computed;
        match resource_type {
            ResourceType::Cluster if clusters => Some(cluster::placeholder(name)),
            ResourceType::Listener if grpc_listeners => grpc::placeholder(name),
            ResourceType::VirtualHost if virtual_hosts => Some(Resource::nothing(name)),
            _ => None,
        }
    }
}

impl TypeSnapshot {
    pub(crate) fn new(over: Part, star: Part, named: Vec<Part>, since: u64) -> Self {
        Self { over, star, named, since }
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        [&self.over, &self.star].into_iter().chain(&self.named)
    }

    /// Since when it consists of the parts that it consists of now.
    pub fn since(&self) -> u64 {
        self.since
    }

    pub fn get(&self, name: &str) -> Option<&Resource> {
        self.parts().find_map(|part| part.get(name))
    }

    /// See [`Snapshot::kept`].
    pub fn kept(&self, resource_type: ResourceType, name: &str) -> Option<&Resource> {
        self.get(name).or_else(|| self.get(&alias::origin(resource_type, name)?))
    }

    /// Everything, under a wildcard or by name.
    #[cfg(test)]
    pub(crate) fn all(&self) -> impl Iterator<Item = &Resource> {
        self.parts().flat_map(Part::iter)
    }

    /// All resources whose names begin so.
    pub fn under<'a>(&'a self, begin: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.parts().flat_map(move |part| part.under(begin))
    }

    /// What a wildcard covers.
    pub fn star(&self) -> &Part {
        &self.star
    }

    /// What a wildcard covers, in order of names.
    pub fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.star.iter()
    }

    /// How many resources a wildcard covers.
    pub fn len(&self) -> usize {
        self.star.len()
    }

    pub fn is_empty(&self) -> bool {
        self.star.is_empty()
    }

    /// A version for the type as a whole: the sum of [`Resource::digest`] over all resources. It depends on names and
    /// versions only, so it is equal on every replica, and it costs O(1) to keep.
    pub fn digest(&self) -> u64 {
        self.parts().fold(0, |sum, part| sum.wrapping_add(part.digest()))
    }

    /// The last commit that changed anything of this type.
    pub fn changed_at(&self) -> u64 {
        self.parts().map(Part::changed_at).max().unwrap_or(0).max(self.since)
    }

    /// What may differ from what it was at `seq`, newest change first, repeated if it changed repeatedly. The flag is true
    /// if a wildcard covers it. `None`: the logs do not reach back so far.
    pub fn changes_since(&self, seq: u64) -> Option<impl Iterator<Item = (bool, &Change)>> {
        let is_recorded =
            seq >= self.since && self.parts().all(|part| part.changed_at() <= seq || seq >= part.log().from());
        is_recorded.then(|| {
            let hidden = self.hidden_at(seq);
            let star = std::iter::once((true, &self.star));
            let parts = star.chain(self.named.iter().map(|part| (false, part)));
            let others = parts.flat_map(move |(star, part)| part.changes_since(seq).map(move |change| (star, change)));
            let others = others.filter(move |(_, change)| !hidden(&change.name));
            self.over.changes_since(seq).map(|change| (false, change)).chain(others)
        })
    }

    /// Which names were hidden at `seq`: what changed beneath them was no change for a client with that state.
    fn hidden_at(&self, seq: u64) -> impl Fn(&str) -> bool {
        let mut was: HashMap<&str, bool> = HashMap::new();
        // Newest first: the last one to be seen is the oldest.
        was.extend(self.over.changes_since(seq).map(|change| (&*change.name, change.was.version().is_some())));
        move |name| was.get(name).copied().unwrap_or_else(|| self.over.get(name).is_some())
    }
}
