//! What scenarios share: one control plane, and one crowd of clients that stays connected from scenario to scenario.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use regions::resource::ResourceType;
use tokio::time::timeout;

use super::super::args::{Plan, Subscribe};
use super::super::board::Watched;
use super::super::client::{Common, Counts};
use super::super::crowd::{Crowd, Profiles};
use super::super::error::BenchError;
use super::super::link::Link;
use super::super::protocol::{Command, Counters};
use super::super::random::Random;
use super::super::synthetic::SPARE_SERVICES;
use super::meter::{self, Meter};
use super::start::{self, Started};

/// The server is idle when its counters have not changed for so long.
const REST: Duration = Duration::from_millis(30);
/// After so many checks the scenario goes on all the same; the figures then include whatever the server still does.
const REST_LOOKS: usize = 300;
const DRAWS: usize = 100_000;

/// A resource that a scenario changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    pub resource_type: ResourceType,
    pub id: u32,
}

pub struct Testbed<'a> {
    pub plan: &'a Plan,
    pub plane: Link,
    pub common: Arc<Common>,
    pub profiles: Profiles,
    pub started: Started,
    /// What every client holds when it is complete.
    pub expected: Counts,
    pub crowd: Option<Crowd>,
    pub random: Random,
    /// CPU of bare servers that have ended.
    pub floors_cpu: Duration,
    /// Numbers of services that may be added.
    pub spare: VecDeque<usize>,
}

impl<'a> Testbed<'a> {
    /// Starts the server and finds out, with a client of its own, what a complete client holds.
    pub async fn set(plan: &'a Plan) -> Result<Self, BenchError> {
        let profiles = Profiles::of(plan);
        let common = Arc::new(Common::default());
        let (plane, started) = start::start(plan, &profiles, &common).await?;
        let expected = started.counts;
        let random = Random::new(plan.seed);
        // With clusters on demand no client receives a TCP service before using it.
        let is_received = |service: &usize| plan.subscribe == Subscribe::All || !plan.federation.is_tcp(*service);
        let spare = (plan.federation.services..plan.federation.services + SPARE_SERVICES).filter(is_received).collect();
        Ok(Self {
            plan,
            plane,
            common,
            profiles,
            started,
            expected,
            crowd: None,
            random,
            spare,
            floors_cpu: Duration::ZERO,
        })
    }

    /// CPU that the servers used so far.
    pub fn cpu(&self) -> Result<Duration, BenchError> {
        Ok(self.plane.process.cpu()? + self.floors_cpu)
    }

    pub async fn end(mut self) {
        self.leave().await;
        self.plane.end().await;
    }

    /// Has all clients connected and complete.
    pub async fn crowd(&mut self) -> Result<(), BenchError> {
        if self.crowd.is_none() {
            self.connect().await?;
        }
        Ok(())
    }

    /// Connects all clients at once, and returns the time at which each of them became complete.
    pub async fn connect(&mut self) -> Result<Vec<u64>, BenchError> {
        let mut crowd = Crowd::start(self.profiles.iter(), self.plane.address, &self.common, self.expected);
        let at = crowd.complete("clients that have everything", self.plan.timeout).await?;
        self.crowd = Some(crowd);
        Ok(at)
    }

    pub async fn leave(&mut self) {
        if let Some(crowd) = self.crowd.take() {
            crowd.end().await;
        }
    }

    pub fn connected(&mut self) -> Result<&mut Crowd, BenchError> {
        self.crowd.as_mut().ok_or_else(|| BenchError::Server("no client is connected".to_owned()))
    }

    pub fn received(&self) -> (u64, u64) {
        self.crowd.as_ref().map_or((0, 0), |crowd| (crowd.bytes(), crowd.messages()))
    }

    /// Waits until the server has processed what clients sent.
    pub async fn rest(&mut self) -> Result<Counters, BenchError> {
        let mut counters = self.plane.counters().await?;
        for _ in 0..REST_LOOKS {
            tokio::time::sleep(REST).await;
            let now = self.plane.counters().await?;
            if now == counters {
                break;
            }
            counters = now;
        }
        Ok(counters)
    }

    pub async fn meter(&mut self) -> Result<Meter, BenchError> {
        let counters = self.rest().await?;
        Meter::start(&self.plane.process, counters, self.received())
    }

    /// What was used since `meter` was started.
    pub async fn used(&mut self, meter: &Meter) -> Result<meter::Used, BenchError> {
        let counters = self.rest().await?;
        meter.used(&self.plane.process, counters, self.received())
    }

    /// A random service whose endpoints at least one client holds, and how many clients do.
    pub fn draw(&mut self, except: &BTreeSet<usize>) -> Result<(usize, usize), BenchError> {
        for _ in 0..DRAWS {
            let service = self.random.below(self.plan.federation.services);
            let users = self.profiles.users(service);
            if users > 0 && !except.contains(&service) {
                return Ok((service, users));
            }
        }
        Err(BenchError::Server("no service is used by any client and free to be changed".to_owned()))
    }

    /// The number of a service that does not exist, and that clients will receive once it is added.
    pub fn newcomer(&mut self) -> Result<usize, BenchError> {
        let none =
            || BenchError::Server("no service is left that could be added and that clients would receive".to_owned());
        self.spare.pop_front().ok_or_else(none)
    }

    /// A service that was removed may be added again.
    pub fn give_back(&mut self, service: usize) {
        self.spare.push_back(service);
    }

    /// The resource that changes when one endpoint of a service does.
    pub fn endpoint(&self, service: usize, endpoint: usize) -> Subject {
        if self.plan.leds {
            let name = self.plan.federation.single_name(service, endpoint);
            return Subject { resource_type: ResourceType::Endpoint, id: self.common.names.id(&name) };
        }
        self.service(ResourceType::Assignment, service)
    }

    pub fn service(&self, resource_type: ResourceType, service: usize) -> Subject {
        Subject { resource_type, id: self.common.names.id(&self.plan.federation.resource_name(service)) }
    }

    pub fn watch(&self, subject: Subject, expected: usize) -> Arc<Watched> {
        self.common.board.watch(subject.resource_type, subject.id, expected)
    }

    pub fn forget(&self, subject: Subject) {
        self.common.board.forget(subject.resource_type, subject.id);
    }

    /// Makes a change and waits until all clients concerned have received it: time to the first, and to the last.
    pub async fn change(
        &mut self,
        command: Command,
        subject: Subject,
        users: usize,
    ) -> Result<(Duration, Duration), BenchError> {
        let watched = self.watch(subject, users);
        let at_ns = self.plane.execute(command).await?;
        let in_time = timeout(self.plan.timeout, watched.wait()).await;
        self.forget(subject);
        if in_time.is_err() {
            return Err(self.too_slow("clients that received a change", &watched));
        }
        Ok(watched.lag(at_ns))
    }

    pub fn too_slow(&self, what: &str, watched: &Watched) -> BenchError {
        BenchError::TooSlow {
            what: what.to_owned(),
            reached: watched.seen(),
            expected: watched.expected(),
            waited: self.plan.timeout,
            detail: String::new(),
        }
    }
}
