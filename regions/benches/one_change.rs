//! The price of one endpoint that changes, from merged service to published snapshot, for one class of clients. It must
//! not depend on how many services there are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use divan::Bencher;
use federation::model::{
    Affinity, AppProtocol, Backend, ClusterId, Family, Health, Host, Merged, MergedPort, NameError, Network, Protocol,
    RegionId, SecondAddresses, ServiceKey, Traffic, Zone,
};
use federation::ranking::ClientClass;
use federation::{Effects, Place, Topology};
use regions::catalog::{Catalog, ClassSubscription};
use regions::class::{Class, EnvoyProfile, Interception, Profile};
use regions::resource::ResourceType;
use regions::session::{Ask, Request, Session, Variant};
use regions::stats::Stats;

const SERVICES: [usize; 3] = [100, 1_000, 10_000];
const HOSTS: u8 = 10;

fn main() {
    divan::main();
}

/// Merge result in, snapshot out.
#[divan::bench(args = SERVICES)]
fn catalog(bencher: Bencher, services: usize) {
    let Ok((mut catalog, _class)) = setup(services) else { return };
    let mut changes = Changes::default();
    bencher.with_inputs(|| changes.next()).bench_local_values(|effects| catalog.apply(&effects));
}

/// The same, and one delta client that follows everything is sent the change and acknowledges it.
#[divan::bench(args = SERVICES)]
fn catalog_and_session(bencher: Bencher, services: usize) {
    let Ok((mut catalog, class)) = setup(services) else { return };
    let mut session = follower(&class, services);
    let mut changes = Changes::default();
    bencher.with_inputs(|| changes.next()).bench_local_values(|effects| {
        catalog.apply(&effects);
        listen(&mut session, &class);
    });
}

type Setup = (Catalog, ClassSubscription);

fn setup(services: usize) -> Result<Setup, NameError> {
    let eu = RegionId::new("eu")?;
    let network = Network::default_network();
    let place = Place {
        region: eu.clone(),
        network: network.clone(),
        traffic: Traffic::Active,
        weight: None,
        families: None,
        services: Vec::new(),
    };
    let topology = Topology { members: [(ClusterId::new("eu-1")?, place)].into(), ..Topology::default() };
    let client = ClientClass { region: eu, zone: None, network, cluster: None, families: None };
    let profile = Profile::Envoy(EnvoyProfile {
        listen: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        interception: Interception::None,
        on_demand: false,
        leds: false,
        vhds: false,
    });
    let merged = (0..services).map(|i| service(i, HOSTS)).collect::<Result<Vec<_>, _>>()?;
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&Effects { services: merged, topology: Some(Arc::new(topology)), ..Effects::default() });
    catalog.set_ready();
    let class = catalog.open(&Class { client, network_named: true, profile }, Arc::default());
    Ok((catalog, class.map_err(|_| NameError::Empty)?))
}

type Named = (ServiceKey, Option<Arc<Merged>>);

fn service(index: usize, hosts: u8) -> Result<Named, NameError> {
    let key = ServiceKey::new("load", &format!("service-{index}"))?;
    let host = |i: u8| Host::new(SocketAddr::from(([10, 8, 0, i], 8_080)), Health::Ready);
    let backend = Backend {
        cluster: ClusterId::new("eu-1")?,
        zone: Some(Zone::new("eu-a")?),
        hosts: (0..hosts).map(host).collect(),
        second: SecondAddresses::default(),
    };
    let port = MergedPort {
        name: Arc::from("http"),
        port: 80,
        protocol: Protocol::Tcp,
        app: AppProtocol::Http,
        app_protocol: None,
        backends: vec![backend],
    };
    let merged = Merged {
        key: key.clone(),
        sources: Vec::new(),
        headless: false,
        affinity: Affinity::None,
        family: Family::V4,
        ports: vec![port],
    };
    Ok((key, Some(Arc::new(merged))))
}

/// One service whose last endpoint comes and goes.
#[derive(Default)]
struct Changes(u8);

impl Changes {
    fn next(&mut self) -> Effects {
        self.0 ^= 1;
        Effects { services: service(7, HOSTS + self.0).into_iter().collect(), ..Effects::default() }
    }
}

fn follower(class: &ClassSubscription, services: usize) -> Session {
    let mut session = Session::new(Variant::Delta);
    let names = (0..services).map(|i| format!("outbound|80||service-{i}.load.svc.cluster.local")).collect();
    let subscriptions = [
        (ResourceType::Cluster, Vec::new()),
        (ResourceType::Assignment, names),
        (ResourceType::Listener, Vec::new()),
        (ResourceType::Scope, Vec::new()),
    ];
    for (resource_type, subscribe) in subscriptions {
        request(&mut session, resource_type, String::new(), subscribe);
    }
    listen(&mut session, class);
    listen(&mut session, class);
    session
}

fn request(session: &mut Session, resource_type: ResourceType, nonce: String, subscribe: Vec<String>) {
    let ask = Ask::Delta { subscribe, unsubscribe: Vec::new(), known: Default::default() };
    divan::black_box(session.on_request(Request { resource_type, nonce, error: None, ask })).ok();
}

fn listen(session: &mut Session, class: &ClassSubscription) {
    let snapshot = class.snapshot();
    snapshot.into_iter().for_each(|snapshot| session.on_snapshot(snapshot));
    for response in session.responses().unwrap_or_default() {
        request(session, response.resource_type, format!("{:x}", response.nonce), Vec::new());
    }
}
