//! How long this process itself was held up. On a machine that is too busy every measured time contains that, and
//! readers of the result should know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

/// From here on it is worth telling.
pub const NOTABLE: Duration = Duration::from_millis(200);
const BEAT: Duration = Duration::from_millis(20);

/// Sleeps a little, over and over, and notes how much too late it woke. Ends when dropped.
#[derive(Debug)]
pub struct Lag {
    worst_us: Arc<AtomicU64>,
    _task: JoinSet<()>,
}

impl Lag {
    pub fn start() -> Self {
        let worst_us = Arc::new(AtomicU64::new(0));
        let mut task = JoinSet::new();
        task.spawn(beat(Arc::clone(&worst_us)));
        Self { worst_us, _task: task }
    }

    /// The worst since the last call.
    pub fn take(&self) -> Duration {
        Duration::from_micros(self.worst_us.swap(0, Ordering::Relaxed))
    }
}

async fn beat(worst_us: Arc<AtomicU64>) {
    loop {
        let due = Instant::now() + BEAT;
        tokio::time::sleep_until(due).await;
        let late = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
        worst_us.fetch_max(late, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_that_is_held_up_is_noticed_once() {
        let lag = Lag::start();
        tokio::time::sleep(BEAT).await;
        std::thread::sleep(Duration::from_millis(300)); // the only thread of this runtime
        tokio::time::sleep(BEAT * 2).await;
        assert!(lag.take() >= Duration::from_millis(200));
        let (first, second) = (lag.take(), lag.take());
        assert!(second <= first, "reported once");
    }
}
