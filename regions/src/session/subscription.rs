//! What a client wants of one type.

use std::sync::Arc;

use super::aliases::Aliases;
use super::names::Names;
use crate::interest::Interest;
use crate::resource::ResourceType;
use crate::snapshot::TypeSnapshot;
use crate::translate::leds;

/// Names that one stream may want of one type. Each costs the stream about 30 bytes.
pub const MAX_NAMES: usize = 200_000;
/// The names of virtual hosts come from requests to a proxy, so their number has no bound. With more than this, and more than twice
/// those that are there, the others are forgotten once they were answered: Envoy asks again at the next such request.
pub const MAX_HOSTS: usize = 10_000;
/// Longest name, in bytes. Those that Isthmus makes have at most 160.
pub const MAX_NAME_LEN: usize = 1_024;
/// Bytes of all names of a stream together that are not those of resources: the others are shared with the catalog.
pub const MAX_NAME_BYTES: usize = 16 << 20;
/// The name that means the complete list.
const WILDCARD: &str = "*";

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    #[error("more than {MAX_NAMES} names of type {resource_type} are subscribed to; expected at most that many on a stream", resource_type = .0.label())]
    TooManyNames(ResourceType),
    #[error("a resource name has {found} bytes; expected at most {MAX_NAME_LEN}")]
    NameTooLong { found: usize },
    #[error(
        "the names on a stream of which nothing is known here have more than {MAX_NAME_BYTES} bytes; expected at most that many"
    )]
    TooManyBytes,
}

#[derive(Debug)]
pub(super) struct Subscription {
    resource_type: ResourceType,
    /// Gets every name that is subscribed to, so that the catalog knows which streams a change concerns.
    interest: Arc<Interest>,
    opened: bool,
    wildcard: bool,
    /// Once any name was given, an empty list no longer means everything.
    named: bool,
    names: Names,
    aliases: Aliases,
    /// With more names than this, see [`MAX_HOSTS`].
    forget_at: usize,
}

/// What a request changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// Names to be answered: new ones, and in delta also those named again.
    pub(super) asked: Vec<Arc<str>>,
    /// Everything is wanted now, and was not before.
    pub(super) all: bool,
    /// Less is wanted than before.
    pub(super) less: bool,
}

impl Subscription {
    pub(super) fn new(resource_type: ResourceType, interest: Arc<Interest>) -> Self {
        let forget_at = if resource_type == ResourceType::VirtualHost { MAX_HOSTS } else { usize::MAX };
        Self {
            resource_type,
            interest,
            opened: false,
            wildcard: false,
            named: false,
            names: Names::default(),
            aliases: Aliases::default(),
            forget_at,
        }
    }

    /// Whether the client ever sent a request of this type.
    pub(super) fn is_open(&self) -> bool {
        self.opened
    }

    pub(super) fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// `star`: a wildcard covers the name.
    pub(super) fn wants(&self, name: &str, star: bool) -> bool {
        (self.wildcard && star) || self.names.contains(name) || self.wants_collection_of(name)
    }

    /// Endpoints are subscribed to by collection (xDS protocol, "glob collections").
    fn wants_collection_of(&self, name: &str) -> bool {
        self.resource_type == ResourceType::Endpoint && self.names.contains(&leds::collection_of(name))
    }

    /// Bytes of names that are not those of resources. Costs a look at each name.
    pub(super) fn foreign_bytes(&self, current: &TypeSnapshot) -> usize {
        self.names.iter().filter(|name| current.get(name).is_none()).map(|name| name.len()).sum()
    }

    /// Names given one by one, in order.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Names under which the client wants this, its own excepted.
    pub(super) fn aliases_of(&self, origin: &str) -> impl Iterator<Item = &Arc<str>> {
        self.aliases.of(origin)
    }

    /// State of the world: `names` is everything that is wanted. No names mean everything, if that is possible for the type
    /// and no name was ever given before (the legacy form of the wildcard).
    pub(super) fn set(
        &mut self,
        names: Vec<String>,
        current: Option<&TypeSnapshot>,
    ) -> Result<Changed, SubscriptionError> {
        self.opened = true;
        self.named |= !names.is_empty();
        let may_be_all = self.resource_type.allows_wildcard();
        let wildcard = may_be_all && (!self.named || names.iter().any(|name| name == WILDCARD));
        let names = names.into_iter().filter(|name| name != WILDCARD);
        let names = names.map(|name| intern(&name, current)).collect::<Result<Names, _>>()?;
        if names.len() > MAX_NAMES {
            return Err(SubscriptionError::TooManyNames(self.resource_type));
        }
        let changed = Changed {
            asked: names.difference(&self.names).cloned().collect(),
            all: wildcard && !self.wildcard,
            less: (self.wildcard && !wildcard) || self.names.difference(&names).next().is_some(),
        };
        self.wildcard = wildcard;
        for name in self.names.difference(&names) {
            self.aliases.remove(self.resource_type, name);
        }
        self.names = names;
        self.note_interest(&changed);
        Ok(changed)
    }

    /// Delta: some names are added, some removed. A first request without names means everything, if that is possible.
    pub(super) fn change(
        &mut self,
        subscribe: Vec<String>,
        unsubscribe: Vec<String>,
        current: Option<&TypeSnapshot>,
    ) -> Result<Changed, SubscriptionError> {
        let may_be_all = self.resource_type.allows_wildcard();
        let legacy = !self.opened && subscribe.is_empty() && may_be_all;
        self.opened = true;
        let was_wildcard = self.wildcard;
        let mut changed = Changed::default();
        if unsubscribe.iter().any(|name| name == WILDCARD) {
            changed.less |= self.wildcard;
            self.wildcard = false;
        }
        let taken = self.names.take(unsubscribe.iter().map(|name| &**name));
        changed.less |= !taken.is_empty();
        for name in taken {
            self.aliases.remove(self.resource_type, &name);
            // The wildcard still covers it, so it is answered: with the resource, or with its removal.
            if self.wildcard {
                changed.asked.push(name);
            }
        }
        let left = changed.asked.len();
        for name in subscribe {
            if name != WILDCARD {
                changed.asked.push(intern(&name, current)?);
            } else if may_be_all {
                self.wildcard = true;
                changed.all = true;
            }
        }
        self.names.extend(changed.asked.get(left..).unwrap_or_default());
        self.wildcard |= legacy;
        changed.all |= self.wildcard && !was_wildcard;
        if self.names.len() > self.forget_at {
            self.forget(&changed.asked, current);
        }
        if self.names.len() > MAX_NAMES {
            return Err(SubscriptionError::TooManyNames(self.resource_type));
        }
        self.note_interest(&changed);
        Ok(changed)
    }

    /// Forgets names that do not exist, except those that were asked for just now, unless these are too many.
    fn forget(&mut self, asked: &[Arc<str>], current: Option<&TypeSnapshot>) {
        let Some(current) = current else { return };
        let asked: Names = asked.iter().filter(|_| self.names.len() <= MAX_NAMES).cloned().collect();
        let (resource_type, aliases) = (self.resource_type, &mut self.aliases);
        self.names.retain(|name| {
            let kept = asked.contains(name) || current.kept(resource_type, name).is_some();
            if !kept {
                aliases.remove(resource_type, name);
            }
            kept
        });
        self.forget_at = MAX_HOSTS.max(2 * self.names.len());
    }

    fn note_interest(&mut self, changed: &Changed) {
        self.interest.set_star(self.resource_type, self.wildcard);
        for name in &changed.asked {
            self.interest.add(self.resource_type, name);
            if self.names.contains(name)
                && let Some(origin) = self.aliases.add(self.resource_type, name)
            {
                self.interest.add(self.resource_type, &origin);
            }
        }
    }
}

/// The snapshot's own copy of the name, if it has it: ten thousand streams that want it then share one.
fn intern(name: &str, current: Option<&TypeSnapshot>) -> Result<Arc<str>, SubscriptionError> {
    if name.len() > MAX_NAME_LEN {
        return Err(SubscriptionError::NameTooLong { found: name.len() });
    }
    let known = current.and_then(|current| current.get(name)).map(|resource| resource.name().clone());
    Ok(known.unwrap_or_else(|| Arc::from(name)))
}
