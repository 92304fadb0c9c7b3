//! How much CPU other processes used meanwhile: figures from a busy machine are worth less, and readers should know.

use std::time::{Duration, Instant};

use super::process::{Process, machine_cpu};

pub struct Others {
    since: Instant,
    machine: Option<Duration>,
    own: Duration,
}

impl Others {
    pub fn watch() -> Self {
        Self { since: Instant::now(), machine: machine_cpu(), own: own_cpu() }
    }

    /// Cores that were kept busy by neither this process nor the servers, which used so much.
    pub fn cores(&self, servers: Duration) -> Option<f64> {
        let busy = machine_cpu()?.checked_sub(self.machine?)?;
        let ours = own_cpu().saturating_sub(self.own) + servers;
        let others = busy.saturating_sub(ours);
        Some((others.as_secs_f64() / self.since.elapsed().as_secs_f64() * 100.0).round() / 100.0)
    }
}

fn own_cpu() -> Duration {
    Process::own().cpu().unwrap_or_default()
}
