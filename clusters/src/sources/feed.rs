//! From sources to the engine: one bounded channel. A source waits when the engine is behind;
//! the engine takes all that is waiting at once.
//!
//! What is in the channel is taken in the order in which it came, and **each member has one batch in it at most**: however
//! many changes one member sends, another member's change waits for one batch of them.

use std::sync::Arc;

use federation::change::Batch;
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Batches that may wait. Each is at most [`MAX_EVENTS_PER_BATCH`](crate::sources::watch::MAX_EVENTS_PER_BATCH) watch
/// events or one whole list, so this also bounds how far sources run ahead.
pub const FEED_CAPACITY: usize = 1_024;
/// Batches of one member that may wait.
pub const WAITING_PER_MEMBER: usize = 1;

/// The sending side; every source holds a clone.
#[derive(Clone, Debug)]
pub struct Feed {
    sender: mpsc::Sender<Waiting>,
    /// Set for a member: its batches take turns.
    turns: Option<Arc<Semaphore>>,
}

/// A batch in the channel, and the right to be there, which ends when the engine takes it.
#[derive(Debug)]
struct Waiting {
    batch: Batch,
    _turn: Option<OwnedSemaphorePermit>,
}

/// The engine's side.
#[derive(Debug)]
pub struct Batches {
    receiver: mpsc::Receiver<Waiting>,
    taken: Vec<Waiting>,
}

/// The engine has ended: the process is shutting down, and a source should end too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine has ended")]
pub struct FeedClosed;

impl Feed {
    pub fn new() -> (Self, Batches) {
        let (sender, receiver) = mpsc::channel(FEED_CAPACITY);
        (Self { sender, turns: None }, Batches { receiver, taken: Vec::new() })
    }

    /// For one member: all clones of what comes back take turns.
    pub fn for_member(&self) -> Self {
        Self { sender: self.sender.clone(), turns: Some(Arc::new(Semaphore::new(WAITING_PER_MEMBER))) }
    }

    pub async fn send(&self, batch: Batch) -> Result<(), FeedClosed> {
        let turn = match &self.turns {
            Some(turns) => Some(Arc::clone(turns).acquire_owned().await.map_err(|_| FeedClosed)?),
            None => None,
        };
        self.sender.send(Waiting { batch, _turn: turn }).await.map_err(|_| FeedClosed)
    }

    /// For sources that run on a thread of their own.
    pub fn blocking_send(&self, batch: Batch) -> Result<(), FeedClosed> {
        self.sender.blocking_send(Waiting { batch, _turn: None }).map_err(|_| FeedClosed)
    }
}

impl Batches {
    /// The next one; `None` when every source is gone.
    pub async fn recv(&mut self) -> Option<Batch> {
        self.receiver.recv().await.map(|waiting| waiting.batch)
    }

    /// All that are waiting, up to `limit`; waits for the first one. 0: every source is gone. Safe to drop.
    pub async fn recv_many(&mut self, into: &mut Vec<Batch>, limit: usize) -> usize {
        let count = self.receiver.recv_many(&mut self.taken, limit).await;
        into.extend(self.taken.drain(..).map(|waiting| waiting.batch));
        count
    }

    pub fn try_recv(&mut self) -> Result<Batch, TryRecvError> {
        self.receiver.try_recv().map(|waiting| waiting.batch)
    }

    pub fn blocking_recv(&mut self) -> Option<Batch> {
        self.receiver.blocking_recv().map(|waiting| waiting.batch)
    }
}

#[cfg(test)]
mod tests {
    use federation::change::{Epoch, LinkChange, LinkFailure, MemberChanges};
    use federation::model::ClusterId;
    use proptest::prelude::*;

    use super::*;

    fn batch(member: usize, number: u64) -> Batch {
        let cluster = ClusterId::new(&format!("m-{member}")).expect("an id");
        let down = LinkChange::Down { reason: LinkFailure::Unreachable, message: Arc::from("") };
        Batch::Member { cluster, epoch: Epoch(number), changes: MemberChanges::Link(down) }
    }

    /// The member's number and the batch's.
    fn which(batch: &Batch) -> (usize, u64) {
        let Batch::Member { cluster, epoch, .. } = batch else { return (usize::MAX, 0) };
        (cluster.as_str().trim_start_matches("m-").parse().expect("a number"), epoch.0)
    }

    /// Member 0 never stops; its senders are as many as a member has kinds. Each of the others sends one batch after some
    /// rounds. Returns how many batches of member 0 were applied between the sending and the round of each.
    async fn play(kinds: usize, others: &[usize], round: usize, fair: bool) -> Vec<usize> {
        let (feed, mut batches) = Feed::new();
        let noisy = if fair { feed.for_member() } else { feed.clone() };
        let floods: Vec<_> = (0..kinds)
            .map(|_| {
                let noisy = noisy.clone();
                tokio::spawn(async move { while noisy.send(batch(0, 0)).await.is_ok() {} })
            })
            .collect();
        let quiet: Vec<Feed> = others.iter().map(|_| feed.for_member()).collect();
        let (mut sent, mut waits) = (std::collections::BTreeMap::new(), Vec::new());
        let mut applied = 0;
        for turn in 0..200 {
            for (index, at) in others.iter().copied().enumerate().filter(|(_, at)| *at == turn) {
                let (feed, number) = (quiet[index].clone(), index + 1);
                sent.insert(number, applied);
                tokio::spawn(async move { feed.send(batch(number, at as u64)).await });
            }
            // Senders that have a turn use it before the engine looks.
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            let mut taken = Vec::new();
            batches.recv_many(&mut taken, round).await;
            for batch in &taken {
                match which(batch).0 {
                    0 => applied += 1,
                    number => waits.push(applied - sent.remove(&number).expect("it was sent")),
                }
            }
        }
        assert!(sent.is_empty(), "all were applied");
        assert!(applied >= 100, "the noisy one was served as well: {applied}");
        floods.iter().for_each(tokio::task::JoinHandle::abort);
        waits
    }

    /// What the test below would find if members did not take turns.
    #[tokio::test]
    async fn without_turns_a_member_without_end_is_in_the_way() {
        let waits = play(6, &[10, 20], 8, false).await;
        assert!(waits.iter().all(|wait| *wait > 1), "{waits:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_member_without_end_costs_the_others_one_batch(
            kinds in 1_usize..12,
            others in proptest::collection::vec(0_usize..150, 1..20),
            round in 1_usize..300,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            // With small rounds, the others that came first are served first; none of them is the noisy one.
            let waits = runtime.block_on(play(kinds, &others, round.max(others.len() + 1), true));
            prop_assert_eq!(waits.len(), others.len());
            prop_assert!(waits.iter().all(|wait| *wait <= 1), "{waits:?}");
        }
    }
}
