//! Steady clients: each sends one request after the other through its region's Envoy, at a fixed pace, on one connection
//! that it keeps, and writes down what came of every single one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::http::{Connection, HttpError, Reply};
use super::record::{Answer, Failure, Outcome, Record};
use super::world::Spot;

/// Clients in each region, and how often each of them asks on average.
pub const CLIENTS_PER_REGION: usize = 4;
pub const PERIOD: Duration = Duration::from_millis(20);
/// The least and the most a client waits from one request to the next. Clients in lockstep would meet a proxy's round
/// robin at the same place each time, and each of them would see one pod only.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 15..=25;
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
        let mut pauses = Pauses::new(self.index);
        loop {
            let next = tokio::time::Instant::now() + pauses.next();
            let started = self.epoch.elapsed();
            let outcome = self.ask().await;
            let record = Record { client: self.index, started, ended: self.epoch.elapsed(), outcome };
            if records.send(record).await.is_err() {
                return;
            }
            // A slow answer delays the next request: a client has one request under way at a time.
            tokio::time::sleep_until(next).await;
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

/// Uneven pauses, the same ones in every run.
struct Pauses(u64);

impl Pauses {
    fn new(client: usize) -> Self {
        // Any start but zero will do, as long as clients differ.
        Self(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(u64::try_from(client).unwrap_or(0) + 1) | 1)
    }

    fn next(&mut self) -> Duration {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let span = PAUSE_MS.end() - PAUSE_MS.start() + 1;
        Duration::from_millis(PAUSE_MS.start() + self.0 % span)
    }
}

/// Who answered, if it was a backend of ours.
pub fn spot_of(body: &[u8]) -> Option<Spot> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    Some(Spot { region: answer.region, cluster: answer.cluster, zone: answer.zone })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_uneven_and_keep_the_pace() {
        let mut one = Pauses::new(0);
        let pauses: Vec<Duration> = (0..10_000).map(|_| one.next()).collect();
        let mean = pauses.iter().sum::<Duration>() / 10_000;
        assert!(mean.abs_diff(PERIOD) < Duration::from_millis(1), "{mean:?}");
        assert_eq!(
            pauses.iter().min().zip(pauses.iter().max()).map(|(a, b)| (a.as_millis(), b.as_millis())),
            Some((15, 25))
        );
        let mut other = Pauses::new(1);
        assert!(pauses.iter().take(100).ne((0..100).map(|_| other.next()).collect::<Vec<_>>().iter()));
    }

    #[test]
    fn only_our_pods_count_as_answers() {
        let body = br#"{"service":"web","region":"eu","cluster":"eu-1","zone":"eu-a","pod":"web-a-1"}"#;
        assert_eq!(spot_of(body), Some(Spot::new("eu", "eu-1", "eu-a")));
        assert_eq!(spot_of(b"<html>"), None);
    }
}
