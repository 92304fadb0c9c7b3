//! Which recipes a class of clients takes its resources from.

use federation::ranking::ClientClass;

use super::facts::Facts;
use super::recipes::{
    AnyRecipe, BuiltInClusters, Clusters, EgressHosts, EgressListener, EgressScopes, EgressTable, Encoding, Endpoints,
    GrpcClusters, GrpcListeners, KeptNames, LoadAssignments, NoHosts, OnDemandListeners, PassthroughListeners, Routes,
    VipClusters, VipListeners,
};
use crate::class::{Class, EnvoyProfile, Interception, Profile};
use crate::resource::{PerType, ResourceType};
use crate::snapshot::Computed;

/// Where one type of a class's resources comes from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Sources {
    /// What hides others of the same name.
    pub(super) over: Option<AnyRecipe>,
    /// What a wildcard covers.
    pub(super) star: Option<AnyRecipe>,
    /// What a client gets only if it asks for it by name.
    pub(super) named: Vec<AnyRecipe>,
}

impl Sources {
    pub(super) fn all(&self) -> impl Iterator<Item = &AnyRecipe> {
        self.over.iter().chain(&self.star).chain(&self.named)
    }
}

/// The sources of all types, put together recipe by recipe.
#[derive(Default)]
struct Audience(PerType<Sources>);

impl Audience {
    fn star(&mut self, recipe: impl Into<AnyRecipe>) {
        let (sources, recipe) = self.of(recipe);
        sources.star = Some(recipe);
    }

    fn named(&mut self, recipe: impl Into<AnyRecipe>) {
        let (sources, recipe) = self.of(recipe);
        sources.named.push(recipe);
    }

    fn over(&mut self, recipe: impl Into<AnyRecipe>) {
        let (sources, recipe) = self.of(recipe);
        sources.over = Some(recipe);
    }

    fn of(&mut self, recipe: impl Into<AnyRecipe>) -> (&mut Sources, AnyRecipe) {
        let recipe = recipe.into();
        (&mut self.0[recipe.resource_type()], recipe)
    }
}

/// Whether the clients of a class are in the federation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    /// In an admitted member, or served by locality alone.
    Inside,
    /// In a member that has to be known and is not, so that it was not admitted yet.
    Undecided,
    /// In a cluster that is no admitted member: its virtual IPs mean nothing here, and addresses of the federation's pods
    /// may belong to other workloads where these clients are.
    Outside,
}

impl Membership {
    pub(super) fn of(class: &Class, facts: &Facts) -> Self {
        let redirected =
            matches!(class.profile, Profile::Envoy(EnvoyProfile { interception: Interception::Redirect, .. }));
        match &class.client.cluster {
            Some(member) if facts.topology.members.contains_key(member) => Self::Inside,
            Some(member) if facts.unknown.contains(member) => Self::Undecided,
            Some(_) => Self::Outside,
            None if redirected => Self::Outside,
            None => Self::Inside,
        }
    }
}

/// Where each type of a class's resources comes from.
pub(super) fn sources(class: &Class, facts: &Facts) -> PerType<Sources> {
    match Membership::of(class, facts) {
        Membership::Inside => federated(class, facts).0,
        Membership::Outside => unfederated(class).0,
        Membership::Undecided => {
            // What such a client has from before the restart goes on following the members that are known.
            let (Audience(mut sources), Audience(mut federated)) = (unfederated(class), federated(class, facts));
            for t in [ResourceType::Assignment, ResourceType::Endpoint] {
                let Sources { over, star, .. } = std::mem::take(&mut federated[t]);
                sources[t] = Sources { over, star: None, named: star.into_iter().collect() };
            }
            sources
        }
    }
}

/// What clients get whose cluster is no admitted member: their traffic goes where it would go without a proxy.
fn unfederated(class: &Class) -> Audience {
    let mut audience = Audience::default();
    let Profile::Envoy(EnvoyProfile { listen, interception, on_demand, vhds, .. }) = class.profile else {
        return audience;
    };
    audience.star(BuiltInClusters);
    if interception == Interception::Redirect {
        audience.star(PassthroughListeners { listen, on_demand });
    } else {
        let passthrough = interception == Interception::Unset;
        audience.star(EgressListener { listen, on_demand, vhds, passthrough });
    }
    if vhds {
        audience.named(EgressTable);
        audience.star(NoHosts);
    }
    audience
}

fn federated(class: &Class, facts: &Facts) -> Audience {
    let mut audience = Audience::default();
    audience.star(Routes);
    let encoding = match &class.profile {
        Profile::Grpc => {
            audience.star(GrpcClusters);
            audience.star(GrpcListeners);
            Encoding::Grpc
        }
        Profile::Envoy(profile) => {
            envoy(class, profile, &mut audience);
            if profile.leds { Encoding::Leds } else { Encoding::Envoy }
        }
    };
    let client = client(class, facts);
    if encoding == Encoding::Leds {
        audience.star(Endpoints { families: client.families });
    }
    if let Some(member) = class.client.cluster.clone() {
        audience.over(KeptNames { member, encoding });
    }
    audience.star(LoadAssignments { client, encoding });
    audience
}

/// What an Envoy gets, except endpoints.
fn envoy(class: &Class, profile: &EnvoyProfile, audience: &mut Audience) {
    let EnvoyProfile { listen, interception, on_demand, vhds, .. } = *profile;
    let member = class.client.cluster.clone().filter(|_| interception == Interception::Redirect);
    if on_demand {
        audience.star(BuiltInClusters);
        audience.named(Clusters);
    } else {
        audience.star(Clusters);
    }
    match member {
        Some(member) if on_demand => {
            audience.named(VipClusters { member: member.clone() });
            audience.star(OnDemandListeners { member, listen });
        }
        Some(member) => audience.star(VipListeners { member, listen }),
        None => {
            if !vhds {
                audience.star(EgressScopes);
            }
            let passthrough = interception == Interception::Unset;
            audience.star(EgressListener { listen, on_demand, vhds, passthrough });
        }
    }
    if vhds {
        audience.named(EgressTable);
        audience.star(NoHosts);
        audience.named(EgressHosts);
    }
}

/// What is made for clients of a class when they name something that no recipe makes.
pub(super) fn computed(class: &Class) -> Computed {
    match &class.profile {
        Profile::Grpc => Computed { grpc_listeners: true, ..Computed::default() },
        Profile::Envoy(EnvoyProfile { on_demand, vhds, .. }) => {
            Computed { clusters: *on_demand, virtual_hosts: *vhds, ..Computed::default() }
        }
    }
}

/// As whom these clients are ranked: without what makes no difference to them, so that more of them share the result.
fn client(class: &Class, facts: &Facts) -> ClientClass {
    let place = class.client.cluster.as_ref().and_then(|member| facts.topology.members.get(member));
    let mut client = class.client.clone();
    if let (false, Some(place)) = (class.network_named, place) {
        client.network = place.network.clone();
    }
    client.families = place.and_then(|place| place.families);
    facts.merge_empty_locations(&mut client);
    if !facts.ranks_by_cluster() {
        client.cluster = None;
    }
    client
}
