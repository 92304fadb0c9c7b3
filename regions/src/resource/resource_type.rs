//! The one list of resource types. Every simple property that differs from type to type is set here.
//!
//! # Adding a resource type
//! 1. **A line in the list below.** Its place in the list is its place in the order of responses.
//! 2. **A file in `catalog/recipes/`**, which makes the resources from the facts, and its line in `catalog/recipes.rs`.
//! 3. **A line in `catalog/audience.rs`**: which classes of clients get it, under a wildcard or by name.
//! 4. **`docs/`**: the type's label in `docs/commands.md` (a test compares it with this list).
//!
//! Metrics, pages, `isthmus proxy`, CSDS, per-type gRPC services, sessions and their order follow from these. To show the new
//! messages as JSON, write the checked-in descriptors again:
//! `ISTHMUS_WRITE_DESCRIPTORS=1 cargo test -p regions --lib json`.

/// Declares [`ResourceType`] with its properties, in dependency order.
macro_rules! resource_types {
    ($($(#[$doc:meta])* $variant:ident => $properties:expr;)+) => {
        /// The types that Isthmus serves, in the order in which one change must reach a client: nothing may be referred to
        /// before it was sent (xDS protocol, "Eventual consistency considerations").
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ResourceType {
            $($(#[$doc])* $variant,)+
        }

        impl ResourceType {
            /// All types, in dependency order.
            pub const ALL: [Self; [$(Self::$variant),+].len()] = [$(Self::$variant),+];

            const fn properties(self) -> &'static Properties {
                match self {
                    $(Self::$variant => const { &$properties },)+
                }
            }
        }
    };
}

/// What is to be known of a type.
struct Properties {
    /// The short name that operators know; a metric label.
    label: &'static str,
    url: &'static str,
    /// The gRPC methods of the service of this type alone, state of the world and incremental, without `/envoy.service.`.
    methods: [Option<&'static str>; 2],
    /// See [`ResourceType::allows_wildcard`].
    wildcard: bool,
    relation: Relation,
}

/// How a type's resources are related to clusters, which decides when they may be sent and removed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// Others refer to them by name: a removal waits until nothing refers to them any more.
    Target,
    /// Sent and removed with those before them in the list.
    Detail,
    /// They refer to clusters, so they wait until all clusters and their load assignments were sent.
    Referrer,
}

resource_types! {
    /// CDS.
    Cluster => Properties {
        label: "cds",
        url: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        methods: [
            Some("cluster.v3.ClusterDiscoveryService/StreamClusters"),
            Some("cluster.v3.ClusterDiscoveryService/DeltaClusters"),
        ],
        wildcard: true,
        relation: Relation::Target,
    };
    /// EDS.
    Assignment => Properties {
        label: "eds",
        url: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        methods: [
            Some("endpoint.v3.EndpointDiscoveryService/StreamEndpoints"),
            Some("endpoint.v3.EndpointDiscoveryService/DeltaEndpoints"),
        ],
        wildcard: false,
        relation: Relation::Target,
    };
    /// LEDS: endpoints one by one.
    Endpoint => Properties {
        label: "leds",
        url: "type.googleapis.com/envoy.config.endpoint.v3.LbEndpoint",
        methods: [None, None],
        wildcard: false,
        relation: Relation::Detail,
    };
    /// LDS.
    Listener => Properties {
        label: "lds",
        url: "type.googleapis.com/envoy.config.listener.v3.Listener",
        methods: [
            Some("listener.v3.ListenerDiscoveryService/StreamListeners"),
            Some("listener.v3.ListenerDiscoveryService/DeltaListeners"),
        ],
        wildcard: true,
        relation: Relation::Referrer,
    };
    /// SRDS: scoped routes.
    Scope => Properties {
        label: "srds",
        url: "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
        methods: [
            Some("route.v3.ScopedRoutesDiscoveryService/StreamScopedRoutes"),
            Some("route.v3.ScopedRoutesDiscoveryService/DeltaScopedRoutes"),
        ],
        wildcard: true,
        relation: Relation::Referrer,
    };
    /// RDS.
    Route => Properties {
        label: "rds",
        url: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        methods: [
            Some("route.v3.RouteDiscoveryService/StreamRoutes"),
            Some("route.v3.RouteDiscoveryService/DeltaRoutes"),
        ],
        wildcard: false,
        relation: Relation::Referrer,
    };
    /// VHDS: parts of a route table, for clients that fetch them one by one.
    VirtualHost => Properties {
        label: "vhds",
        url: "type.googleapis.com/envoy.config.route.v3.VirtualHost",
        // The protocol has no state-of-the-world method for it.
        methods: [None, Some("route.v3.VirtualHostDiscoveryService/DeltaVirtualHosts")],
        wildcard: true,
        relation: Relation::Referrer,
    };
}

impl ResourceType {
    /// The type URL of `google.protobuf.Any`.
    pub fn url(self) -> &'static str {
        self.properties().url
    }

    /// The full name of the message.
    pub fn message(self) -> &'static str {
        let url = self.url();
        url.rsplit_once('/').map_or(url, |(_, message)| message)
    }

    pub fn from_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.url() == url)
    }

    /// The short name that operators know; a metric label.
    pub fn label(self) -> &'static str {
        self.properties().label
    }

    /// Whether a client may ask for the complete list. For the other types, no names means nothing (xDS protocol, "How
    /// the client specifies what resources to return").
    pub fn allows_wildcard(self) -> bool {
        self.properties().wildcard
    }

    /// Whether other resources refer to these by name, so that a removal has to wait until nothing does.
    pub(crate) fn is_referred_to(self) -> bool {
        self.properties().relation == Relation::Target
    }

    /// Whether these refer to clusters, and so must not be sent before them.
    pub(crate) fn refers_to_clusters(self) -> bool {
        self.properties().relation == Relation::Referrer
    }

    /// The path of the type's own gRPC method behind `/envoy.service.`, for state of the world or incremental xDS.
    pub(crate) fn method(self, incremental: bool) -> Option<&'static str> {
        let [sotw, delta] = self.properties().methods;
        if incremental { delta } else { sotw }
    }

    /// Position in [`ResourceType::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests;
