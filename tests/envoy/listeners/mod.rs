//! A sidecar's listeners, by traffic, for each kind of sidecar: which destinations it takes, to whom, and what happens to
//! the connections of other services when that changes.

mod collisions;
mod connections;
mod handing_over;
mod ipv6;
mod passing;
mod talker;

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tempfile::TempDir;

use super::client::redirect;
use crate::harness::files::replace;
use crate::harness::{Isthmus, Source, objects};
use crate::testbed::{Envoy, EnvoySpec, netns};

const LIVE_LIMIT: Duration = Duration::from_secs(60);
const SERVICES_V4: &str = "10.100.0.0/16";

/// What an Envoy holds, and by which protocol variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Clusters when they are used (incremental).
    OnDemand,
    /// All clusters (incremental).
    Eager,
    StateOfTheWorld,
}

/// One member `eu-1` in a folder, its control plane, and one intercepted sidecar, in a network namespace of their own.
struct Scene {
    kind: Kind,
    world: TempDir,
    _plane: Isthmus,
    envoy: Envoy,
}

/// A Service as the folder holds it.
#[derive(Clone, Debug)]
struct Service<'a> {
    name: &'a str,
    vip: &'a str,
    /// In YAML flow style: `{name: http, port: 80, targetPort: 8080}`.
    ports: &'a str,
    federated: bool,
    /// The pod that serves port 8080 of its HTTP port, and the slice's port name.
    pod: Option<(&'a str, &'a str)>,
}

impl<'a> Service<'a> {
    /// A federated HTTP service on one port.
    fn http(name: &'a str, vip: &'a str, ports: &'a str, pod: &'a str) -> Self {
        Self { name, vip, ports, federated: true, pod: Some(("http", pod)) }
    }

    /// A federated service of bytes.
    fn tcp(name: &'a str, vip: &'a str, ports: &'a str, pod: &'a str) -> Self {
        Self { name, vip, ports, federated: true, pod: Some(("tcp", pod)) }
    }

    /// One that is not federated.
    fn private(name: &'a str, vip: &'a str, ports: &'a str) -> Self {
        Self { name, vip, ports, federated: false, pod: None }
    }
}

/// `[shop/name]` for most; a name with a slash has its own namespace.
fn namespaced(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or(("shop", name))
}

impl Scene {
    async fn new(kind: Kind, services: &[Service<'_>]) -> Self {
        Self::with_ranges(kind, &[SERVICES_V4], services).await
    }

    async fn with_ranges(kind: Kind, ranges: &[&str], services: &[Service<'_>]) -> Self {
        let world = tempfile::tempdir().unwrap();
        write_hub(&world, ranges);
        write_services(&world, services);
        let mut plane = Isthmus::region("eu", Source::Folder(world.path()));
        plane.wait_ready().await;
        let clusters = if kind == Kind::OnDemand { "on-demand" } else { "eager" };
        let spec = EnvoySpec::new("sidecar", "eu", "eu-a", plane.xds())
            .metadata("CLUSTER_ID", "eu-1")
            .metadata("CLUSTERS", clusters)
            .draining_for(DRAIN);
        let spec = if kind == Kind::StateOfTheWorld { spec.state_of_the_world() } else { spec };
        let envoy = Envoy::start(spec).await;
        envoy.wait_live(LIVE_LIMIT).await;
        redirect();
        Self { kind, world, _plane: plane, envoy }
    }

    /// All services, in one write.
    fn services(&self, services: &[Service<'_>]) {
        write_services(&self.world, services);
    }

    fn ranges(&self, ranges: &[&str]) {
        write_hub(&self.world, ranges);
    }

    /// Envoy has rejected nothing that it was sent.
    async fn nothing_was_rejected(&self) {
        let stats = self.envoy.stats("").await;
        let rejected: Vec<_> = stats.iter().filter(|(name, n)| name.ends_with("update_rejected") && **n > 0).collect();
        assert!(rejected.is_empty(), "{:?}: {rejected:?}\n{}", self.kind, self.envoy.log_tail(20));
    }
}

/// How long Envoy lets connections of a listener live that was removed or replaced. Tests wait longer.
const DRAIN: Duration = Duration::from_secs(1);

fn write_hub(world: &TempDir, ranges: &[&str]) {
    let hub =
        [objects::region("eu", &[]), objects::member_cluster("eu-1", "eu", &["10.8.0.0/16", "fd00:8::/112"], ranges)];
    replace(world.path(), "hub.yaml", &hub.concat());
}

fn write_services(world: &TempDir, services: &[Service<'_>]) {
    let mut all = String::new();
    let namespaces: std::collections::BTreeSet<&str> = services.iter().map(|s| namespaced(s.name).0).collect();
    namespaces.into_iter().for_each(|namespace| all.push_str(&objects::namespace(namespace)));
    for Service { name, vip, ports, federated, pod } in services {
        let (namespace, name) = namespaced(name);
        let mark = if *federated { "isthmus.dev/federate: 'true'" } else { "app: private" };
        let spec = format!("clusterIP: '{vip}', ports: [{ports}]");
        all.push_str(&objects::service(namespace, name, mark, &spec));
        if let Some((port, ip)) = pod {
            let _ = write!(
                all,
                "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}-1, namespace: \
                 {namespace}, labels: {{kubernetes.io/service-name: {name}}}}}\naddressType: {family}\nports: [{{name: \
                 {port}, port: 8080}}]\nendpoints: [{{addresses: ['{ip}'], zone: eu-a, conditions: {{ready: true}}}}]\n",
                family = if ip.contains(':') { "IPv6" } else { "IPv4" }
            );
        }
    }
    replace(&world.path().join("clusters/eu-1"), "all.yaml", &all);
}

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port)
}

/// The same test for each kind of sidecar, each in a network namespace of its own.
macro_rules! for_each_kind {
    ($($body:ident: $on_demand:ident, $eager:ident, $sotw:ident;)*) => {$(
        #[test]
        fn $on_demand() {
            netns::isolated_without_clusters($body(Kind::OnDemand));
        }

        #[test]
        fn $eager() {
            netns::isolated_without_clusters($body(Kind::Eager));
        }

        #[test]
        fn $sotw() {
            netns::isolated_without_clusters($body(Kind::StateOfTheWorld));
        }
    )*};
}

for_each_kind! {
    over_ipv6: ipv6_on_demand, ipv6_eager, ipv6_sotw;
    handed_over: vips_that_change_hands_on_demand, vips_that_change_hands_eager, vips_that_change_hands_sotw;
    undisturbed: strangers_end_no_connection_on_demand, strangers_end_no_connection_eager,
        strangers_end_no_connection_sotw;
    passing_by: what_is_not_federated_passes_on_demand, what_is_not_federated_passes_eager,
        what_is_not_federated_passes_sotw;
    colliding: names_and_numbers_of_ours_are_free_for_users_on_demand,
        names_and_numbers_of_ours_are_free_for_users_eager, names_and_numbers_of_ours_are_free_for_users_sotw;
}

use collisions::colliding;
use connections::undisturbed;
use handing_over::handed_over;
use ipv6::over_ipv6;
use passing::passing_by;
