//! What one batch changes for a class of clients, and what it leaves alone.

mod destinations;

use federation::model::{AppProtocol, Network, RegionId};

use super::*;
use crate::class::{EnvoyProfile, Interception, Profile};
use crate::resource::ResourceType::{self, Assignment, Cluster, Listener, Route, Scope};
use crate::snapshot::{MIN_LOG_CHANGES, Snapshot};
use crate::testing::*;

/// A catalog with one open class, and what was last seen of it.
struct Bench {
    catalog: Catalog,
    stats: Arc<Stats>,
    view: ClassSubscription,
    before: Option<Arc<Snapshot>>,
}

impl Bench {
    fn new(member: Option<&str>) -> Self {
        let stats = Arc::new(Stats::default());
        let mut catalog = Catalog::new(stats.clone());
        catalog.apply(&two_members());
        catalog.set_ready();
        let view = catalog.open(&class(member), Arc::default()).expect("a class");
        let before = view.snapshot();
        Self { catalog, stats, view, before }
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.view.snapshot().expect("a snapshot")
    }

    fn names(&self, t: ResourceType) -> Vec<String> {
        self.snapshot().of(t).iter().map(|r| r.name().to_string()).collect()
    }

    /// Applies, and returns what it published: `+` for put and `-` for removed, types in order.
    fn apply(&mut self, effects: &Effects) -> Vec<String> {
        self.catalog.apply(effects);
        self.published()
    }

    fn published(&mut self) -> Vec<String> {
        let after = self.snapshot();
        let seq = self.before.as_ref().map_or(0, |before| before.seq());
        let mut out = Vec::new();
        for t in ResourceType::ALL {
            let changes = after.of(t).changes_since(seq).expect("a short log");
            let names: BTreeSet<_> = changes.map(|(_, change)| &change.name).collect();
            for name in names {
                let sign = if after.of(t).get(name).is_some() { '+' } else { '-' };
                out.push(format!("{sign}{} {name}", t.label()));
            }
        }
        self.before = Some(after);
        out
    }

    /// (derived, encoded, published) since the last call.
    fn work(&self, since: &mut (u64, u64, u64)) -> (u64, u64, u64) {
        let c = &self.stats.catalog;
        let now = (c.derived.get(), c.encoded.get(), c.published.get());
        let work = (now.0 - since.0, now.1 - since.1, now.2 - since.2);
        *since = now;
        work
    }
}

const WEB: &str = "outbound|80||web.shop.svc.cluster.local";

#[test]
fn a_new_service_brings_exactly_its_own_resources() {
    let mut bench = Bench::new(None);
    assert_eq!(bench.names(Cluster), ["BlackHoleCluster", "PassthroughCluster"]);
    assert_eq!(bench.names(Listener), ["egress"]);
    let published = bench.apply(&services(vec![web("shop/web", &["10.8.0.1:8080"])]));
    assert_eq!(
        published,
        [
            format!("+cds {WEB}"),
            format!("+eds {WEB}"),
            "+srds egress|80||web.shop.svc.cluster.local".to_owned(),
            "+srds egress|||web.shop.svc.cluster.local".to_owned(),
            format!("+rds {WEB}"),
        ]
    );
    let published = bench.apply(&service_gone("shop/web"));
    assert_eq!(published.len(), 5);
    assert!(published.iter().all(|change| change.starts_with('-')), "{published:?}");
}

#[test]
fn an_endpoint_changes_one_load_assignment_and_costs_one_encoding() {
    let mut bench = Bench::new(Some("eu-1"));
    bench.apply(&services((0..50).map(|i| web(&format!("shop/s{i}"), &["10.8.0.1:8080"])).collect()));
    let mut work = (0, 0, 0);
    bench.work(&mut work);
    let published = bench.apply(&services(vec![web("shop/s7", &["10.8.0.1:8080", "10.8.0.2:8080"])]));
    assert_eq!(published, ["+eds outbound|80||s7.shop.svc.cluster.local"]);
    assert_eq!(bench.work(&mut work), (1, 1, 1));

    let again = bench.apply(&services(vec![web("shop/s7", &["10.8.0.1:8080", "10.8.0.2:8080"])]));
    assert_eq!(again, [""; 0], "equal bytes are not published");
    assert_eq!(bench.work(&mut work), (1, 1, 0));
}

#[test]
fn a_service_brings_the_listeners_of_its_own_vips_and_touches_no_other() {
    let mut bench = Bench::new(Some("eu-1"));
    let mut first = services(vec![web("shop/web", &["10.8.0.1:8080"])]);
    first.vips = vips("eu-1", "shop/web", &["10.12.0.7"], &[80], true).vips;
    let published = bench.apply(&first);
    assert!(published.contains(&"+lds 10.12.0.7_80".to_owned()), "{published:?}");
    assert_eq!(bench.names(Listener), ["10.12.0.7_80", "virtualOutbound"]);
    assert_eq!(bench.apply(&services(vec![web("shop/web", &["10.8.0.2:8080"])])), [format!("+eds {WEB}")]);

    let mut second = services(vec![web("shop/pay", &["10.8.0.2:8080"])]);
    second.vips = vips("eu-1", "shop/pay", &["10.12.0.8"], &[80], true).vips;
    let listeners = |published: Vec<String>| -> Vec<String> {
        published.into_iter().filter(|change| change.contains("lds")).collect()
    };
    assert_eq!(listeners(bench.apply(&second)), ["+lds 10.12.0.8_80"]);
    assert_eq!(listeners(bench.apply(&service_gone("shop/pay"))), ["-lds 10.12.0.8_80"], "no service has it any more");
    assert_eq!(bench.apply(&vips("eu-1", "kube-system/dns", &["10.12.0.99"], &[80], false)), [""; 0], "nor has this");
}

#[test]
fn tcp_ports_get_a_listener_for_each_vip() {
    let mut bench = Bench::new(Some("eu-1"));
    let db = merged("shop/db", vec![port(3306, AppProtocol::Tcp, vec![])]);
    let mut effects = services(vec![db]);
    effects.vips = vips("eu-1", "shop/db", &["10.12.0.3", "fd00::3"], &[3306], true).vips;
    bench.apply(&effects);
    assert_eq!(bench.names(Listener), ["10.12.0.3_3306", "[fd00::3]_3306", "virtualOutbound"]);
    assert!(!bench.names(Scope).iter().any(|name| name.starts_with("outbound")), "no HTTP, no VIP scope");
    assert_eq!(bench.names(Route), ["outbound|3306||db.shop.svc.cluster.local"]);
}

#[test]
fn a_vip_that_moves_ends_with_its_new_owner() {
    let mut bench = Bench::new(Some("eu-1"));
    let mut old = services(vec![web("shop/zz", &[]), web("shop/aa", &[])]);
    old.vips = vips("eu-1", "shop/zz", &["10.12.0.7"], &[80], true).vips;
    bench.apply(&old);
    // Both claim it for a moment: one listener for the address, which leads to one of them.
    let both = vips("eu-1", "shop/aa", &["10.12.0.7"], &[80], true);
    assert_eq!(bench.apply(&both), ["+lds 10.12.0.7_80"]);
    // It is let go of by the one that had it, and so goes to the one that waits.
    assert_eq!(bench.apply(&vips_gone("eu-1", "shop/aa")), ["+lds 10.12.0.7_80"]);
    bench.apply(&both);
    assert_eq!(bench.apply(&vips_gone("eu-1", "shop/zz")), [""; 0]);
    assert_eq!(bench.apply(&vips_gone("eu-1", "shop/aa")), ["-lds 10.12.0.7_80"]);
}

#[test]
fn vips_concern_their_own_member_only() {
    let mut bench = Bench::new(Some("eu-1"));
    let mut work = (0, 0, 0);
    bench.work(&mut work);
    assert_eq!(bench.apply(&vips("us-1", "shop/web", &["10.13.0.7"], &[80], true)), [""; 0]);
    assert_eq!(bench.work(&mut work), (0, 0, 0));
}

#[test]
fn a_topology_change_derives_all_and_publishes_what_differs() {
    let mut bench = Bench::new(Some("eu-1"));
    let both = |name: &str| {
        let backends = vec![backend("eu-1", "eu-a", &["10.8.0.1:80"]), backend("us-1", "us-a", &["10.9.0.1:80"])];
        merged(name, vec![port(80, AppProtocol::Http, backends)])
    };
    bench.apply(&services(vec![both("shop/both"), web("shop/local", &["10.8.0.9:80"])]));
    // us-1 leaves: only the service that it backed changes.
    let published = bench.apply(&topology(&[("eu-1", "eu", &["10.12.0.0/20"])]));
    assert_eq!(published, ["+eds outbound|80||both.shop.svc.cluster.local"]);
    // The client's own member leaves: everything passes through.
    bench.catalog.apply(&topology(&[("us-1", "us", &["10.13.0.0/20"])]));
    assert_eq!(bench.names(Listener), ["virtualOutbound"]);
    assert_eq!(bench.names(Cluster), ["BlackHoleCluster", "PassthroughCluster"]);
}

/// All profiles of a client in this cluster that set how their traffic arrives.
fn profiles(cluster: Option<&str>, interception: Interception) -> Vec<Class> {
    let mut all = vec![Class { client: class(cluster).client, ..grpc() }];
    for (on_demand, leds, vhds) in
        [(false, false, false), (true, false, false), (false, true, false), (true, true, true), (false, false, true)]
    {
        let mut class = class(cluster);
        if let Profile::Envoy(envoy) = &mut class.profile {
            let vhds = vhds && interception != Interception::Redirect;
            *envoy = EnvoyProfile { interception, on_demand, leds, vhds, ..envoy.clone() };
        }
        all.push(class);
    }
    all
}

/// Whatever a client of the class may be sent, by whatever name it asks.
fn served(catalog: &mut Catalog, class: &Class) -> Vec<String> {
    let view = catalog.open(class, Arc::default()).expect("a class");
    let snapshot = view.snapshot().expect("a snapshot");
    let all = ResourceType::ALL.into_iter().flat_map(|t| snapshot.of(t).all().map(move |r| (t, r.name().to_string())));
    all.map(|(t, name)| format!("{} {name}", t.label())).collect()
}

const BUILT_IN: [&str; 2] = ["cds BlackHoleCluster", "cds PassthroughCluster"];

#[test]
fn proxies_of_a_cluster_that_is_no_admitted_member_are_sent_nothing_federated() {
    let mut bench = Bench::new(Some("eu-1"));
    bench.apply(&services(vec![web("shop/web", &["10.8.0.1:8080"])]));
    bench.apply(&vips("eu-1", "shop/web", &["10.12.0.7"], &[80], true));
    // Misspelt, deleted, refused or not known yet: they are all in no topology.
    for interception in [Interception::Redirect, Interception::None] {
        for mut class in profiles(Some("eu-9"), interception) {
            for network_named in [false, true] {
                class.network_named = network_named;
                let found = served(&mut bench.catalog, &class);
                let plain = ["lds egress", "rds egress", "vhds egress/"];
                let rest: Vec<&String> = found
                    .iter()
                    .filter(|name| !BUILT_IN.contains(&name.as_str()) && !plain.contains(&name.as_str()))
                    .collect();
                let passes = class.profile != Profile::Grpc && interception == Interception::Redirect;
                let expected: &[&str] = if passes { &["lds virtualOutbound"] } else { &[] };
                assert_eq!(rest, expected, "{class:?}");
                let snapshot = bench.catalog.open(&class, Arc::default()).expect("a class").snapshot().expect("one");
                assert!(snapshot.is_outside());
                // By name neither, in whatever form: at most the placeholder for what does not exist.
                assert!(snapshot.find_certain(Cluster, WEB).is_none() && snapshot.find(Assignment, WEB).is_none());
                let xdstp = format!("xdstp://eu/envoy.config.endpoint.v3.ClusterLoadAssignment/{WEB}");
                assert!(snapshot.find(Assignment, &xdstp).is_none());
                assert!(snapshot.find_certain(Cluster, "vip|10.12.0.7:80").is_none());
                let host = snapshot.find(ResourceType::VirtualHost, "egress/web.shop");
                assert!(host.is_none_or(|host| host.is_nothing()));
            }
        }
    }
}

#[test]
fn a_client_that_names_no_cluster_is_served_by_its_interception_mode() {
    let mut bench = Bench::new(None);
    bench.apply(&services(vec![web("shop/web", &["10.8.0.1:8080"])]));
    let mut serve = |interception| {
        let mut class = class(None);
        if let Profile::Envoy(envoy) = &mut class.profile {
            envoy.interception = interception;
        }
        served(&mut bench.catalog, &class)
    };
    let redirected = serve(Interception::Redirect);
    assert_eq!(redirected, [BUILT_IN[0], BUILT_IN[1], "lds virtualOutbound"], "its virtual IPs are not known");
    let plain = serve(Interception::None);
    assert!(plain.contains(&format!("cds {WEB}")) && plain.contains(&"lds egress".to_owned()), "{plain:?}");
    assert!(!plain.contains(&"lds virtualOutbound".to_owned()));
    let unsaid = serve(Interception::Unset);
    let expected: BTreeSet<String> = plain.into_iter().chain(["lds virtualOutbound".to_owned()]).collect();
    assert_eq!(unsaid.into_iter().collect::<BTreeSet<_>>(), expected, "its pod may be intercepted after all");
}

#[test]
fn clients_of_an_undecided_member_are_sent_nothing_new_and_keep_following_what_they_name() {
    let mut bench = Bench::new(Some("eu-1"));
    let mut effects = services(vec![web("shop/web", &["10.8.0.1:8080"])]);
    effects.unknown = Some(Arc::new(BTreeSet::from([cluster_id("eu-9")])));
    bench.apply(&effects);
    let class = class(Some("eu-9"));
    let view = bench.catalog.open(&class, Arc::default()).expect("a class");
    let snapshot = view.snapshot().expect("a snapshot");
    assert!(snapshot.of(Cluster).get(WEB).is_none() && snapshot.of(Assignment).is_empty());
    assert!(snapshot.find(Assignment, WEB).is_some(), "for those that have the cluster from before");
    assert!(snapshot.of(Listener).get("virtualOutbound").is_some());
    assert!(snapshot.is_incomplete() && !snapshot.is_outside());
    // Once it is admitted it is a member like any other, in whatever class was open.
    let mut admitted = topology(&[("eu-9", "eu", &["10.12.0.0/20"])]);
    admitted.unknown = Some(Arc::default());
    bench.catalog.apply(&admitted);
    let snapshot = view.snapshot().expect("a snapshot");
    assert!(snapshot.of(Cluster).get(WEB).is_some() && !snapshot.is_incomplete());
}

#[test]
fn a_client_that_names_no_network_is_in_that_of_its_member() {
    let mut topology = two_members();
    let changed = topology.topology.as_mut().map(Arc::make_mut).expect("a topology");
    for place in changed.members.values_mut() {
        place.network = federation::model::Network::new("vpc-b").expect("a network");
    }
    let mut bench = Bench::new(Some("eu-1"));
    bench.apply(&services(vec![web("shop/web", &["10.8.0.1:8080"])]));
    let before = bench.snapshot().of(Assignment).get(WEB).cloned();
    bench.catalog.apply(&topology);
    assert_eq!(bench.snapshot().of(Assignment).get(WEB), before.as_ref(), "still reachable");
}

#[test]
fn c26_nothing_is_served_before_the_catalog_is_ready() {
    let stats = Arc::new(Stats::default());
    let mut catalog = Catalog::new(stats.clone());
    let view = catalog.open(&class(None), Arc::default()).expect("a class");
    catalog.apply(&two_members());
    catalog.apply(&services(vec![web("shop/web", &["10.8.0.1:8080"])]));
    assert!(view.snapshot().is_none());
    assert_eq!(stats.catalog.published.get(), 0);
    catalog.set_ready();
    let snapshot = view.snapshot().expect("a snapshot");
    assert!(snapshot.of(Cluster).get(WEB).is_some());
    assert_eq!(stats.catalog.published.get(), 1);
}

#[test]
fn a_class_opened_late_holds_the_same_bytes() {
    let mut early = Bench::new(Some("eu-1"));
    let mut effects = services(vec![web("shop/web", &["10.8.0.1:8080"]), web("shop/pay", &["10.8.0.2:8080"])]);
    effects.vips = vips("eu-1", "shop/web", &["10.12.0.7"], &[80], true).vips;
    early.apply(&effects);
    early.apply(&services(vec![web("shop/web", &["10.8.0.3:8080!"])]));
    early.apply(&service_gone("shop/pay"));

    let mut late = Catalog::new(Arc::new(Stats::default()));
    late.apply(&services(vec![web("shop/web", &["10.8.0.3:8080!"])]));
    late.apply(&Effects { vips: effects.vips, ..Effects::default() });
    late.apply(&two_members());
    late.set_ready();
    let late = late.open(&class(Some("eu-1")), Arc::default()).expect("a class").snapshot().expect("a snapshot");
    for t in ResourceType::ALL {
        assert_eq!(early.snapshot().of(t).digest(), late.of(t).digest(), "{}", t.label());
        let (a, b): (Vec<_>, Vec<_>) =
            (early.snapshot().of(t).iter().cloned().collect(), late.of(t).iter().cloned().collect());
        assert_eq!(a, b);
    }
}

#[test]
fn a_class_without_clients_is_dropped() {
    let Bench { mut catalog, stats, view, .. } = Bench::new(None);
    let other = catalog.open(&class(None), Arc::default()).expect("a class");
    drop(view);
    catalog.apply(&Effects::default());
    assert_eq!(stats.catalog.classes.get(), 1, "a stream is still open");
    drop(other);
    catalog.apply(&Effects::default());
    assert_eq!(stats.catalog.classes.get(), 0);
    assert!(ResourceType::ALL.iter().all(|t| stats.catalog.resources_of(*t).get() == 0));
}

#[test]
fn classes_are_bounded() {
    let stats = Arc::new(Stats::default());
    let mut catalog = Catalog::new(stats.clone());
    let mut open = |i: usize| {
        let mut class = class(None);
        class.client.zone = Some(zone(&format!("z{i}")));
        catalog.open(&class, Arc::default())
    };
    let held: Vec<_> = (0..MAX_CLASSES).map(|i| open(i).expect("a class")).collect();
    assert_eq!(open(MAX_CLASSES).err(), Some(OpenError::TooManyClasses));
    assert!(open(0).is_ok(), "one that is open already");
    drop(held);
    assert!(open(MAX_CLASSES).is_ok(), "room again");
    assert_eq!(stats.catalog.classes_refused.get(), 1);
}

#[test]
fn one_address_opens_a_few_classes_and_leaves_the_others_their_room() {
    let stats = Arc::new(Stats::default());
    let mut catalog = Catalog::new(stats.clone());
    let [hostile, other] = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
    let listening_on = |i: usize| {
        let mut class = class(None);
        class.client.zone = Some(zone(&format!("z{i}")));
        class
    };
    let mut open = |from, i: usize| catalog.open_from(Some(from), &listening_on(i), Arc::default());
    let held: Vec<_> = (0..MAX_CLASSES_PER_ADDRESS).map(|i| open(hostile, i).expect("a class")).collect();
    assert_eq!(open(hostile, 900).err(), Some(OpenError::TooManyOfAddress(hostile)));
    assert!(open(hostile, 0).is_ok(), "one that is open already");
    assert!(open(other, 901).is_ok());
    drop(held);
    assert!(open(hostile, 900).is_ok(), "room again");
    assert_eq!(stats.catalog.classes_refused.get(), 1);
}

/// Zones, regions and networks by name.
#[test]
fn places_where_there_is_nothing_cost_next_to_nothing() {
    const COUNT: usize = 200;
    for kind in 0..3 {
        let stats = Arc::new(Stats::default());
        let mut catalog = Catalog::new(stats.clone());
        catalog.apply(&two_members());
        catalog.set_ready();
        let naming = |i: usize| {
            let mut class = class(None);
            match kind {
                0 => class.client.zone = Some(zone(&format!("made-up-{i}"))),
                1 => class.client.region = RegionId::new(&format!("made-up-{i}")).expect("a region"),
                _ => {
                    class.client.network = Network::new(&format!("made-up-{i}")).expect("a network");
                    class.network_named = true;
                }
            }
            class
        };
        let views: Vec<_> = (0..COUNT).map(|i| catalog.open(&naming(i), Arc::default()).expect("a class")).collect();
        let before = stats.catalog.encoded.get();
        catalog.apply(&services(vec![web("shop/web", &["10.8.0.1:80"])]));
        let encoded = usize::try_from(stats.catalog.encoded.get() - before).expect("few");
        assert!(encoded <= facts::MAX_TOLERATED + 8, "kind {kind}: {encoded} encodings for {COUNT} classes");
        // All of them are served alike, tolerated or not.
        let of = |i: usize| views[i].snapshot().expect("a snapshot").of(Assignment).get(WEB).cloned();
        assert!((1..COUNT).all(|i| of(i) == of(0)), "kind {kind}");
    }
}

#[test]
fn a_zone_that_gets_its_first_endpoint_is_a_place_for_those_that_named_it_before() {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    catalog.set_ready();
    let naming = |i: usize| {
        let mut class = class(None);
        class.client.zone = Some(zone(&format!("z{i}")));
        class
    };
    let views: Vec<_> = (0..100).map(|i| catalog.open(&naming(i), Arc::default()).expect("a class")).collect();
    let backends = vec![backend("eu-1", "z99", &["10.8.0.1:80"]), backend("eu-1", "z98", &["10.8.0.2:80"])];
    catalog.apply(&services(vec![merged("shop/web", vec![port(80, AppProtocol::Http, backends)])]));
    let of = |view: &ClassSubscription| view.snapshot().expect("a snapshot").of(Assignment).get(WEB).cloned();
    let fresh = |catalog: &mut Catalog, i: usize| {
        // The same clients, in a catalog that knew the zones before they came.
        of(&catalog.open(&naming(i), Arc::default()).expect("a class"))
    };
    let mut knows = Catalog::new(Arc::new(Stats::default()));
    knows.apply(&two_members());
    let backends = vec![backend("eu-1", "z99", &["10.8.0.1:80"]), backend("eu-1", "z98", &["10.8.0.2:80"])];
    knows.apply(&services(vec![merged("shop/web", vec![port(80, AppProtocol::Http, backends)])]));
    knows.set_ready();
    for i in [0, 50, 98, 99] {
        assert_eq!(of(&views[i]), fresh(&mut knows, i), "z{i}");
    }
    assert_ne!(of(&views[98]), of(&views[99]), "each its own zone first");
}

#[test]
fn a_log_that_is_too_short_returns_none() {
    let mut bench = Bench::new(None);
    let start = bench.snapshot().seq();
    let all = |octet: usize| {
        let hosts = [format!("10.8.0.{octet}:80")];
        services((0..500).map(|i| web(&format!("shop/s{i}"), &[&*hosts[0]])).collect())
    };
    for i in 0..3 * MIN_LOG_CHANGES / 500 + 2 {
        bench.catalog.apply(&all(1 + i % 2));
    }
    let last = bench.snapshot();
    assert!(last.of(Assignment).changes_since(start).is_none());
    let recent = last.of(Assignment).changes_since(last.seq() - 3).expect("remembered").count();
    assert_eq!(recent, 1_500);
    assert_eq!(last.of(Cluster).changes_since(last.seq() - 3).expect("remembered").count(), 0);
}

#[test]
fn every_reader_is_woken_before_the_log_forgets() {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    catalog.set_ready();
    // Wants something that never changes.
    let interest = Arc::new(Interest::default());
    interest.add(Assignment, "outbound|80||silent.shop.svc.cluster.local");
    let view = catalog.open(&class(None), interest.clone()).expect("a class");
    let mut seen = view.snapshot().expect("a snapshot").seq();
    let mut woken = 0;
    let busy = |octet: usize| {
        let hosts = [format!("10.8.0.{octet}:80")];
        services((0..200).map(|i| web(&format!("shop/s{i}"), &[&*hosts[0]])).collect())
    };
    for i in 0..1_000 {
        catalog.apply(&busy(1 + i % 2));
        if poll(&interest) {
            woken += 1;
            let snapshot = view.snapshot().expect("a snapshot");
            assert!(snapshot.of(Assignment).changes_since(seen).is_some(), "woken in time");
            seen = snapshot.seq();
        }
    }
    assert!((1..500).contains(&woken), "woken {woken} times for nothing");
}

fn poll(interest: &Interest) -> bool {
    interest.poll_woken(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
}

#[test]
fn only_those_it_concerns_are_woken() {
    let mut bench = Bench::new(Some("eu-1"));
    bench.apply(&services((0..50).map(|i| web(&format!("shop/s{i}"), &["10.8.0.1:80"])).collect()));
    let name = |i: usize| format!("outbound|80||s{i}.shop.svc.cluster.local");
    let streams: Vec<_> = (0..50)
        .map(|i| {
            let interest = Arc::new(Interest::default());
            interest.add(Assignment, &name(i));
            (bench.catalog.open(&class(Some("eu-1")), interest.clone()).expect("a class"), interest)
        })
        .collect();
    bench.apply(&services(vec![web("shop/s7", &["10.8.0.2:80"])]));
    let woken: Vec<_> = (0..50).filter(|i| poll(&streams[*i].1)).collect();
    assert_eq!(woken, [7]);
}

#[test]
fn classes_share_what_is_the_same_for_them() {
    let stats = Arc::new(Stats::default());
    let mut catalog = Catalog::new(stats.clone());
    catalog.apply(&two_members());
    catalog.set_ready();
    let member = |member: &str, in_zone: &str| {
        let mut class = class(Some(member));
        class.client.zone = Some(zone(in_zone));
        class
    };
    let classes = [member("eu-1", "eu-a"), member("us-1", "eu-a"), member("eu-1", "eu-b"), class(None), on_demand()];
    let views: Vec<_> = classes.iter().map(|class| catalog.open(class, Arc::default()).expect("a class")).collect();
    let before = stats.catalog.encoded.get();
    catalog.apply(&services(vec![web("shop/web", &["10.8.0.1:80"])]));
    // Two zones' load assignments, a cluster, a route table, two egress scopes.
    assert_eq!(stats.catalog.encoded.get() - before, 6);
    let before = stats.catalog.encoded.get();
    catalog.apply(&services(vec![web("shop/web", &["10.8.0.2:80"])]));
    assert_eq!(stats.catalog.encoded.get() - before, 2, "one for each zone");
    let of = |i: usize, t: ResourceType| views[i].snapshot().expect("a snapshot").of(t).get(WEB).cloned();
    for t in [Cluster, Assignment] {
        assert!(of(0, t).is_some());
        assert!((1..5).all(|i| of(i, t) == of(0, t)), "no cluster is looked at, and both zones are alike here");
    }
}

#[test]
fn ranking_by_own_cluster_ends_the_sharing() {
    use federation::model::{Failover, RankingRule, Tier};
    let mut bench = Bench::new(Some("eu-1"));
    let backends = vec![backend("eu-1", "eu-a", &["10.8.0.1:80"]), backend("us-1", "us-a", &["10.9.0.1:80"])];
    let service = merged("shop/web", vec![port(80, AppProtocol::Http, backends)]);
    bench.apply(&services(vec![service]));
    let before = bench.snapshot().of(Assignment).get(WEB).cloned();
    let failover = Failover { tiers: vec![Tier::Cluster], ..Failover::default() };
    let pinned = Arc::new(RankingRule { failover, ..RankingRule::default() });
    bench.catalog.apply(&Effects { rankings: vec![(key("shop/web"), Some(pinned))], ..Effects::default() });
    let after = bench.snapshot().of(Assignment).get(WEB).cloned();
    assert_ne!(before, after, "only the own cluster serves now");
    assert!(bench.snapshot().of(Assignment).changes_since(bench.before.as_ref().expect("seen").seq()).is_none());
}

#[test]
fn on_demand_clients_follow_the_built_in_clusters_and_find_all_others_by_name() {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    let db = merged("shop/db", vec![port(3306, AppProtocol::Tcp, vec![])]);
    let mut effects = services(vec![web("shop/web", &["10.8.0.1:80"]), db]);
    effects.vips = vips("eu-1", "shop/web", &["10.12.0.7"], &[80], true).vips;
    effects.vips.extend(vips("eu-1", "shop/db", &["10.12.0.3"], &[3306], true).vips);
    effects.vips.extend(vips("eu-1", "shop/local", &["10.12.0.9"], &[3306], false).vips);
    catalog.apply(&effects);
    catalog.set_ready();
    let view = catalog.open(&on_demand(), Arc::default()).expect("a class");
    let snapshot = view.snapshot().expect("a snapshot");
    let star: Vec<_> = snapshot.of(Cluster).iter().map(|r| r.name().to_string()).collect();
    assert_eq!(star, ["BlackHoleCluster", "PassthroughCluster"]);
    let find = |name: &str| snapshot.find(Cluster, name).expect("never nothing");
    let load = |name: &str| find(name).load().map(ToString::to_string);
    assert_eq!(load(WEB).as_deref(), Some(WEB));
    let db = "outbound|3306||db.shop.svc.cluster.local";
    assert_eq!(load("vip|10.12.0.3:3306").as_deref(), Some(db), "a VIP is served by its service's endpoints");
    assert_eq!(load("vip|10.12.0.9:3306"), None, "and what is not federated passes through");
    assert_ne!(find("vip|10.12.0.9:3306").version(), find("unknown").version());
    assert_eq!(load("outbound|80||unknown.shop.svc.cluster.local"), None);
    assert!(snapshot.find(Assignment, "unknown").is_none(), "placeholders are for clusters");
    let listeners: Vec<_> = snapshot.of(Listener).iter().map(|r| r.name().to_string()).collect();
    assert_eq!(listeners, ["virtualOutbound"]);
}

/// A catalog that knows two members and no service, and what a sidecar of one is shown.
fn opened_on_demand() -> (Catalog, ClassSubscription) {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    catalog.set_ready();
    let view = catalog.open(&on_demand(), Arc::default()).expect("a class");
    (catalog, view)
}

#[test]
fn a_vip_that_moves_ends_with_its_new_owner_on_demand_too() {
    let (mut catalog, view) = opened_on_demand();
    let owner = || {
        let snapshot = view.snapshot().expect("a snapshot");
        let load = snapshot.find(Cluster, "vip|10.12.0.7:80").expect("never nothing").load().cloned();
        load.map_or_else(|| "unknown".to_owned(), |load| load.trim_end_matches(".svc.cluster.local").to_owned())
    };
    catalog.apply(&services(vec![web("shop/zz", &[]), web("shop/mm", &[]), web("shop/aa", &[])]));
    let claim = |service: &str| vips("eu-1", service, &["10.12.0.7"], &[80], true);
    let moves = [
        (claim("shop/mm"), "outbound|80||mm.shop"),
        (claim("shop/aa"), "outbound|80||aa.shop"),
        (claim("shop/zz"), "outbound|80||aa.shop"),
        (vips_gone("eu-1", "shop/aa"), "outbound|80||mm.shop"),
        (vips_gone("eu-1", "shop/mm"), "outbound|80||zz.shop"),
        (service_gone("shop/zz"), "unknown"),
    ];
    for (change, expected) in moves {
        catalog.apply(&change);
        assert_eq!(owner(), expected);
    }
}

#[test]
fn c31_a_client_is_sent_its_own_members_vips_and_what_it_can_reach() {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    let mut topology = two_members();
    let places = topology.topology.as_mut().map(Arc::make_mut).expect("a topology");
    let us = places.members.get_mut(&cluster_id("us-1")).expect("a member");
    us.network = federation::model::Network::new("vpc-b").expect("a network");
    catalog.apply(&topology);
    let backends = vec![backend("eu-1", "eu-a", &["10.8.0.1:80"]), backend("us-1", "us-a", &["10.9.0.1:80"])];
    let mut effects = services(vec![merged("shop/web", vec![port(80, AppProtocol::Http, backends)])]);
    effects.vips = vips("eu-1", "shop/web", &["10.12.0.7"], &[80], true).vips;
    effects.vips.extend(vips("us-1", "shop/web", &["10.13.0.7"], &[80], true).vips);
    catalog.apply(&effects);
    catalog.set_ready();
    for (member, sees, never) in
        [("eu-1", ["10.8.0.1", "10.12.0.7"], "10.9.0.1"), ("us-1", ["10.9.0.1", "10.13.0.7"], "10.8.0.1")]
    {
        let view = catalog.open(&class(Some(member)), Arc::default()).expect("a class");
        let snapshot = view.snapshot().expect("a snapshot");
        let all: Vec<u8> = ResourceType::ALL
            .iter()
            .flat_map(|t| {
                snapshot.of(*t).iter().flat_map(|resource| resource.delta_bytes().to_vec()).collect::<Vec<_>>()
            })
            .collect();
        let shown = |text: &str| all.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(sees.iter().all(|text| shown(text)), "{member}");
        let others_vip = if member == "eu-1" { "10.13.0.7" } else { "10.12.0.7" };
        assert!(!shown(never) && !shown(others_vip), "{member}");
    }
}

/// The hosts of a load assignment, and where they are: `us/us-1 10.13.0.9:80`.
fn hosts_of(snapshot: &Snapshot, name: &str) -> Vec<String> {
    use envoy_types::pb::envoy::config::core::v3::address::Address;
    use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
    let found = snapshot.find(Assignment, name).expect("a load assignment");
    let load: envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment = found.message().expect("one");
    let mut hosts = Vec::new();
    for group in load.endpoints {
        let place = group.locality.map(|locality| format!("{}/{}", locality.region, locality.sub_zone));
        for endpoint in group.lb_endpoints {
            let Some(HostIdentifier::Endpoint(endpoint)) = endpoint.host_identifier else { continue };
            if let Some(Address::SocketAddress(at)) = endpoint.address.and_then(|address| address.address) {
                let port = match at.port_specifier {
                    Some(envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier::PortValue(p)) => p,
                    _ => 0,
                };
                hosts.push(format!("{} {}:{port}", place.clone().unwrap_or_default(), at.address));
            }
        }
    }
    hosts
}

/// What a member keeps for itself is its own for every client that names the member, and costs other clients nothing.
#[test]
fn a_name_that_a_member_keeps_for_itself_leads_to_its_own_vip() {
    let stats = Arc::new(Stats::default());
    let mut catalog = Catalog::new(stats.clone());
    catalog.apply(&two_members());
    catalog.set_ready();
    let in_us = |profile: fn(&mut EnvoyProfile)| {
        let mut class = class(Some("us-1"));
        if let Profile::Envoy(envoy) = &mut class.profile {
            profile(envoy);
        }
        class
    };
    let plain = in_us(|envoy| envoy.interception = Interception::None);
    let grpc_in_us = Class { profile: Profile::Grpc, ..plain.clone() };
    let kept =
        [in_us(|_| {}), in_us(|envoy| envoy.on_demand = true), in_us(|envoy| envoy.leds = true), plain, grpc_in_us];
    let others = [class(Some("eu-1")), class(None), grpc(), vhds()];
    let open = |catalog: &mut Catalog, class: &Class| catalog.open(class, Arc::default()).expect("a class");
    let kept_views: Vec<_> = kept.iter().map(|class| open(&mut catalog, class)).collect();
    let other_views: Vec<_> = others.iter().map(|class| open(&mut catalog, class)).collect();
    let check = |expected: &[&str]| {
        for (class, view) in kept.iter().zip(&kept_views) {
            assert_eq!(hosts_of(&view.snapshot().expect("a snapshot"), WEB), expected, "{class:?}");
        }
        for view in &other_views {
            assert_eq!(hosts_of(&view.snapshot().expect("a snapshot"), WEB), ["eu/eu-1 10.8.0.1:8080"]);
        }
    };
    let exported = ["eu/eu-1 10.8.0.1:8080"];
    catalog.apply(&services(vec![web("shop/web", &["10.8.0.1:8080"])]));
    catalog.apply(&vips("us-1", "shop/web", &["10.13.0.9"], &[80, 90], false));
    check(&["us/us-1 10.13.0.9:80"]);
    // What changes elsewhere is nothing to those who cannot see it.
    let seq = kept_views[0].snapshot().expect("a snapshot").seq();
    let before = stats.catalog.encoded.get();
    catalog.apply(&services(vec![web("shop/web", &["10.8.0.1:8080", "10.8.0.2:8080"])]));
    assert!(stats.catalog.encoded.get() - before <= 4, "one for each encoding");
    let snapshot = kept_views[0].snapshot().expect("a snapshot");
    let changes: Vec<_> = snapshot
        .of(Assignment)
        .changes_since(seq)
        .expect("recorded")
        .map(|(_, change)| change.name.to_string())
        .collect();
    assert_eq!(changes, [""; 0], "it is hidden");
    catalog.apply(&services(vec![web("shop/web", &["10.8.0.1:8080"])]));
    // A port that it does not have, and no VIP at all: nowhere.
    for (ips, ports) in [(&["10.13.0.9"][..], &[81][..]), (&[], &[80])] {
        catalog.apply(&vips("us-1", "shop/web", ips, ports, false));
        check(&[]);
    }
    // It is exported, or gone.
    catalog.apply(&vips("us-1", "shop/web", &["10.13.0.9"], &[80], true));
    let shown = hosts_of(&kept_views[0].snapshot().expect("a snapshot"), WEB);
    assert_eq!(shown, exported);
    catalog.apply(&vips("us-1", "shop/web", &["10.13.0.9"], &[80], false));
    check(&["us/us-1 10.13.0.9:80"]);
    catalog.apply(&vips_gone("us-1", "shop/web"));
    assert_eq!(hosts_of(&kept_views[3].snapshot().expect("a snapshot"), WEB), exported);
}
