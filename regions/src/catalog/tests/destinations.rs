//! Where a sidecar sends a connection, for every destination and every kind of sidecar: to the federated service that has
//! the address, or on, untouched. And that whatever happens meanwhile is something that Envoy accepts.

use std::net::{IpAddr, SocketAddr};

use federation::Vips;
use federation::model::{AppProtocol, Protocol, ServiceKey};
use proptest::prelude::*;

use super::*;
use crate::class::Class;
use crate::testing::envoy::Held;

/// 80 and 81 are ordinary; the others are numbers that Isthmus and Istio use themselves.
const PORTS: [u16; 6] = [80, 81, 15_001, 15_006, 15_010, 15_080];
const ADDRESSES: [&str; 6] = ["10.12.0.1", "10.12.0.2", "10.12.0.3", "fd00:12::1", "fd00:12::2", "10.99.0.1"];
/// Names that Isthmus also uses for resources.
const SERVICES: [&str; 5] = ["shop/a", "shop/b", "any/egress", "egress/any", "vip/virtualoutbound"];
const V4: &str = "10.12.0.0/20";
const V6: &str = "fd00:12::/112";

#[derive(Clone, Debug)]
struct Service {
    /// The ports of the merged service; `None`: it is not federated.
    federated: Option<BTreeMap<u16, AppProtocol>>,
    /// Its addresses in the member, as indices.
    ips: BTreeSet<usize>,
    /// The ports that the member's own Service has.
    local: BTreeSet<u16>,
}

#[derive(Clone, Debug)]
enum Step {
    /// These services become so, in one batch.
    Services(Vec<(usize, Option<Service>)>),
    /// Two services exchange their addresses, in one batch.
    Swap(usize, usize),
    Ranges(bool, bool),
}

fn app() -> impl Strategy<Value = AppProtocol> {
    prop::sample::select(vec![AppProtocol::Http, AppProtocol::Http2, AppProtocol::Tcp])
}

fn service() -> impl Strategy<Value = Service> {
    let port = || prop::sample::select(PORTS.to_vec());
    let federated = prop::option::weighted(0.7, prop::collection::btree_map(port(), app(), 1..3));
    let ips = prop::collection::btree_set(0..ADDRESSES.len(), 1..3);
    let local = prop::collection::btree_set(port(), 1..3);
    (federated, ips, local).prop_map(|(federated, ips, local)| Service { federated, ips, local })
}

fn step() -> impl Strategy<Value = Step> {
    let some = 0..SERVICES.len();
    prop_oneof![
        5 => prop::collection::vec((some.clone(), prop::option::weighted(0.8, service())), 1..4).prop_map(Step::Services),
        2 => (some.clone(), some).prop_map(|(a, b)| Step::Swap(a, b)),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(v4, v6)| Step::Ranges(v4, v6)),
    ]
}

/// What was applied to the catalog.
struct MemberServices {
    services: BTreeMap<ServiceKey, Service>,
    ranges: Vec<&'static str>,
}

impl MemberServices {
    fn take(&mut self, step: Step) -> Effects {
        let mut effects = Effects::default();
        match step {
            Step::Services(changes) => {
                for (index, service) in changes {
                    self.set(key(SERVICES[index]), service, &mut effects);
                }
            }
            Step::Swap(a, b) => {
                let (a, b) = (key(SERVICES[a]), key(SERVICES[b]));
                let (mut of_a, mut of_b) = (self.services.get(&a).cloned(), self.services.get(&b).cloned());
                if let (Some(of_a), Some(of_b)) = (&mut of_a, &mut of_b) {
                    std::mem::swap(&mut of_a.ips, &mut of_b.ips);
                }
                self.set(a, of_a, &mut effects);
                self.set(b, of_b, &mut effects);
            }
            Step::Ranges(v4, v6) => {
                self.ranges = [v4.then_some(V4), v6.then_some(V6)].into_iter().flatten().collect();
                effects = topology(&[("eu-1", "eu", &self.ranges)]);
            }
        }
        effects
    }

    fn set(&mut self, key: ServiceKey, service: Option<Service>, effects: &mut Effects) {
        let vips = service.as_ref().map(|service| {
            let ips = service.ips.iter().map(|index| ADDRESSES[*index].parse().expect("an address")).collect();
            let ports = service.local.iter().map(|port| (*port, Protocol::Tcp)).collect();
            Arc::new(Vips { ips, ports, federated: service.federated.is_some(), awaits_source: false })
        });
        let merged = service.as_ref().and_then(|service| service.federated.as_ref()).map(|ports| {
            let ports = ports.iter().map(|(number, app)| port(*number, *app, vec![])).collect();
            Arc::new(merged(&key.to_string(), ports))
        });
        effects.services.push((key.clone(), merged));
        effects.vips.push((cluster_id("eu-1"), key.clone(), vips));
        match service {
            Some(service) => drop(self.services.insert(key, service)),
            None => drop(self.services.remove(&key)),
        }
    }

    /// The federated service and its protocol there, whether or not it is in a service range.
    fn at(&self, to: SocketAddr) -> Option<(String, AppProtocol)> {
        let has = |service: &Service| service.ips.iter().any(|i| ADDRESSES[*i].parse() == Ok(to.ip()));
        let (key, service) = self.services.iter().find(|(_, service)| has(service))?;
        let app = service.federated.as_ref()?.get(&to.port())?;
        Some((format!("outbound|{}||{}", to.port(), key.dns_name()), *app))
    }

    /// Whether the member has a Service of its own there.
    fn is_known(&self, to: SocketAddr) -> bool {
        let has = |service: &Service| service.ips.iter().any(|i| ADDRESSES[*i].parse() == Ok(to.ip()));
        self.services.values().find(|service| has(service)).is_some_and(|service| service.local.contains(&to.port()))
    }

    fn in_range(&self, ip: IpAddr) -> bool {
        self.ranges.iter().any(|net| net.parse::<ipnet::IpNet>().expect("a range").contains(&ip))
    }
}

/// Every destination that a service may have, and addresses and ports that none has.
fn destinations() -> impl Iterator<Item = SocketAddr> {
    let nobodys = ["10.12.0.77", "fd00:12::77", "10.250.0.9", "fd99::9"];
    let ips = ADDRESSES.into_iter().chain(nobodys).map(|ip| ip.parse::<IpAddr>().expect("an address"));
    ips.flat_map(|ip| PORTS.into_iter().chain([443]).map(move |port| SocketAddr::new(ip, port)))
}

fn protocol(app: AppProtocol) -> &'static str {
    if app == AppProtocol::Tcp { "tcp" } else { "http" }
}

/// Follows one class as a client does that reads every response.
struct Follower {
    view: ClassSubscription,
    seen: u64,
    held: Held,
    on_demand: bool,
}

impl Follower {
    fn new(catalog: &mut Catalog, class: &Class, on_demand: bool) -> Self {
        let view = catalog.open(class, Arc::default()).expect("a class");
        let snapshot = view.snapshot().expect("a snapshot");
        let held = Held::all(snapshot.of(Listener).iter(), Listener);
        Self { view, seen: snapshot.seq(), held, on_demand }
    }

    fn follow(&mut self) {
        let snapshot = self.view.snapshot().expect("a snapshot");
        let changes = snapshot.of(Listener).changes_since(self.seen).expect("a short log");
        let names: BTreeSet<_> = changes.map(|(_, change)| change.name.clone()).collect();
        let (put, removed): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| snapshot.of(Listener).get(name).is_some());
        let put: Vec<_> = put.iter().filter_map(|name| snapshot.of(Listener).get(name).cloned()).collect();
        self.held.apply(Listener, &put, &removed, false);
        self.seen = snapshot.seq();
    }

    fn check(&self, services_of_member: &MemberServices) {
        let snapshot = self.view.snapshot().expect("a snapshot");
        for to in destinations() {
            if to.is_ipv6() && !services_of_member.ranges.contains(&V6) {
                continue; // nothing sends IPv6 here
            }
            let goes = self.held.goes(to);
            match services_of_member.at(to) {
                Some((cluster, app)) if !self.on_demand => assert_eq!(goes, format!("{} {cluster}", protocol(app))),
                Some((cluster, app)) if services_of_member.in_range(to.ip()) => {
                    assert_eq!(goes, format!("{} vip|{to}", protocol(app)));
                    let by_address = snapshot.find(Cluster, &format!("vip|{to}")).expect("never nothing");
                    assert_eq!(by_address.load().map(|load| &**load), Some(&*cluster));
                }
                None if self.on_demand && !services_of_member.is_known(to) && goes != "passthrough" => {
                    // No service has the address: connections to it pass through.
                    assert!(
                        services_of_member.in_range(to.ip()) && goes.ends_with(&format!(" vip|{to}")),
                        "{to}: {goes}"
                    );
                    let by_address = snapshot.find(Cluster, &format!("vip|{to}")).expect("never nothing");
                    assert_eq!(by_address.load(), None);
                }
                _ => assert_eq!(goes, "passthrough", "{to}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_connection_reaches_the_service_that_has_its_destination_or_passes_untouched(
        steps in prop::collection::vec(step(), 1..20),
    ) {
        let mut catalog = Catalog::new(Arc::new(Stats::default()));
        let mut services_of_member = MemberServices { services: BTreeMap::new(), ranges: vec![V4, V6] };
        catalog.apply(&topology(&[("eu-1", "eu", &services_of_member.ranges)]));
        catalog.set_ready();
        let mut early = [(class(Some("eu-1")), false), (on_demand(), true)]
            .map(|(class, on_demand)| (Follower::new(&mut catalog, &class, on_demand), class));
        for step in steps {
            catalog.apply(&services_of_member.take(step));
            for (follower, class) in &mut early {
                follower.follow();
                follower.check(&services_of_member);
                let late = Follower::new(&mut catalog, class, follower.on_demand);
                late.held.check();
                prop_assert!(late.held.listeners().eq(follower.held.listeners()), "as one who connects now");
            }
        }
    }
}

/// Two services exchange their addresses in one step, three pass theirs on in a circle, one takes another's while that
/// gets a new one, and a port number moves from one service to another.
#[test]
fn a_destination_that_changes_hands_leads_to_its_new_owner() {
    let with = |ips: &[usize], number: u16| Service {
        federated: Some(BTreeMap::from([(number, AppProtocol::Http)])),
        ips: ips.iter().copied().collect(),
        local: BTreeSet::from([number]),
    };
    let step = |services: &[(usize, Service)]| {
        Step::Services(services.iter().map(|(index, service)| (*index, Some(service.clone()))).collect())
    };
    let histories = [
        vec![step(&[(0, with(&[0], 80)), (1, with(&[1], 80))]), Step::Swap(0, 1)],
        vec![
            step(&[(0, with(&[0], 80)), (1, with(&[1], 80)), (2, with(&[2], 80))]),
            step(&[(0, with(&[1], 80)), (1, with(&[2], 80)), (2, with(&[0], 80))]),
        ],
        vec![step(&[(0, with(&[0], 80))]), step(&[(0, with(&[1], 80)), (1, with(&[0], 80))])],
        vec![
            step(&[(0, with(&[0], 80)), (1, with(&[0], 81))]),
            step(&[(0, with(&[0], 81)), (1, with(&[0], 80))]),
            step(&[(0, with(&[1], 80)), (1, with(&[1], 81))]),
        ],
    ];
    for (class, on_demand) in [(class(Some("eu-1")), false), (on_demand(), true)] {
        for history in &histories {
            let mut catalog = Catalog::new(Arc::new(Stats::default()));
            let mut services_of_member = MemberServices { services: BTreeMap::new(), ranges: vec![V4] };
            catalog.apply(&topology(&[("eu-1", "eu", &services_of_member.ranges)]));
            catalog.set_ready();
            let mut follower = Follower::new(&mut catalog, &class, on_demand);
            for step in history {
                catalog.apply(&services_of_member.take(step.clone()));
                follower.follow();
                follower.check(&services_of_member);
            }
        }
    }
}
