//! A client or a member can cause some lines as often as it likes. Beyond a rate they are counted instead of written. The
//! rate is that of a callsite and a peer; the next line of that callsite has the number of those left out.
//!
//! Only `info` and above: who asks for `debug` wants all of it.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Lines of one kind about one peer that are written at once, and the time after which there is room for one more.
pub const BURST: u32 = 10;
pub const EVERY: Duration = Duration::from_secs(10);
/// The same for lines of one kind, about any peer: names cost a peer nothing.
pub const TOTAL_BURST: u32 = 200;
pub const TOTAL_EVERY: Duration = Duration::from_millis(100);
/// Pairs of a callsite and a peer that are counted separately. Beyond that, peers are counted together.
pub const MAX_KEYS: usize = 4_096;
/// How often a full table is searched for peers without recent lines.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Fields that say whom a line is about, the hardest to choose first. A member's or a client's name counts only where its
/// address is not known.
const ADDRESSES: [&str; 2] = ["peer", "address"];
const NAMES: [&str; 6] = ["node", "cluster", "member", "client", "file", "kind"];

/// Lines left out since the start.
static SUPPRESSED: AtomicU64 = AtomicU64::new(0);

/// Lines left out since the start, for the metric.
pub fn suppressed() -> u64 {
    SUPPRESSED.load(Ordering::Relaxed)
}

/// What is known of the lines of this process.
#[derive(Debug, Default)]
pub(super) struct Floods {
    state: Mutex<State<Identifier>>,
}

#[derive(Debug)]
struct State<K> {
    /// By kind of line, and by hash of the peer; `None` for all whom there is no room to tell apart.
    peers: HashMap<(K, Option<u64>), Bucket>,
    totals: HashMap<K, Bucket>,
    keys: RandomState,
    swept: Option<Instant>,
}

impl<K> Default for State<K> {
    fn default() -> Self {
        Self { peers: HashMap::new(), totals: HashMap::new(), keys: RandomState::new(), swept: None }
    }
}

/// Whether a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// And how many of its kind were left out before it.
    Write(u64),
    LeaveOut,
}

/// A token bucket: it is empty until `full` less what a burst takes, and full at `full`.
#[derive(Debug)]
struct Bucket {
    full: Instant,
    left_out: u64,
}

impl Bucket {
    fn new(now: Instant) -> Self {
        Self { full: now, left_out: 0 }
    }

    fn take(&mut self, now: Instant, burst: u32, every: Duration) -> bool {
        let full = self.full.max(now);
        let room = full.duration_since(now) + every <= every * burst;
        if room {
            self.full = full + every;
        }
        room
    }
}

impl Floods {
    pub(super) fn judge(&self, event: &Event<'_>, now: Instant) -> Verdict {
        if *event.metadata().level() > Level::INFO {
            return Verdict::Write(0);
        }
        let mut peer = Peer::default();
        event.record(&mut peer);
        self.state.lock().unwrap_or_else(PoisonError::into_inner).judge(event.metadata().callsite(), &peer.key(), now)
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    fn judge(&mut self, kind: K, peer: &str, now: Instant) -> Verdict {
        let mut key = (kind.clone(), Some(self.keys.hash_one(peer)));
        if self.peers.len() >= MAX_KEYS && !self.peers.contains_key(&key) {
            // Not for each line: a full table must not make lines expensive.
            if self.swept.is_none_or(|swept| now.duration_since(swept) >= SWEEP_EVERY) {
                self.swept = Some(now);
                self.sweep(now);
            }
            if self.peers.len() >= MAX_KEYS {
                key.1 = None;
            }
        }
        let total = self.totals.entry(kind).or_insert_with(|| Bucket::new(now));
        let bucket = self.peers.entry(key).or_insert_with(|| Bucket::new(now));
        if !bucket.take(now, BURST, EVERY) {
            bucket.left_out += 1;
        } else if !total.take(now, TOTAL_BURST, TOTAL_EVERY) {
            total.left_out += 1;
        } else {
            return Verdict::Write(std::mem::take(&mut bucket.left_out) + std::mem::take(&mut total.left_out));
        }
        SUPPRESSED.fetch_add(1, Ordering::Relaxed);
        Verdict::LeaveOut
    }

    /// Forgets those who have been quiet for long. The number of their lines that were left out is in the next line of the kind.
    fn sweep(&mut self, now: Instant) {
        let totals = &mut self.totals;
        self.peers.retain(|(kind, _), bucket| {
            let quiet = bucket.full <= now;
            if quiet
                && bucket.left_out > 0
                && let Some(total) = totals.get_mut(kind)
            {
                total.left_out += bucket.left_out;
            }
            !quiet
        });
    }
}

/// Whom a line is about.
#[derive(Default)]
struct Peer {
    address: Option<String>,
    names: String,
}

impl Peer {
    fn key(self) -> String {
        self.address.unwrap_or(self.names)
    }

    fn take(&mut self, field: &Field, value: impl FnOnce() -> String) {
        if ADDRESSES.contains(&field.name()) {
            // A new connection is the same peer.
            let text = value();
            let ip = text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse::<IpAddr>());
            self.address = Some(ip.map_or(text, |ip| ip.to_string()));
        } else if NAMES.contains(&field.name()) {
            self.names.push_str(&value());
            self.names.push('\n');
        }
    }
}

impl Visit for Peer {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, || value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.take(field, || format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(state: &mut State<&'static str>, kind: &'static str, peer: &str, now: Instant, lines: u32) -> usize {
        (0..lines).filter(|_| state.judge(kind, peer, now) != Verdict::LeaveOut).count()
    }

    #[test]
    fn one_peer_has_ten_lines_and_then_one_in_ten_seconds_and_the_rest_is_counted() {
        let (mut state, now) = (State::default(), Instant::now());
        assert_eq!(written(&mut state, "kind", "loud", now, 1_000), BURST as usize);
        assert_eq!(written(&mut state, "kind", "quiet", now, 3), 3, "others are logged beside it");
        assert_eq!(written(&mut state, "other kind", "loud", now, 3), 3, "and so are its other kinds");
        assert_eq!(state.judge("kind", "loud", now + EVERY - Duration::from_millis(1)), Verdict::LeaveOut);
        assert_eq!(state.judge("kind", "loud", now + EVERY), Verdict::Write(1_000 - u64::from(BURST) + 1));
        assert_eq!(state.judge("kind", "loud", now + EVERY), Verdict::LeaveOut);
        assert_eq!(state.judge("kind", "loud", now + EVERY * 2), Verdict::Write(1), "reported once");
    }

    #[test]
    fn one_that_changes_its_name_each_time_is_bounded_too() {
        let (mut state, now) = (State::default(), Instant::now());
        let names: Vec<String> = (0..3 * MAX_KEYS).map(|i| format!("name-{i}")).collect();
        let logged: usize = names.iter().map(|name| written(&mut state, "kind", name, now, 1)).sum();
        assert_eq!(logged, TOTAL_BURST as usize);
        assert!(state.peers.len() <= MAX_KEYS + 2, "{}", state.peers.len());
        assert_eq!(written(&mut state, "other kind", "quiet", now, 1), 1);
        let left = (names.len() - logged) as u64;
        // Those that are quiet are forgotten, and what was left out of theirs is not.
        let later = now + EVERY * BURST;
        assert_eq!(state.judge("kind", "name-new", later), Verdict::Write(left));
        assert!(state.peers.len() < 8, "{}", state.peers.len());
    }
}
