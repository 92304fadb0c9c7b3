//! A bounded number of slots for work that clients cause, shared fairly by address and then by connection.
//!
//! * **In turn**: of the waiters, an address that got nothing yet is first, then one address after another; within an
//!   address the same by connection, within a connection the first to arrive. So what one client asks for, in however many
//!   streams, delays others by one slot.
//! * **For a while**: a slot that others wait for is free again after `hold` (see [`Slots::new`]), whatever its holder does. That does not depend
//!   on the holder: a client that reads nothing keeps its own stream from being polled, timers in it included.
//!   The holder goes on without its slot.

mod claim;
mod turns;

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::stats::Counter;
pub(super) use claim::Claim;
use turns::Turns;

/// Cheap to clone: all clones share the slots.
#[derive(Clone, Debug)]
pub(super) struct Slots(Arc<Mutex<Book>>);

#[derive(Debug)]
struct Book {
    capacity: usize,
    hold: Duration,
    /// By number, and so by age.
    held: BTreeMap<u64, (Claim, Instant)>,
    waiting: Turns<Arc<Ticket>>,
    next: u64,
    /// Holders that lost a slot since that was last logged.
    lost: Vec<Claim>,
    /// Slots that were passed on while their holders still worked.
    passed_on: Arc<Counter>,
}

/// A slot, until it is dropped. It may have been passed on before.
#[derive(Debug)]
pub(super) struct Slot {
    number: u64,
    slots: Slots,
}

/// One that waits.
#[derive(Debug, Default)]
struct Ticket(Mutex<TicketState>);

#[derive(Debug, Default)]
struct TicketState {
    granted: Option<u64>,
    waker: Option<Waker>,
}

impl Slots {
    /// `hold`: how long a holder may keep others waiting. `passed_on` counts the slots that were passed on then.
    pub(super) fn new(capacity: usize, hold: Duration, passed_on: Arc<Counter>) -> Self {
        let (held, waiting) = (BTreeMap::new(), Turns::default());
        Self(Arc::new(Mutex::new(Book {
            capacity: capacity.max(1),
            hold,
            held,
            waiting,
            next: 0,
            lost: Vec::new(),
            passed_on,
        })))
    }

    /// Waits for a slot.
    pub(super) async fn enter(&self, claim: Claim) -> Slot {
        let waiting = {
            let mut book = lock(&self.0);
            if book.waiting.is_empty() && book.held.len() < book.capacity {
                let number = book.grant(claim, Instant::now());
                return Slot { number, slots: self.clone() };
            }
            let ticket = Arc::new(Ticket::default());
            book.waiting.push(claim, ticket.clone());
            Waiting { claim, ticket, slots: self.clone() }
        };
        loop {
            // Each waiter that is polled gives out all free slots: a holder or waiter that is not polled delays no other.
            let next_free = self.deal();
            let mut free = pin!(sleep_until(next_free));
            let granted = poll_fn(|cx| match waiting.poll(cx) {
                Poll::Ready(number) => Poll::Ready(Some(number)),
                Poll::Pending => free.as_mut().poll(cx).map(|()| None),
            })
            .await;
            if let Some(number) = granted {
                return Slot { number, slots: self.clone() };
            }
        }
    }
}

/// Lost slots that are remembered until they are logged.
const MAX_LOST: usize = 64;

impl Slots {
    /// See [`Book::deal`]. Logs lost slots, outside of the lock.
    fn deal(&self) -> Instant {
        let (next_free, lost) = {
            let mut book = lock(&self.0);
            (book.deal(Instant::now()), std::mem::take(&mut book.lost))
        };
        for Claim { address, connection } in lost {
            tracing::info!(%address, connection, "a client held a slot longer than others could wait, and lost it");
        }
        next_free
    }
}

impl Book {
    fn grant(&mut self, claim: Claim, now: Instant) -> u64 {
        self.next += 1;
        self.held.insert(self.next, (claim, now));
        self.next
    }

    /// Gives what is free to those whose turn it is. Returns when the next slot is free at the latest, if any are waited for.
    fn deal(&mut self, now: Instant) -> Instant {
        while !self.waiting.is_empty() {
            if self.held.len() >= self.capacity {
                let Some(oldest) = self.held.first_entry() else { break };
                let (claim, since) = *oldest.get();
                if since + self.hold > now {
                    return since + self.hold;
                }
                oldest.remove();
                self.passed_on.inc();
                if self.lost.len() < MAX_LOST {
                    self.lost.push(claim);
                }
            }
            let Some((claim, ticket)) = self.waiting.pop() else { break };
            let number = self.grant(claim, now);
            let mut state = lock(&ticket.0);
            state.granted = Some(number);
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        }
        now + self.hold
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut book = lock(&self.slots.0);
        if book.held.remove(&self.number).is_some() {
            book.deal(Instant::now());
        }
    }
}

/// Gives up its turn, or its slot, when it is dropped before it got one.
struct Waiting {
    claim: Claim,
    ticket: Arc<Ticket>,
    slots: Slots,
}

impl Waiting {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<u64> {
        let mut state = lock(&self.ticket.0);
        match state.granted.take() {
            Some(number) => Poll::Ready(number),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut book = lock(&self.slots.0);
        book.waiting.remove(self.claim, |ticket| Arc::ptr_eq(ticket, &self.ticket));
        let granted = lock(&self.ticket.0).granted.take();
        if granted.is_some_and(|number| book.held.remove(&number).is_some()) {
            book.deal(Instant::now());
        }
    }
}

/// Values that are changed as a whole, which a panic cannot leave half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A slot that is waited for, as a value.
pub(super) type Entering = Pin<Box<dyn Future<Output = Slot> + Send>>;

#[cfg(test)]
mod tests;
