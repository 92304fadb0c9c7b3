//! What a client has, resource by resource: for `isthmus proxy` and CSDS.
//!
//! A stream keeps no copy of what it sent. It returns the few values from which that follows, and the caller computes it, on
//! its own task.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Variant;
use crate::resource::{PerType, Resource, ResourceType};
use crate::snapshot::{Snapshot, Was};
use crate::translate::leds;

/// A stream at one moment.
#[derive(Clone, Debug)]
pub struct Inspection {
    pub variant: Variant,
    pub(super) target: Option<Arc<Snapshot>>,
    pub(super) types: PerType<TypeInspection>,
}

/// One type of a stream at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct TypeInspection {
    pub(super) wildcard: bool,
    pub(super) names: Vec<Arc<str>>,
    /// The commit that the client was brought to.
    pub(super) commit: Option<u64>,
    /// Everything is about to be sent again.
    pub(super) resend: bool,
    /// Asked for, and not answered yet.
    pub(super) asked: BTreeSet<Arc<str>>,
    /// What waits for its ACK.
    pub(super) outstanding: Vec<(Arc<str>, u64)>,
    pub(super) rejected: BTreeMap<Arc<str>, u64>,
    pub(super) retained: Vec<Resource>,
    /// What it has from an earlier stream, and is left with.
    pub(super) doubtful: Vec<(Arc<str>, Option<u64>)>,
    pub(super) version: u64,
}

/// The state of a resource at a client, as CSDS defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// What was sent last was accepted.
    Synced,
    /// What was sent last is not answered yet.
    Stale,
    /// What was sent last was rejected.
    Error,
    /// The client asked for it, or for all, and was not sent it: it does not exist, or another response waits for its answer.
    NotSent,
}

/// A resource that a client was sent, or wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub name: Arc<str>,
    pub state: State,
    /// Of the resource, as last sent. `None`: nothing was sent, or it does not follow from the log any more.
    pub version: Option<u64>,
    /// As last sent. `None` also if it changed since: what is outdated is not kept.
    pub resource: Option<Resource>,
}

impl Inspection {
    /// The version of the type as last sent: what a state-of-the-world client sees.
    pub fn version(&self, resource_type: ResourceType) -> u64 {
        self.types[resource_type].version
    }

    /// All that the client has or wants of a type, in order of names.
    pub fn held(&self, resource_type: ResourceType) -> Vec<Held> {
        let found = &self.types[resource_type];
        let Some(target) = &self.target else {
            return found.names.iter().cloned().map(Held::not_sent).collect();
        };
        Reading::new(resource_type, found, target).all()
    }
}

impl Held {
    fn not_sent(name: Arc<str>) -> Self {
        Self { name, state: State::NotSent, version: None, resource: None }
    }
}

/// What was under a name when the client was brought up to date last.
enum Had {
    Nothing,
    Version(u64),
    Resource(Resource),
    /// That is too long ago.
    Unknown,
}

struct Reading<'a> {
    resource_type: ResourceType,
    found: &'a TypeInspection,
    target: &'a Snapshot,
    outstanding: HashMap<&'a Arc<str>, u64>,
    /// What changed since, and whether a wildcard covers it; `None`: more than the log remembers.
    changed: Option<HashMap<&'a Arc<str>, (bool, &'a Was)>>,
    retained: HashMap<&'a Arc<str>, &'a Resource>,
    doubtful: HashMap<&'a Arc<str>, Option<u64>>,
}

impl<'a> Reading<'a> {
    fn new(resource_type: ResourceType, found: &'a TypeInspection, target: &'a Snapshot) -> Self {
        let outstanding = found.outstanding.iter().map(|(name, version)| (name, *version)).collect();
        let current = target.of(resource_type);
        let changed = match found.commit {
            Some(commit) if current.changed_at() > commit => {
                // Newest first: of several changes the oldest one stays, which shows what the client has.
                let all = current.changes_since(commit);
                all.map(|all| all.map(|(star, change)| (&change.name, (star, &change.was))).collect())
            }
            _ => Some(HashMap::new()),
        };
        let retained = found.retained.iter().map(|resource| (resource.name(), resource)).collect();
        let doubtful = found.doubtful.iter().map(|(name, version)| (name, *version)).collect();
        Self { resource_type, found, target, outstanding, changed, retained, doubtful }
    }

    fn all(&self) -> Vec<Held> {
        let current = self.target.of(self.resource_type);
        let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
        for name in &self.found.names {
            match leds::glob(name).filter(|_| self.resource_type == ResourceType::Endpoint) {
                Some(begin) => names.extend(current.under(begin).map(|resource| resource.name().clone())),
                None => _ = names.insert(name.clone()),
            }
        }
        if self.found.wildcard {
            names.extend(current.iter().map(|resource| resource.name().clone()));
        }
        // What is gone, but was not removed at the client yet.
        let changed = self.changed.iter().flatten();
        let gone = changed.filter(|(name, (star, was))| {
            matches!(was, Was::There(_)) && ((self.found.wildcard && *star) || self.in_collection(name))
        });
        names.extend(gone.map(|(name, _)| (*name).clone()));
        names.extend(self.retained.keys().chain(self.doubtful.keys()).map(|name| (*name).clone()));
        names.into_iter().map(|name| self.one(name)).collect()
    }

    fn in_collection(&self, name: &str) -> bool {
        self.resource_type == ResourceType::Endpoint && {
            let collection = leds::collection_of(name);
            self.found.names.iter().any(|name| **name == *collection)
        }
    }

    fn one(&self, name: Arc<str>) -> Held {
        if self.found.commit.is_none() || self.found.asked.contains(&name) {
            return Held::not_sent(name);
        }
        if let Some(version) = self.doubtful.get(&name) {
            return Held { state: State::Synced, version: *version, resource: None, name };
        }
        let (version, resource) = match self.had(&name) {
            Had::Nothing => return Held::not_sent(name),
            Had::Unknown => return Held { name, state: State::Stale, version: None, resource: None },
            Had::Version(version) => (version, None),
            Had::Resource(resource) => (resource.version(), Some(resource)),
        };
        let state = if self.outstanding.get(&name) == Some(&version) || self.found.resend {
            State::Stale
        } else if self.found.rejected.get(&name) == Some(&version) {
            State::Error
        } else {
            State::Synced
        };
        Held { name, state, version: Some(version), resource }
    }

    fn had(&self, name: &Arc<str>) -> Had {
        let Some(changed) = &self.changed else {
            return self.outstanding.get(name).map_or(Had::Unknown, |version| Had::Version(*version));
        };
        let resource = match changed.get(name) {
            Some((_, Was::Version(version))) => return Had::Version(*version),
            Some((_, Was::There(resource))) => Some(resource.clone()),
            Some((_, Was::Nothing)) => None,
            // Where nothing may be missing, a placeholder replaces what is gone, but not before that is removed.
            None if self.retained.contains_key(name) => None,
            None => self.target.find(self.resource_type, name),
        };
        let resource = resource.or_else(|| self.retained.get(name).copied().cloned());
        resource.map_or(Had::Nothing, Had::Resource)
    }
}

#[cfg(test)]
mod tests;
