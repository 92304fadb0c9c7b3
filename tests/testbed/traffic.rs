//! A steady client that writes down what became of every request.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::http;

/// A request without an answer for this long is an error.
const REQUEST_LIMIT: Duration = Duration::from_secs(3);
const MAX_IN_FLIGHT: usize = 256;
/// The end of a client that was forgotten.
const MAX_REQUESTS: usize = 200_000;

/// What became of one request.
#[derive(Debug, Clone)]
pub struct Sample {
    pub started: Instant,
    pub took: Duration,
    /// The identity that answered, or what went wrong; a status other than 200
    /// is an error.
    pub outcome: Result<String, String>,
}

/// Sends requests until stopped or dropped.
pub struct Traffic {
    samples: Arc<Mutex<Vec<Sample>>>,
    in_flight: Arc<Semaphore>,
    task: JoinHandle<()>,
}

impl Traffic {
    /// `GET /` at `target` as `host`, `per_second` times a second, each on a
    /// connection of its own and none waiting for another's answer, so that a
    /// slow answer does not hide the failures behind it.
    pub fn start(target: SocketAddr, host: &str, per_second: u32) -> Self {
        let samples = Arc::<Mutex<Vec<Sample>>>::default();
        let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        let host: Arc<str> = host.into();
        let task = tokio::spawn({
            let (samples, in_flight) = (Arc::clone(&samples), Arc::clone(&in_flight));
            async move {
                let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second.max(1));
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                for _ in 0..MAX_REQUESTS {
                    ticks.tick().await;
                    let Ok(permit) = Arc::clone(&in_flight).try_acquire_owned() else {
                        push(&samples, Instant::now(), Err(format!("{MAX_IN_FLIGHT} requests are unanswered")));
                        continue;
                    };
                    let (samples, host) = (Arc::clone(&samples), Arc::clone(&host));
                    tokio::spawn(async move {
                        let started = Instant::now();
                        push(&samples, started, one(target, &host).await);
                        drop(permit);
                    });
                }
            }
        });
        Self { samples, in_flight, task }
    }

    /// What is known so far, by time of the request.
    pub fn so_far(&self) -> Record {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone();
        samples.sort_by_key(|sample| sample.started);
        Record { samples }
    }

    /// Sends no more, waits for the open answers and gives the whole record.
    pub async fn stop(self) -> Record {
        self.task.abort();
        let all = u32::try_from(MAX_IN_FLIGHT).expect("a small number");
        // Each request ends within its limit, so this does too.
        let _ = self.in_flight.acquire_many(all).await;
        self.so_far()
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn one(target: SocketAddr, host: &str) -> Result<String, String> {
    let answer = http::get(target, host, "/", REQUEST_LIMIT).await?;
    if answer.status == 200 { Ok(answer.body) } else { Err(format!("{}: {}", answer.status, answer.body.trim())) }
}

fn push(samples: &Mutex<Vec<Sample>>, started: Instant, outcome: Result<String, String>) {
    let sample = Sample { started, took: started.elapsed(), outcome };
    samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
}

/// What a client saw, by time of the request.
#[derive(Debug, Clone)]
pub struct Record {
    pub samples: Vec<Sample>,
}

impl Record {
    /// Only the requests sent from `from` on.
    pub fn since(&self, from: Instant) -> Self {
        self.filter(|sample| sample.started >= from)
    }

    /// Only the requests sent before `to`.
    pub fn until(&self, to: Instant) -> Self {
        self.filter(|sample| sample.started < to)
    }

    /// How many answers came from each identity.
    pub fn by_identity(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for identity in self.samples.iter().filter_map(|sample| sample.outcome.clone().ok()) {
            *counts.entry(identity).or_insert(0) += 1;
        }
        counts
    }

    /// When each failed request was sent, and how it failed.
    pub fn errors(&self) -> Vec<(Instant, String)> {
        let failed = |sample: &Sample| sample.outcome.clone().err().map(|error| (sample.started, error));
        self.samples.iter().filter_map(failed).collect()
    }

    /// When the first request was sent that this identity answered.
    pub fn first_from(&self, identity: &str) -> Option<Instant> {
        self.from(identity).next()
    }

    /// When the last request was sent that this identity answered.
    pub fn last_from(&self, identity: &str) -> Option<Instant> {
        self.from(identity).last()
    }

    fn from(&self, identity: &str) -> impl Iterator<Item = Instant> {
        let matches = move |sample: &&Sample| sample.outcome.as_deref() == Ok(identity);
        self.samples.iter().filter(matches).map(|sample| sample.started)
    }

    fn filter(&self, keep: impl Fn(&Sample) -> bool) -> Self {
        Self { samples: self.samples.iter().filter(|sample| keep(sample)).cloned().collect() }
    }
}
