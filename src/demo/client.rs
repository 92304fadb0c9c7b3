//! Steady clients: each sends one request after the other through its region's Envoy, at a fixed pace, on one connection
//! that it keeps, and writes down what came of every single one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::http::{Connection, HttpError, Reply};
use super::record::{Answer, Failure, Outcome, Record};
use super::world::Spot;

/// Clients in each region, and how often each of them asks.
pub const CLIENTS_PER_REGION: usize = 4;
pub const PERIOD: Duration = Duration::from_millis(20);
/// A request that takes longer has failed.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(1);

/// Records that may wait to be read; about ten seconds of traffic. Full: the clients wait, and nothing is lost.
const MAX_WAITING: usize = 8_192;
/// Different answers one client remembers, so that equal ones share memory.
const MAX_ANSWERS: usize = 256;

/// Where a client sits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    pub region: &'static str,
    pub proxy: SocketAddr,
}

/// Running clients. Dropping this ends them.
#[derive(Debug)]
pub struct Clients {
    records: mpsc::Receiver<Record>,
    _tasks: JoinSet<()>,
}

impl Clients {
    /// Starts one client per seat; their first requests are spread over one period.
    pub fn start(seats: &[Seat], host: &str, epoch: Instant) -> Self {
        let (sender, records) = mpsc::channel(MAX_WAITING);
        let mut tasks = JoinSet::new();
        let spread = PERIOD / u32::try_from(seats.len().max(1)).unwrap_or(u32::MAX);
        for ((index, seat), turn) in seats.iter().enumerate().zip(0..) {
            let host = host.to_owned();
            let client = Client { index, proxy: seat.proxy, host, epoch, connection: None, known: HashMap::new() };
            tasks.spawn(client.run(spread * turn, sender.clone()));
        }
        Self { records, _tasks: tasks }
    }

    /// Moves everything recorded since the last call into `into`.
    pub fn drain(&mut self, into: &mut Vec<Record>) {
        while let Ok(record) = self.records.try_recv() {
            into.push(record);
        }
    }
}

struct Client {
    index: usize,
    proxy: SocketAddr,
    host: String,
    epoch: Instant,
    connection: Option<Connection>,
    known: HashMap<Vec<u8>, Arc<Spot>>,
}

impl Client {
    async fn run(mut self, delay: Duration, records: mpsc::Sender<Record>) {
        tokio::time::sleep(delay).await;
        let mut ticks = tokio::time::interval(PERIOD);
        // A slow answer delays the next request: a client has one request under way at a time.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let started = self.epoch.elapsed();
            let outcome = self.ask().await;
            let record = Record { client: self.index, started, ended: self.epoch.elapsed(), outcome };
            if records.send(record).await.is_err() {
                return;
            }
        }
    }

    async fn ask(&mut self) -> Outcome {
        match tokio::time::timeout(REQUEST_LIMIT, self.exchange()).await {
            Ok(Ok(reply)) => self.read(reply),
            Ok(Err(_)) => self.give_up(Failure::Proxy),
            Err(_) => self.give_up(Failure::TimedOut),
        }
    }

    async fn exchange(&mut self) -> Result<Reply, HttpError> {
        // Taken out, so that an exchange that is cut short does not leave a half-used connection behind.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.proxy).await?,
        };
        let reply = connection.get(&self.host, "/").await?;
        if reply.keep_alive {
            self.connection = Some(connection);
        }
        Ok(reply)
    }

    fn give_up(&mut self, failure: Failure) -> Outcome {
        self.connection = None;
        Outcome::Failed(failure)
    }

    fn read(&mut self, reply: Reply) -> Outcome {
        if reply.status != 200 {
            return Outcome::Failed(Failure::of(reply.status, &reply.body));
        }
        if let Some(spot) = self.known.get(&reply.body) {
            return Outcome::Served(Arc::clone(spot));
        }
        let Some(spot) = spot_of(&reply.body) else {
            return Outcome::Failed(Failure::OtherAnswer);
        };
        let spot = Arc::new(spot);
        if self.known.len() < MAX_ANSWERS {
            self.known.insert(reply.body, Arc::clone(&spot));
        }
        Outcome::Served(spot)
    }
}

/// Who answered, if it was a backend of ours.
pub fn spot_of(body: &[u8]) -> Option<Spot> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    Some(Spot { region: answer.region, cluster: answer.cluster, zone: answer.zone })
}
