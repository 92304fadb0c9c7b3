//! What stands on which shelf, and which shelves a class of clients takes its resources from.

use std::net::IpAddr;

use federation::model::{ClusterId, Families};
use federation::view::ClientClass;

use super::world::World;
use crate::class::{Class, EnvoyProfile, Interception, Profile};
use crate::resource::{ResourceType, TYPES};
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

/// The shelves of a class, by [`ResourceType::index`].
pub(super) fn sources(class: &Class, world: &World) -> [Sources; TYPES] {
    match Standing::of(class, world) {
        Standing::Inside => federated(class, world),
        Standing::Outside => unfederated(class),
        Standing::Undecided => {
            // What such a client has from before the restart goes on following the members that are known.
            let [clusters, _, _, listeners, scopes, routes, hosts] = unfederated(class);
            let [_, loads, endpoints, ..] = federated(class, world);
            let named = |sources: Sources| Sources {
                star: None,
                named: sources.star.into_iter().collect(),
                over: sources.over,
            };
            [clusters, named(loads), named(endpoints), listeners, scopes, routes, hosts]
        }
    }
}

/// What clients get whose cluster is no admitted member: their traffic goes where it would go without a proxy.
fn unfederated(class: &Class) -> [Sources; TYPES] {
    let nothing = || Default::default();
    let Profile::Envoy(EnvoyProfile { listen, interception, on_demand, vhds, .. }) = &class.profile else {
        return nothing();
    };
    let (listen, on_demand, vhds) = (*listen, *on_demand, *vhds);
    let listeners = match interception {
        Interception::Redirect => Label::Passthrough { listen, on_demand },
        Interception::None | Interception::Unsaid => {
            let passthrough = *interception == Interception::Unsaid;
            Label::EgressListener { listen, on_demand, vhds, passthrough }
        }
    };
    let [_, loads, endpoints, _, scopes, mut routes, mut hosts]: [Sources; TYPES] = nothing();
    if vhds {
        routes.named.push(Label::EgressTable);
        hosts.star = Some(Label::NoHosts);
    }
    [Sources::star(Label::BuiltIn), loads, endpoints, Sources::star(listeners), scopes, routes, hosts]
}

fn federated(class: &Class, world: &World) -> [Sources; TYPES] {
    let loads = |dialect| Sources {
        over: class.client.cluster.clone().map(|member| Label::KeptLoads { member, dialect }),
        ..Sources::star(Label::Loads { client: client(class, world), dialect })
    };
    match &class.profile {
        Profile::Grpc => [
            Sources::star(Label::GrpcClusters),
            loads(Dialect::Grpc),
            Sources::default(),
            Sources::star(Label::GrpcListeners),
            Sources::default(),
            Sources::star(Label::Routes),
            Sources::default(),
        ],
        Profile::Envoy(EnvoyProfile { listen, interception, on_demand, leds, vhds }) => {
            let (listen, on_demand, vhds) = (*listen, *on_demand, *vhds);
            let member = class.client.cluster.clone().filter(|_| *interception == Interception::Redirect);
            let clusters = if on_demand {
                let vips = member.clone().map(Label::VipClusters);
                let named = std::iter::once(Label::Clusters).chain(vips).collect();
                Sources { named, ..Sources::star(Label::BuiltIn) }
            } else {
                Sources::star(Label::Clusters)
            };
            let (listeners, scopes) = match member {
                Some(member) => (Label::VipListeners { member, listen, on_demand }, None),
                None => {
                    let passthrough = *interception == Interception::Unsaid;
                    let listeners = Label::EgressListener { listen, on_demand, vhds, passthrough };
                    (listeners, (!vhds).then_some(Label::EgressScopes))
                }
            };
            let scopes = scopes.map_or_else(Sources::default, Sources::star);
            let (loads, endpoints) = if *leds {
                let families = client(class, world).families;
                (loads(Dialect::Leds), Sources::star(Label::Endpoints { families }))
            } else {
                (loads(Dialect::Envoy), Sources::default())
            };
            let mut routes = Sources::star(Label::Routes);
            let mut hosts = Sources::default();
            if vhds {
                routes.named.push(Label::EgressTable);
                hosts = Sources { named: vec![Label::EgressHosts], ..Sources::star(Label::NoHosts) };
            }
            [clusters, loads, endpoints, Sources::star(listeners), scopes, routes, hosts]
        }
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
