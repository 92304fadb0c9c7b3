//! What stands on which shelf, and which shelves a class of clients takes its resources from.

use std::net::IpAddr;

use federation::model::{ClusterId, Families};
use federation::view::ClientClass;

use super::world::World;
use crate::class::{Class, EnvoyProfile, Interception, Profile};
use crate::resource::{PerType, ResourceType};
use crate::snapshot::Computed;

/// Everything that the resources of a shelf depend on, the world excepted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Label {
    /// The clusters that every Envoy has.
    BuiltIn,
    /// These, and those of all services.
    Clusters,
    /// Clusters of one member's VIPs, for who asks for them by address.
    VipClusters(ClusterId),
    Loads {
        client: ClientClass,
        dialect: Dialect,
    },
    /// Load assignments of names that the member keeps for itself, for its own clients: they lead to its own Services,
    /// whatever others export under these names. Nearly always empty.
    KeptLoads {
        member: ClusterId,
        dialect: Dialect,
    },
    /// Endpoints one by one, for clients with these address families.
    Endpoints {
        families: Option<Families>,
    },
    EgressListener {
        listen: IpAddr,
        on_demand: bool,
        vhds: bool,
        /// With what it takes not to break a pod that is intercepted after all.
        passthrough: bool,
    },
    /// Everything passes through: for sidecars whose cluster is no admitted member.
    Passthrough {
        listen: IpAddr,
        on_demand: bool,
    },
    VipListeners {
        member: ClusterId,
        listen: IpAddr,
        on_demand: bool,
    },
    EgressScopes,
    Routes,
    /// The table of the plain port, whose virtual hosts are fetched one by one.
    EgressTable,
    /// What such a client is told before it asks for any.
    NoHosts,
    /// Virtual hosts of all services.
    EgressHosts,
    GrpcListeners,
    GrpcClusters,
}

/// How load assignments are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dialect {
    Envoy,
    /// For an Envoy that fetches endpoints one by one.
    Leds,
    Grpc,
}

/// Where one type of a class's resources comes from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Sources {
    /// What hides others of the same name.
    pub(super) over: Option<Label>,
    /// What a wildcard covers.
    pub(super) star: Option<Label>,
    /// What is there for who names it.
    pub(super) named: Vec<Label>,
}

impl Sources {
    fn star(label: Label) -> Self {
        Self { star: Some(label), ..Self::default() }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Label> {
        self.over.iter().chain(&self.star).chain(&self.named)
    }
}

impl Label {
    pub(super) fn resource_type(&self) -> ResourceType {
        match self {
            Self::BuiltIn | Self::Clusters | Self::VipClusters(_) | Self::GrpcClusters => ResourceType::Cluster,
            Self::Loads { .. } | Self::KeptLoads { .. } => ResourceType::Assignment,
            Self::Endpoints { .. } => ResourceType::Endpoint,
            Self::EgressListener { .. }
            | Self::Passthrough { .. }
            | Self::VipListeners { .. }
            | Self::GrpcListeners => ResourceType::Listener,
            Self::EgressScopes => ResourceType::Scope,
            Self::Routes | Self::EgressTable => ResourceType::Route,
            Self::NoHosts | Self::EgressHosts => ResourceType::VirtualHost,
        }
    }

    /// The member whose VIPs it depends on.
    pub(super) fn member(&self) -> Option<&ClusterId> {
        match self {
            Self::VipClusters(member) | Self::VipListeners { member, .. } | Self::KeptLoads { member, .. } => {
                Some(member)
            }
            _ => None,
        }
    }
}

/// Where the clients of a class stand in the federation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// In an admitted member, or served by locality alone.
    Inside,
    /// In a member that has to be known and is not, so that it was not admitted yet.
    Undecided,
    /// In a cluster that is no admitted member: its virtual IPs are nobody's here, and addresses of the federation's pods
    /// may belong to other workloads where these clients are.
    Outside,
}

impl Standing {
    pub(super) fn of(class: &Class, world: &World) -> Self {
        let redirected =
            matches!(class.profile, Profile::Envoy(EnvoyProfile { interception: Interception::Redirect, .. }));
        match &class.client.cluster {
            Some(member) if world.topology.members.contains_key(member) => Self::Inside,
            Some(member) if world.unknown.contains(member) => Self::Undecided,
            Some(_) => Self::Outside,
            None if redirected => Self::Outside,
            None => Self::Inside,
        }
    }
}

/// Where each type of a class's resources comes from.
pub(super) fn sources(class: &Class, world: &World) -> PerType<Sources> {
    match Standing::of(class, world) {
        Standing::Inside => federated(class, world),
        Standing::Outside => unfederated(class),
        Standing::Undecided => {
            // What such a client has from before the restart goes on following the members that are known.
            let named = |sources: &Sources| Sources {
                star: None,
                named: sources.star.iter().cloned().collect(),
                over: sources.over.clone(),
            };
            let (mut sources, federated) = (unfederated(class), federated(class, world));
            for t in [ResourceType::Assignment, ResourceType::Endpoint] {
                sources[t] = named(&federated[t]);
            }
            sources
        }
    }
}

/// What clients get whose cluster is no admitted member: their traffic goes where it would go without a proxy.
fn unfederated(class: &Class) -> PerType<Sources> {
    let mut sources = PerType::<Sources>::default();
    let Profile::Envoy(EnvoyProfile { listen, interception, on_demand, vhds, .. }) = &class.profile else {
        return sources;
    };
    let (listen, on_demand, vhds) = (*listen, *on_demand, *vhds);
    sources[ResourceType::Cluster].star = Some(Label::BuiltIn);
    sources[ResourceType::Listener].star = Some(match interception {
        Interception::Redirect => Label::Passthrough { listen, on_demand },
        Interception::None | Interception::Unsaid => {
            let passthrough = *interception == Interception::Unsaid;
            Label::EgressListener { listen, on_demand, vhds, passthrough }
        }
    });
    if vhds {
        sources[ResourceType::Route].named.push(Label::EgressTable);
        sources[ResourceType::VirtualHost].star = Some(Label::NoHosts);
    }
    sources
}

fn federated(class: &Class, world: &World) -> PerType<Sources> {
    let mut sources = PerType::<Sources>::default();
    sources[ResourceType::Route].star = Some(Label::Routes);
    let dialect = match &class.profile {
        Profile::Grpc => {
            sources[ResourceType::Cluster].star = Some(Label::GrpcClusters);
            sources[ResourceType::Listener].star = Some(Label::GrpcListeners);
            Dialect::Grpc
        }
        Profile::Envoy(profile) => {
            envoy(class, profile, &mut sources);
            if profile.leds {
                let families = client(class, world).families;
                sources[ResourceType::Endpoint].star = Some(Label::Endpoints { families });
            }
            if profile.leds { Dialect::Leds } else { Dialect::Envoy }
        }
    };
    let kept = class.client.cluster.clone().map(|member| Label::KeptLoads { member, dialect });
    let shared = Label::Loads { client: client(class, world), dialect };
    sources[ResourceType::Assignment] = Sources { over: kept, ..Sources::star(shared) };
    sources
}

/// All that an Envoy gets but endpoints.
fn envoy(class: &Class, profile: &EnvoyProfile, sources: &mut PerType<Sources>) {
    let EnvoyProfile { listen, interception, on_demand, vhds, .. } = *profile;
    let member = class.client.cluster.clone().filter(|_| interception == Interception::Redirect);
    sources[ResourceType::Cluster] = if on_demand {
        let vips = member.clone().map(Label::VipClusters);
        let named = std::iter::once(Label::Clusters).chain(vips).collect();
        Sources { named, ..Sources::star(Label::BuiltIn) }
    } else {
        Sources::star(Label::Clusters)
    };
    sources[ResourceType::Listener].star = Some(match member {
        Some(member) => Label::VipListeners { member, listen, on_demand },
        None => {
            if !vhds {
                sources[ResourceType::Scope].star = Some(Label::EgressScopes);
            }
            let passthrough = interception == Interception::Unsaid;
            Label::EgressListener { listen, on_demand, vhds, passthrough }
        }
    });
    if vhds {
        sources[ResourceType::Route].named.push(Label::EgressTable);
        let hosts = Sources { named: vec![Label::EgressHosts], ..Sources::star(Label::NoHosts) };
        sources[ResourceType::VirtualHost] = hosts;
    }
}

/// What is made up for clients of a class when they name something that stands on no shelf.
pub(super) fn computed(class: &Class) -> Computed {
    match &class.profile {
        Profile::Grpc => Computed { grpc_listeners: true, ..Computed::default() },
        Profile::Envoy(EnvoyProfile { on_demand, vhds, .. }) => {
            Computed { clusters: *on_demand, virtual_hosts: *vhds, ..Computed::default() }
        }
    }
}

/// As whom these clients are ranked: without what makes no difference to them, so that more of them share the result.
fn client(class: &Class, world: &World) -> ClientClass {
    let place = class.client.cluster.as_ref().and_then(|member| world.topology.members.get(member));
    let mut client = class.client.clone();
    if let (false, Some(place)) = (class.network_named, place) {
        client.network = place.network.clone();
    }
    client.families = place.and_then(|place| place.families);
    world.merge_unknown_places(&mut client);
    if !world.ranks_by_cluster() {
        client.cluster = None;
    }
    client
}
