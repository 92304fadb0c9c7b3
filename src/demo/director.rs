//! Goes through the timetable: makes each change, lets the traffic flow, watches, and has it judged.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::client::{CLIENTS_PER_REGION, Clients, Seat};
use super::error::DemoError;
use super::lag::{self, Lag};
use super::measure::{self, Measured, Window, measure};
use super::planes::{MemberSays, says_of};
use super::record::Record;
use super::screen::{Home, Screen, bar, shares};
use super::stage::{Stage, host};
use super::timetable::{self, Ask, Event};
use super::world::Change;

/// How often the live rows are drawn and the processes looked after.
const TICK: Duration = Duration::from_millis(100);
/// What the live rows show: the traffic of this long.
const RECENT: Duration = Duration::from_millis(500);
/// Between two questions to a control plane about a cluster.
const ASK_PAUSE: Duration = Duration::from_millis(10);
/// Requests to the service that only one cluster has, from each region.
const REMOTE_PROBES: usize = 3;

/// One event as it went.
#[derive(Clone, Debug)]
pub struct Done {
    pub event: Event,
    /// Since the start of the show.
    pub at: Duration,
    /// From the change until all of it was in the folder.
    pub written: Duration,
    pub window: Duration,
    pub measured: Measured,
    /// How long this process itself was held up at worst.
    pub lag: Duration,
    /// What each region's control plane answered in the end, if it was asked.
    pub answered: Vec<Answered>,
}

/// A control plane's verdict about a cluster.
#[derive(Clone, Debug)]
pub struct Answered {
    pub region: &'static str,
    pub after: Duration,
    pub says: MemberSays,
}

/// The show: the events so far are in `done` even when it is cut short.
pub struct Director<'a> {
    pub stage: &'a mut Stage,
    pub screen: &'a mut Screen,
    pub done: &'a mut Vec<Done>,
}

/// What goes on during the show.
struct Traffic {
    epoch: Instant,
    clients: Clients,
    lag: Lag,
    seats: Vec<&'static str>,
    homes: Vec<Home>,
    /// Those that no event has been judged by.
    records: Vec<Record>,
    /// Until when they have been.
    judged: Duration,
}

impl Director<'_> {
    pub async fn run(&mut self, length: Duration) -> Result<(), DemoError> {
        let events = timetable::events();
        let windows = timetable::windows(&events, length);
        let mut traffic = self.traffic();
        for (event, window) in events.into_iter().zip(windows) {
            let done = self.play(event, window, &mut traffic).await?;
            self.done.push(done);
        }
        self.screen.clear();
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        let proxies = self.stage.proxies();
        let seats: Vec<Seat> = proxies
            .iter()
            .flat_map(|proxy| {
                let seat = Seat { region: proxy.identity.region, proxy: proxy.egress };
                std::iter::repeat_n(seat, CLIENTS_PER_REGION)
            })
            .collect();
        let homes = proxies.iter().map(|proxy| Home { region: proxy.identity.region, zone: proxy.identity.zone });
        let epoch = Instant::now();
        Traffic {
            epoch,
            clients: Clients::start(&seats, &host(timetable::SERVICE), epoch),
            lag: Lag::start(),
            seats: seats.iter().map(|seat| seat.region).collect(),
            homes: homes.collect(),
            records: Vec::new(),
            judged: Duration::ZERO,
        }
    }

    async fn play(&mut self, event: Event, window: Duration, traffic: &mut Traffic) -> Result<Done, DemoError> {
        self.screen.heading(traffic.epoch.elapsed(), &event);
        let next = self.stage.world().after(&event.change);
        let changed = self.stage.become_world(next).await?;
        let zero = changed.at.saturating_duration_since(traffic.epoch);
        let mut asking = self.ask(event.ask, changed.at, window);
        let mut answered = Vec::new();
        let end = zero + window;
        let unreached = if event.change == Change::Nothing { self.remote_service().await } else { Vec::new() };
        while traffic.epoch.elapsed() < end {
            tokio::time::sleep(TICK.min(end.saturating_sub(traffic.epoch.elapsed()))).await;
            self.stage.check()?;
            traffic.clients.drain(&mut traffic.records);
            while let Some(answer) = asking.try_join_next() {
                answered.extend(answer.ok().flatten());
            }
            self.show_recent(traffic);
        }
        let judged = Window {
            opened: traffic.judged,
            zero,
            end,
            kills: matches!(event.change, Change::Lose(_)),
            seats: &traffic.seats,
            goals: &event.goals,
        };
        let mut measured = measure(&traffic.records, &judged);
        answered.sort_by_key(|answered| answered.after);
        if let Some(ask) = event.ask {
            measured.reasons.extend(wrong_verdicts(ask, &answered, self.stage.planes().len()));
            self.tell(ask, &answered);
        }
        measured.reasons.extend(unreached);
        self.screen.outcome(&traffic.homes, &measured);
        let lag = traffic.lag.take();
        if lag >= lag::NOTABLE {
            self.screen.busy(lag);
        }
        // A request that is under way now belongs to the next event.
        traffic.records.retain(|record| record.ended > end);
        traffic.judged = end;
        let written = changed.written.saturating_duration_since(changed.at);
        Ok(Done { event, at: zero, written, window, measured, lag, answered })
    }

    /// Asks every control plane until it answers something final about the cluster, each on its own.
    fn ask(&self, ask: Option<Ask>, since: Instant, limit: Duration) -> JoinSet<Option<Answered>> {
        let mut asking = JoinSet::new();
        for plane in self.stage.planes().iter().filter(|_| ask.is_some()) {
            let (region, admin) = (plane.region, plane.admin);
            let Some(ask) = ask else { break };
            asking.spawn(async move {
                let answered = until_answered(region, admin, ask, since);
                tokio::time::timeout(limit, answered).await.ok()
            });
        }
        asking
    }

    fn tell(&self, ask: Ask, answered: &[Answered]) {
        let Some(last) = answered.last() else { return };
        let after = super::screen::time(last.after);
        let all = answered.len();
        match ask {
            Ask::Refused { .. } => {
                let reason = last.says.reason.as_deref().unwrap_or_default();
                let message = last.says.message.as_deref().unwrap_or_default();
                self.screen.note(&format!("refused by {all} control planes within {after}: {reason}"));
                self.screen.quote(message);
            }
            Ask::Admitted { .. } => {
                let endpoints = last.says.endpoints;
                self.screen
                    .note(&format!("admitted by {all} control planes within {after}, with {endpoints} endpoints"));
            }
        }
    }

    fn show_recent(&mut self, traffic: &Traffic) {
        let now = traffic.epoch.elapsed();
        let since = now.saturating_sub(RECENT);
        let mut text = String::new();
        for home in &traffic.homes {
            let own = |record: &&Record| traffic.seats.get(record.client).is_some_and(|seat| *seat == home.region);
            let recent = traffic.records.iter().rev().take_while(|record| record.ended >= since).filter(own);
            let (served, _) = measure::distribution(recent);
            let at = if text.is_empty() { format!("{:>5.1} s", now.as_secs_f64()) } else { "\n       ".to_owned() };
            text.push_str(&format!("{at}  {}  {}  {}", home.region, bar(home, &served), shares(&served)));
        }
        self.screen.live(&text);
    }

    /// The service that only one cluster has must be reached from every region.
    async fn remote_service(&self) -> Vec<String> {
        let mut reasons = BTreeMap::new();
        for proxy in self.stage.proxies() {
            for _ in 0..REMOTE_PROBES {
                if let Err(reason) = proxy.probe(&host(timetable::REMOTE_SERVICE)).await {
                    reasons.insert(proxy.identity.region, format!("{}: {reason}", proxy.identity.region));
                }
            }
        }
        if reasons.is_empty() {
            self.screen.note(&format!("{}, which only us-1 has, answers every region", timetable::REMOTE_SERVICE));
        }
        reasons.into_values().collect()
    }
}

async fn until_answered(region: &'static str, admin: SocketAddr, ask: Ask, since: Instant) -> Answered {
    let (Ask::Refused { cluster, .. } | Ask::Admitted { cluster }) = ask;
    loop {
        if let Some(says) = says_of(admin, cluster).await.filter(|says| answers(ask, says)) {
            return Answered { region, after: since.elapsed(), says };
        }
        tokio::time::sleep(ASK_PAUSE).await;
    }
}

fn answers(ask: Ask, says: &MemberSays) -> bool {
    match ask {
        Ask::Refused { reason, .. } => !says.ready && says.reason.as_deref() == Some(reason),
        Ask::Admitted { .. } => says.ready && says.endpoints > 0,
    }
}

fn wrong_verdicts(ask: Ask, answered: &[Answered], planes: usize) -> Option<String> {
    if answered.len() == planes {
        return None;
    }
    let expected = match ask {
        Ask::Refused { cluster, reason } => format!("{cluster} refused with {reason}"),
        Ask::Admitted { cluster } => format!("{cluster} admitted"),
    };
    Some(format!("{} of {planes} control planes answered: {expected}", answered.len()))
}
