//! All clients of a run: their identities, what each of them subscribes to, and waiting for them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use regions::session::Variant;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::args::{Plan, Subscribe};
use super::client::wire::Node;
use super::client::{Client, ClientKind, Common, Counts, Holding, ORDERS, Order, Peer, Progress};
use super::error::BenchError;
use super::protocol::now_ns;
use super::random::Random;

/// How often it is checked whether clients still receive anything.
const LOOK: Duration = Duration::from_millis(20);

/// A client's identity: everything that decides what it is sent.
#[derive(Clone, Debug)]
pub struct Profile {
    variant: Variant,
    kind: ClientKind,
    node: Node,
    /// Services it uses; empty if it subscribes to all.
    pub services: Vec<usize>,
    names: Vec<String>,
}

/// Numbered clients.
#[derive(Clone, Debug)]
pub struct Profiles {
    all: Vec<Profile>,
}

pub struct Crowd {
    members: Vec<Member>,
    tasks: JoinSet<()>,
    pub progress: Arc<Progress>,
    times: mpsc::UnboundedReceiver<u64>,
}

struct Member {
    orders: mpsc::Sender<Order>,
}

impl Profiles {
    pub fn of(plan: &Plan) -> Self {
        Self { all: (0..plan.clients).map(|client| Self::one(plan, client)).collect() }
    }

    /// The additional clients that stop reading. No change waits for them.
    pub fn stalled(plan: &Plan) -> Self {
        Self { all: (plan.clients..plan.clients + plan.stalled).map(|client| Self::one(plan, client)).collect() }
    }

    fn one(plan: &Plan, client: usize) -> Profile {
        let federation = &plan.federation;
        let class = client % plan.classes;
        let cluster = class % federation.clusters;
        let services = match plan.subscribe {
            Subscribe::All => Vec::new(),
            // Seeds far apart, so that the sequences of two clients do not overlap.
            Subscribe::OnDemand(count) => {
                Random::new(plan.seed << 32 ^ client as u64).distinct(count, federation.services)
            }
        };
        let node = Node {
            id: format!("bench-{client}"),
            cluster,
            region: federation.region_of(cluster),
            zone: class / federation.clusters % federation.zones,
            on_demand: !services.is_empty(),
            leds: plan.leds,
        };
        let names = services.iter().map(|service| federation.vip_name(cluster, *service)).collect();
        Profile { variant: plan.variant, kind: plan.client, node, services, names }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.all.iter()
    }

    pub fn get(&self, client: usize) -> Option<&Profile> {
        self.all.get(client)
    }

    /// How many clients hold the endpoints of this service.
    pub fn users(&self, service: usize) -> usize {
        self.all.iter().filter(|p| p.services.is_empty() || p.services.binary_search(&service).is_ok()).count()
    }
}

impl Crowd {
    /// Starts them all at once. Each is complete when it has as many resources of each type as `expected`.
    pub fn start<'a>(
        profiles: impl Iterator<Item = &'a Profile>,
        server: SocketAddr,
        common: &Arc<Common>,
        expected: Counts,
    ) -> Self {
        let progress = Arc::new(Progress::default());
        let (sender, times) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let mut members = Vec::new();
        for profile in profiles {
            let (orders, receiver) = mpsc::channel(ORDERS);
            let Profile { variant, kind, node, names, .. } = profile.clone();
            let peer = Peer::new(variant, Arc::clone(common), node.encode(), names);
            let client = Client {
                peer,
                server,
                kind,
                progress: Arc::clone(&progress),
                expected,
                orders: receiver,
                times: sender.clone(),
            };
            tasks.spawn(client.run());
            members.push(Member { orders });
        }
        Self { members, tasks, progress, times }
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Waits until all are complete, and returns the time at which each of them became complete.
    pub async fn complete(&mut self, what: &str, patience: Duration) -> Result<Vec<u64>, BenchError> {
        let deadline = Instant::now() + patience;
        let expected = self.len();
        let mut at = Vec::with_capacity(expected);
        while at.len() < expected {
            tokio::select! {
                Some(time) = self.times.recv() => at.push(time),
                () = tokio::time::sleep_until(deadline) => {
                    let lost = self.progress.lost.load(Ordering::Acquire);
                    let detail = if lost > 0 { format!("; {lost} gave up") } else { String::new() };
                    let (what, reached) = (what.to_owned(), at.len());
                    return Err(BenchError::TooSlow { what, reached, expected, waited: patience, detail });
                }
            }
        }
        Ok(at)
    }

    /// Waits until no client has received anything for `quiet`.
    pub async fn silence(&self, quiet: Duration, patience: Duration) -> Result<(), BenchError> {
        let deadline = Instant::now() + patience;
        let started = now_ns();
        let quiet_ns = u64::try_from(quiet.as_nanos()).unwrap_or(u64::MAX);
        loop {
            if now_ns().saturating_sub(self.progress.last_ns().max(started)) >= quiet_ns {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let what = "clients still receive responses; quiet ones".to_owned();
                let (expected, detail) = (self.len(), String::new());
                return Err(BenchError::TooSlow { what, reached: 0, expected, waited: patience, detail });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// All drop their connections at once and reconnect.
    pub async fn reconnect(&mut self) {
        while self.times.try_recv().is_ok() {} // left over from clients that completed since
        for client in 0..self.len() {
            self.order(client, Order::Reconnect).await;
        }
    }

    /// Sends an order to one client. A client that gave up does not receive it; that is noticed elsewhere.
    pub async fn order(&self, client: usize, order: Order) {
        if let Some(member) = self.members.get(client) {
            drop(member.orders.send(order).await);
        }
    }

    pub async fn show(&self, client: usize) -> Option<Holding> {
        let (sender, receiver) = oneshot::channel();
        self.order(client, Order::Show(sender)).await;
        receiver.await.ok()
    }

    pub fn bytes(&self) -> u64 {
        self.progress.bytes.load(Ordering::Relaxed)
    }

    pub fn messages(&self) -> u64 {
        self.progress.messages.load(Ordering::Relaxed)
    }

    /// Ends all clients, and waits until they have ended.
    pub async fn end(mut self) {
        self.members.clear();
        while self.tasks.join_next().await.is_some() {}
    }
}
