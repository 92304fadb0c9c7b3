//! How each family of resources is made: one file a family.
//!
//! A recipe is a value. Its fields are what audiences differ in (a member, an address to listen on, a way of encoding), so two
//! classes of clients that must be sent the same bytes have equal recipes, and equal recipes share a shelf. What one group
//! of resources belongs to is the recipe's *key*; what depends on a key is made again when the facts of that key change.
//!
//! | resources that belong to | key | field of the recipe | touched by |
//! | --- | --- | --- | --- |
//! | a service | `ServiceKey` | – | [`Changes::shapes`], or [`Changes::services`] if endpoints matter |
//! | a service's addresses in a member (VIPs) | `ServiceKey`, one resource for each VIP | the member | the same, and [`Changes::vips`] of the member |
//! | an address of a member without a service | `IpAddr` | the member | a set of addresses by member in [`Changes`] |
//! | a rule or a gateway | its namespace and name | the gateway, if only its proxies get them | a set of such keys in [`Changes`] |
//! | one client (identity secrets) | `()` | the client's identity; replicas of one workload share it | a set of identities in [`Changes`] |
//!
//! The last three have no recipe yet: each takes a table in [`Facts`], a set in [`Changes`], and a file here.
//!
//! # Adding a family
//! A file with a struct that implements [`KeyedRecipe`] ([`ShapeRecipe`], if it depends on nothing but services' shapes;
//! [`Recipe`], if its resources do not follow from one key at a
//! time), its line in the list at the end of this file, and in `audience.rs` the classes that get it.

mod clusters;
mod endpoints;
mod grpc;
mod interception;
mod kept_names;
mod listeners;
mod load_assignments;
mod on_demand_listeners;
mod routes;
mod scopes;
mod vip_listeners;
mod virtual_hosts;

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use federation::model::ServiceKey;

use super::facts::{Changes, Facts};
use super::output::Output;
use crate::resource::{Resource, ResourceType};

pub(super) use clusters::{BuiltInClusters, Clusters, VipClusters};
pub(super) use endpoints::Endpoints;
pub(super) use grpc::{GrpcClusters, GrpcListeners};
pub(super) use interception::PassthroughListeners;
pub(super) use kept_names::KeptNames;
pub(super) use listeners::EgressListener;
pub(super) use load_assignments::{Encoding, LoadAssignments};
pub(super) use on_demand_listeners::OnDemandListeners;
pub(super) use routes::{EgressTable, Routes};
pub(super) use scopes::EgressScopes;
pub(super) use vip_listeners::VipListeners;
pub(super) use virtual_hosts::{EgressHosts, NoHosts};

/// A family of resources for one audience.
pub(super) trait Recipe: Clone + Debug + Ord {
    const TYPE: ResourceType;

    /// What makes the resources of a new shelf, and keeps them current.
    fn start(&self) -> Box<dyn Maker>;
}

/// Makes the resources of one shelf.
pub(super) trait Maker: Send {
    /// Makes all resources. Called once, before any [`Maker::update`].
    fn fill(&mut self, facts: &Facts, output: &mut Output<'_>);

    /// Makes the resources that these changes touch. `facts` are those after the changes.
    fn update(&mut self, changes: &Changes, facts: &Facts, output: &mut Output<'_>);
}

/// A recipe whose resources follow from the facts of one key at a time.
pub(super) trait KeyedRecipe: Clone + Debug + Ord + Send + 'static {
    const TYPE: ResourceType;
    /// What a group of resources belongs to.
    type Key: Clone + Eq + Hash + Send;

    /// Resources that belong to no key.
    fn constants(&self) -> Vec<Resource> {
        Vec::new()
    }

    /// All keys.
    fn keys<'a>(&self, facts: &'a Facts) -> Vec<&'a Self::Key>;

    /// Keys whose resources may differ after these changes, each once.
    fn touched<'a>(&self, changes: &'a Changes, facts: &'a Facts) -> Vec<&'a Self::Key>;

    /// The resources of a key; none if it has none (any more).
    fn make(&self, key: &Self::Key, facts: &Facts) -> Vec<Resource>;
}

/// A recipe whose resources follow from the shape of one service at a time.
pub(super) trait ShapeRecipe: Clone + Debug + Ord + Send + 'static {
    const TYPE: ResourceType;

    /// The resources of a service; none if it has none (any more).
    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource>;
}

impl<R: ShapeRecipe> KeyedRecipe for R {
    const TYPE: ResourceType = R::TYPE;
    type Key = ServiceKey;

    fn keys<'a>(&self, facts: &'a Facts) -> Vec<&'a ServiceKey> {
        facts.services.keys().collect()
    }

    fn touched<'a>(&self, changes: &'a Changes, _: &'a Facts) -> Vec<&'a ServiceKey> {
        changes.shapes.iter().collect()
    }

    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        ShapeRecipe::make(self, key, facts)
    }
}

impl<R: KeyedRecipe> Recipe for R {
    const TYPE: ResourceType = R::TYPE;

    fn start(&self) -> Box<dyn Maker> {
        Box::new(Keyed::new(self.clone()))
    }
}

/// Keeps the resources of a [`KeyedRecipe`] current.
struct Keyed<R: KeyedRecipe> {
    recipe: R,
    /// The names of each key's resources.
    names: HashMap<R::Key, Vec<Arc<str>>>,
}

impl<R: KeyedRecipe> Keyed<R> {
    fn new(recipe: R) -> Self {
        Self { recipe, names: HashMap::new() }
    }

    fn renew(&mut self, keys: &[&R::Key], facts: &Facts, output: &mut Output<'_>) {
        let mut given_up = Vec::new();
        for key in keys.iter().copied() {
            output.count_key();
            let resources = self.recipe.make(key, facts);
            let names: Vec<Arc<str>> = resources.iter().map(|resource| resource.name().clone()).collect();
            resources.into_iter().for_each(|resource| output.put(resource));
            let old = match names.is_empty() {
                true => self.names.remove(key),
                false if self.names.get(key) == Some(&names) => None,
                false => self.names.insert(key.clone(), names.clone()),
            };
            given_up.extend(old.into_iter().flatten().filter(|name| !names.contains(name)));
        }
        if given_up.is_empty() {
            return;
        }
        // A VIP that moves is a name that one service gives up and another takes.
        let taken: HashSet<&Arc<str>> = keys.iter().filter_map(|key| self.names.get(*key)).flatten().collect();
        for name in given_up.iter().filter(|name| !taken.contains(*name)) {
            output.remove(name);
        }
    }
}

impl<R: KeyedRecipe> Maker for Keyed<R> {
    fn fill(&mut self, facts: &Facts, output: &mut Output<'_>) {
        self.recipe.constants().into_iter().for_each(|resource| output.put(resource));
        self.renew(&self.recipe.keys(facts), facts, output);
    }

    fn update(&mut self, changes: &Changes, facts: &Facts, output: &mut Output<'_>) {
        self.renew(&self.recipe.touched(changes, facts), facts, output);
    }
}

/// Resources that follow from the recipe alone.
struct Constant(Vec<Resource>);

impl Maker for Constant {
    fn fill(&mut self, _: &Facts, output: &mut Output<'_>) {
        self.0.drain(..).for_each(|resource| output.put(resource));
    }

    fn update(&mut self, _: &Changes, _: &Facts, _: &mut Output<'_>) {}
}

/// Declares [`AnyRecipe`], and how a recipe becomes one.
macro_rules! recipes {
    ($($name:ident,)+) => {
        /// Any of the recipes: what is on a shelf, and for whom.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum AnyRecipe {
            $($name($name),)+
        }

        impl AnyRecipe {
            pub(super) fn resource_type(&self) -> ResourceType {
                match self {
                    $(Self::$name(_) => <$name as Recipe>::TYPE,)+
                }
            }

            /// See [`Recipe::start`].
            pub(super) fn start(&self) -> Box<dyn Maker> {
                match self {
                    $(Self::$name(recipe) => recipe.start(),)+
                }
            }
        }

        $(impl From<$name> for AnyRecipe {
            fn from(recipe: $name) -> Self {
                Self::$name(recipe)
            }
        })+
    };
}

recipes! {
    BuiltInClusters,
    Clusters,
    VipClusters,
    GrpcClusters,
    LoadAssignments,
    KeptNames,
    Endpoints,
    EgressListener,
    PassthroughListeners,
    VipListeners,
    OnDemandListeners,
    GrpcListeners,
    EgressScopes,
    Routes,
    EgressTable,
    NoHosts,
    EgressHosts,
}
