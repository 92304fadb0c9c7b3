//! Random changes at random moments: whatever happens, a client that behaves like Envoy ends up with exactly what it should
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
    /// The control plane is replaced by one that has not reached the member that backs the last service, if `true`.
    Restart(bool),
    /// That member is reached.
    Back,
    /// The client's own member is taken out, or let in again.
    Member(bool),
}

const SERVICES: usize = 4;
const TOO_EARLY: &str = "a route came too early";

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
        1 => any::<bool>().prop_map(Step::Restart),
        1 => Just(Step::Back),
        1 => any::<bool>().prop_map(Step::Member),
    ]
}

/// What Envoy does with responses, as far as it matters here.
struct Envoy {
    catalog: Catalog,
    view: ClassSubscription,
    session: Session,
    /// Sent, but not read yet.
    line: VecDeque<Response>,
    held: BTreeMap<ResourceType, BTreeMap<Arc<str>, Resource>>,
    /// Nonce of the last response read, by type, on this stream.
    read: HashMap<ResourceType, String>,
    /// The same, as far as it must fit together.
    fits: Held,
    member: Option<&'static str>,
    /// Clusters whose load assignment came after them.
    warm: BTreeSet<Arc<str>>,
    /// Types that it asked for, on this stream and before.
    asked: BTreeSet<ResourceType>,
    /// Clusters that had their load assignment once: one that changes serves as it was until it is warm again.
    usable: BTreeSet<Arc<str>>,
    /// Names subscribed to on this stream (delta).
    subscribed: BTreeSet<Arc<str>>,
    truth: Truth,
    /// The control plane was incomplete once: what it left alone may refer to what known members gave up.
    excused: bool,
    /// What it had of the last service when the control plane was replaced by one that does not know it.
    kept: Vec<(ResourceType, Arc<str>)>,
}

/// What there is, known or not.
#[derive(Default)]
struct Truth {
    services: BTreeMap<u8, (AppProtocol, u16, u8)>,
    vips: [Option<u8>; SERVICES],
    away: bool,
    left: bool,
}

/// The service that `us-1` alone backs.
const REMOTE: u8 = 3;

fn name(service: u8) -> String {
    format!("shop/{}", char::from(b'a' + service))
}

impl Truth {
    fn topology(&self) -> Effects {
        let us = ("us-1", "us", &["10.13.0.0/20"][..]);
        if self.left { topology(&[us]) } else { topology(&[("eu-1", "eu", &["10.12.0.0/20"]), us]) }
    }

    fn unknown(&self) -> Effects {
        let unknown = if self.away { BTreeSet::from([cluster_id("us-1")]) } else { BTreeSet::new() };
        Effects { unknown: Some(Arc::new(unknown)), ..Effects::default() }
    }

    /// The service as the control plane knows it.
    fn service(&self, service: u8) -> Effects {
        let known = self.services.get(&service).filter(|_| !(self.away && service == REMOTE));
        let Some((app, number, octet)) = known else { return service_gone(&name(service)) };
        let hosts = vec![backend("eu-1", "eu-a", &[&*format!("10.8.0.{octet}:80")])];
        services(vec![merged(&name(service), vec![port(*number, *app, hosts)])])
    }

    fn all_vips(&self) -> Effects {
        let mut effects = Effects::default();
        for (service, number) in (0..).zip(self.vips) {
            let in_doubt = self.away && service == REMOTE;
            let mut one = match number {
                Some(number) => {
                    vips("eu-1", &name(service), &[&*format!("10.12.0.{number}")], &[80, 81], !in_doubt).vips
                }
                None => vips_gone("eu-1", &name(service)).vips,
            };
            for (_, _, vips) in &mut one {
                vips.as_mut().into_iter().for_each(|vips| Arc::make_mut(vips).awaits_source = in_doubt);
            }
            effects.vips.extend(one);
        }
        effects
    }

    fn apply_to(&self, catalog: &mut Catalog) {
        catalog.apply(&self.topology());
        catalog.apply(&self.unknown());
        (0..=REMOTE).for_each(|service| catalog.apply(&self.service(service)));
        catalog.apply(&self.all_vips());
    }
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
            asked: BTreeSet::new(),
            usable: BTreeSet::new(),
            subscribed: BTreeSet::new(),
            truth: Truth::default(),
            excused: false,
            kept: Vec::new(),
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
        // well. Nothing in the protocol shows that; Envoy's own timeout ends it.
        let held = self.held.get(&Cluster).into_iter().flatten();
        self.warm.extend(held.map(|(name, _)| name.clone()));
        self.usable.extend(self.warm.iter().cloned());
        self.asked.insert(Cluster);
        for t in self.asked.clone() {
            let known = self.held.get(&t).into_iter().flatten();
            let known = known.map(|(name, r)| (name.to_string(), version_text(r.version()))).collect();
            self.request(t, known, None);
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Put(service, app, number, octet) => {
                self.truth.services.insert(service, (app, number, octet));
                self.catalog.apply(&self.truth.service(service));
            }
            Step::Remove(service) => {
                self.truth.services.remove(&service);
                self.catalog.apply(&self.truth.service(service));
            }
            Step::Vips(numbers) => {
                self.truth.vips = numbers;
                self.catalog.apply(&self.truth.all_vips());
            }
            Step::Restart(away) => self.restart(away),
            Step::Back => self.back(),
            Step::Member(there) => {
                self.truth.left = !there;
                self.kept.clear(); // that the client's own member left is knowledge
                self.catalog.apply(&self.truth.topology());
            }
            Step::Read(responses) => {
                for _ in 0..responses {
                    self.read_one();
                }
            }
            Step::AskAgain => self.request(Assignment, HashMap::new(), self.read.get(&Assignment).cloned()),
            Step::Reconnect => self.connect(),
        }
        self.receive();
    }

    fn restart(&mut self, away: bool) {
        self.truth.away = away;
        self.excused |= away;
        self.catalog = Catalog::new(Arc::new(Stats::default()));
        self.truth.apply_to(&mut self.catalog);
        self.catalog.set_ready();
        let held = [Cluster, Assignment].into_iter().flat_map(|t| {
            let of = self.held.get(&t).into_iter().flatten();
            of.map(move |(name, _)| (t, name.clone()))
        });
        let remote = |(_, name): &(ResourceType, Arc<str>)| away && name.contains("||d.");
        self.kept = held.filter(|_| !self.truth.left).filter(remote).collect();
        self.connect();
    }

    fn back(&mut self) {
        self.truth.away = false;
        self.kept.clear();
        self.truth.apply_to(&mut self.catalog);
    }

    fn receive(&mut self) {
        let snapshot = self.view.snapshot().expect("a snapshot");
        self.session.on_snapshot(snapshot);
        self.line.extend(self.session.responses().expect("not too far behind"));
    }

    /// Says what is wanted of a type, with a nonce if it is an answer.
    fn request(&mut self, t: ResourceType, known: HashMap<String, String>, nonce: Option<String>) {
        let versions = known.iter().map(|(name, version)| (&**name, crate::resource::parse_version(version)));
        let known = Known::new(versions);
        let wanted = if t == Assignment { self.wanted_assignments() } else { BTreeSet::new() };
        let text = |names: Vec<&Arc<str>>| names.into_iter().map(ToString::to_string).collect::<Vec<_>>();
        let ask = match self.session.variant() {
            Variant::Sotw => Ask::Sotw { names: text(wanted.iter().collect()), returning: !known.is_empty() },
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
        self.receive();
    }

    fn wanted_assignments(&self) -> BTreeSet<Arc<str>> {
        let clusters = self.held.get(&Cluster).into_iter().flatten().map(|(name, _)| name);
        clusters.filter(|name| name.starts_with("outbound")).cloned().collect()
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
        for (_, name) in self.kept.iter().filter(|(kept, _)| *kept == t) {
            assert!(held.contains_key(name), "{name} was removed although it is not known whether it is gone");
        }
        match t {
            Cluster => {
                let now = held.clone();
                self.usable.retain(|name| now.contains_key(name));
                self.warm.retain(|name| now.contains_key(name) && now.get(name) == before.get(name));
                // After a reconnect what is gone may go at once; else only when nothing refers to it any more.
                if !first {
                    self.check_references(&[Listener, Scope], "a cluster left too early");
                }
                // Envoy asks for load assignments again whenever clusters changed.
                if !self.wanted_assignments().is_empty() || self.asked.contains(&Assignment) {
                    let nonce = self.read.get(&Assignment).cloned();
                    let delta = self.session.variant() == Variant::Delta;
                    self.asked.insert(Assignment);
                    self.request(Assignment, HashMap::new(), nonce.filter(|_| !delta));
                }
            }
            Assignment => {
                self.warm.extend(response.resources.iter().map(|r| r.name().clone()));
                self.usable.extend(self.warm.iter().cloned());
            }
            Listener | Scope => self.check_references(&[t], TOO_EARLY),
            _ => {}
        }
        self.request(t, HashMap::new(), self.read.get(&t).cloned());
        self.ask_for_more();
    }

    /// Envoy asks for listeners once all clusters of its first response are warm, and for scopes once a listener has some.
    fn ask_for_more(&mut self) {
        let next = if self.read.contains_key(&Listener) {
            Scope
        } else if self.wanted_assignments().is_subset(&self.usable) {
            Listener
        } else {
            return;
        };
        if self.asked.insert(next) {
            self.request(next, HashMap::new(), None);
        }
    }

    fn check_references(&self, types: &[ResourceType], why: &str) {
        if self.excused {
            return;
        }
        let clusters = self.held.get(&Cluster).cloned().unwrap_or_default();
        for cluster in types.iter().flat_map(|t| self.fits.clusters(*t)) {
            assert!(clusters.contains_key(&*cluster), "{why}: {cluster}");
            if why == TOO_EARLY && cluster.starts_with("outbound") {
                assert!(self.usable.contains(&*cluster), "{why}: {cluster} has no load assignment yet");
            }
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
            assert!(!self.session.status(t).outstanding, "{} waits forever", t.label());
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
    envoy.step(Step::Back);
    envoy.check_the_end();
}
