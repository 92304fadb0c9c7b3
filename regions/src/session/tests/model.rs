//! Random worlds, random moments: whatever happens, a client that behaves like Envoy ends up with exactly what it should
//! have, and at no moment holds something that refers to what it lacks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use federation::model::AppProtocol;
use proptest::prelude::*;

use super::ResourceType::{Assignment, Cluster, Listener, Scope};
use super::*;
use crate::testing::envoy::Held;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Service (0..4), protocol, port number, last octet of its endpoint.
    Put(u8, AppProtocol, u16, u8),
    Remove(u8),
    /// The services' virtual IPs by number, in one batch: they swap, go round, or are handed on.
    Vips([Option<u8>; SERVICES]),
    /// The client reads, applies and acknowledges the next responses.
    Read(u8),
    /// It asks again for what it has.
    AskAgain,
    Reconnect,
}

const SERVICES: usize = 4;

fn app() -> impl Strategy<Value = AppProtocol> {
    prop::sample::select(vec![AppProtocol::Http, AppProtocol::Http2, AppProtocol::Tcp])
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4u8, app(), prop::sample::select(vec![80, 81, 15_001]), 1..4u8).prop_map(|(s, a, p, h)| Step::Put(s, a, p, h)),
        2 => (0..4u8).prop_map(Step::Remove),
        3 => prop::array::uniform4(prop::option::weighted(0.8, 0..4u8)).prop_map(Step::Vips),
        6 => (1..4u8).prop_map(Step::Read),
        1 => Just(Step::AskAgain),
        1 => Just(Step::Reconnect),
    ]
}

/// What Envoy does with responses, as far as it matters here.
struct Envoy {
    catalog: Catalog,
    view: ClassSubscription,
    session: Session,
    /// Said, but not read yet.
    line: VecDeque<Response>,
    held: BTreeMap<ResourceType, BTreeMap<Arc<str>, Resource>>,
    /// Nonce of the last response read, by type, on this stream.
    read: HashMap<ResourceType, String>,
    /// The same, as far as it must fit together.
    fits: Held,
    member: Option<&'static str>,
    /// Clusters whose load assignment came after them.
    warm: BTreeSet<Arc<str>>,
    /// Names subscribed to on this stream (delta).
    subscribed: BTreeSet<Arc<str>>,
}

impl Envoy {
    fn new(variant: Variant, member: Option<&'static str>) -> Self {
        let mut catalog = Catalog::new(Arc::new(Stats::default()));
        catalog.apply(&two_members());
        catalog.set_ready();
        let session = Session::new(variant);
        let view = catalog.open(&class(member), session.interest().clone()).expect("a class");
        let mut envoy = Self {
            catalog,
            view,
            session,
            line: VecDeque::new(),
            held: BTreeMap::new(),
            fits: Held::default(),
            member,
            read: HashMap::new(),
            warm: BTreeSet::new(),
            subscribed: BTreeSet::new(),
        };
        envoy.connect();
        envoy
    }

    fn connect(&mut self) {
        self.session = Session::new(self.session.variant());
        self.view = self.catalog.open(&class(self.member), self.session.interest().clone()).expect("a class");
        self.line.clear();
        self.read.clear();
        self.subscribed.clear();
        // A connection that breaks between a cluster and its load assignment leaves both ends believing that all is
        // well. Nothing in the protocol can tell; Envoy's own timeout ends it.
        let held = self.held.get(&Cluster).into_iter().flatten();
        self.warm.extend(held.map(|(name, _)| name.clone()));
        for t in [Cluster, Assignment, Listener, Scope] {
            let known = self.held.get(&t).into_iter().flatten();
            let known = known.map(|(name, r)| (name.to_string(), version_text(r.version()))).collect();
            self.request(t, known, None);
        }
    }

    fn step(&mut self, step: Step) {
        let name = |service| format!("shop/{}", char::from(b'a' + service));
        match step {
            Step::Put(service, app, number, octet) => {
                let hosts = vec![backend("eu-1", "eu-a", &[&*format!("10.8.0.{octet}:80")])];
                self.catalog.apply(&services(vec![merged(&name(service), vec![port(number, app, hosts)])]));
            }
            Step::Remove(service) => self.catalog.apply(&service_gone(&name(service))),
            Step::Vips(numbers) => {
                let mut effects = Effects::default();
                for (service, number) in (0..).zip(numbers) {
                    let name = name(service);
                    effects.vips.extend(match number {
                        Some(number) => vips("eu-1", &name, &[&*format!("10.12.0.{number}")], &[80, 81], true).vips,
                        None => vips_gone("eu-1", &name).vips,
                    });
                }
                self.catalog.apply(&effects);
            }
            Step::Read(responses) => {
                for _ in 0..responses {
                    self.read_one();
                }
            }
            Step::AskAgain => self.request(Assignment, HashMap::new(), self.read.get(&Assignment).cloned()),
            Step::Reconnect => self.connect(),
        }
        self.listen();
    }

    fn listen(&mut self) {
        let snapshot = self.view.snapshot().expect("a snapshot");
        self.session.on_snapshot(snapshot);
        self.line.extend(self.session.responses().expect("not too far behind"));
    }

    /// Says what is wanted of a type, with a nonce if it is an answer.
    fn request(&mut self, t: ResourceType, known: HashMap<String, String>, nonce: Option<String>) {
        let clusters = self.held.get(&Cluster).into_iter().flatten().map(|(name, _)| name);
        let wanted: BTreeSet<Arc<str>> = if t == Assignment {
            clusters.filter(|name| name.starts_with("outbound")).cloned().collect()
        } else {
            BTreeSet::new()
        };
        let text = |names: Vec<&Arc<str>>| names.into_iter().map(ToString::to_string).collect::<Vec<_>>();
        let ask = match self.session.variant() {
            Variant::Sotw => Ask::Sotw { names: text(wanted.iter().collect()) },
            Variant::Delta if t == Assignment => {
                let subscribe = text(wanted.difference(&self.subscribed).collect());
                let unsubscribe = text(self.subscribed.difference(&wanted).collect());
                self.subscribed = wanted;
                Ask::Delta { subscribe, unsubscribe, known }
            }
            Variant::Delta => Ask::Delta { subscribe: Vec::new(), unsubscribe: Vec::new(), known },
        };
        let request = Request { resource_type: t, nonce: nonce.unwrap_or_default(), error: None, ask };
        self.session.on_request(request).expect("accepted");
        self.listen();
    }

    fn read_one(&mut self) {
        let Some(response) = self.line.pop_front() else { return };
        let t = response.resource_type;
        let first = self.read.insert(t, nonce_text(response.nonce)).is_none();
        let held = self.held.entry(t).or_default();
        let before = held.clone();
        if self.session.variant() == Variant::Sotw && t.allows_wildcard() {
            held.clear();
        }
        let whole = self.session.variant() == Variant::Sotw && t.allows_wildcard();
        self.fits.apply(t, &response.resources, &response.removed, whole);
        held.extend(response.resources.iter().map(|r| (r.name().clone(), r.clone())));
        for name in &response.removed {
            held.remove(name);
        }
        match t {
            Cluster => {
                let now = held.clone();
                self.warm.retain(|name| now.contains_key(name) && now.get(name) == before.get(name));
                // After a reconnect what is gone may go at once; else only when nothing refers to it any more.
                if !first {
                    self.check_references(&[Listener, Scope], "a cluster left too early");
                }
                // Envoy asks for load assignments anew whenever clusters changed.
                let nonce = self.read.get(&Assignment).cloned();
                let delta = self.session.variant() == Variant::Delta;
                self.request(Assignment, HashMap::new(), nonce.filter(|_| !delta));
            }
            Assignment => self.warm.extend(response.resources.iter().map(|r| r.name().clone())),
            Listener | Scope => self.check_references(&[t], "a route came too early"),
            _ => {}
        }
        self.request(t, HashMap::new(), self.read.get(&t).cloned());
    }

    fn check_references(&self, types: &[ResourceType], why: &str) {
        let clusters = self.held.get(&Cluster).cloned().unwrap_or_default();
        for cluster in types.iter().flat_map(|t| self.fits.clusters(*t)) {
            assert!(clusters.contains_key(&*cluster), "{why}: {cluster}");
        }
    }

    fn check_the_end(&mut self) {
        while !self.line.is_empty() {
            self.read_one();
        }
        let snapshot = self.view.snapshot().expect("a snapshot");
        for t in [Cluster, Listener, Scope] {
            let should: Vec<_> = snapshot.of(t).iter().collect();
            let has: Vec<_> = self.held.get(&t).into_iter().flatten().map(|(_, r)| r).collect();
            assert_eq!(has, should, "{}", t.label());
        }
        for load in snapshot.of(Assignment).iter() {
            let has = self.held.get(&Assignment).and_then(|held| held.get(load.name()));
            assert_eq!(has, Some(load));
            assert!(self.warm.contains(load.name()), "C34: {load:?} did not follow its cluster");
        }
        for t in ResourceType::ALL {
            assert_eq!(self.session.status(t).nacks, 0);
            assert!(!self.session.status(t).outstanding, "{} waits for ever", t.label());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_delta_client_ends_up_with_what_it_should_have(steps in prop::collection::vec(step(), 1..60), sidecar: bool) {
        run(Variant::Delta, sidecar, &steps);
    }

    #[test]
    fn a_state_of_the_world_client_ends_up_with_what_it_should_have(
        steps in prop::collection::vec(step(), 1..60),
        sidecar: bool,
    ) {
        run(Variant::Sotw, sidecar, &steps);
    }
}

fn run(variant: Variant, sidecar: bool, steps: &[Step]) {
    let mut envoy = Envoy::new(variant, sidecar.then_some("eu-1"));
    for step in steps {
        envoy.step(*step);
    }
    envoy.check_the_end();
}
