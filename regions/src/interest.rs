//! What one stream subscribes to, in a form that the catalog can test in nanoseconds: thousands of streams are tested at
//! every change, and only those that it concerns are woken.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::resource::ResourceType;

/// Bits of the filter, just under 1 KiB a stream with the rest of it. Each name sets two of them: where two hundred are
/// wanted, another one is mistaken for one of them with a chance of 0.2 %, which costs one useless look and nothing else.
const BITS: u64 = 7_680;
const WORDS: usize = 120;

/// One stream's subscriptions, as a filter that may match too often but never too rarely. Names are only ever added: what is
/// not wanted any more wakes a stream without need until it ends.
#[derive(Debug)]
pub struct Interest {
    names: [AtomicU64; WORDS],
    /// A bit for each type of which everything is wanted.
    stars: AtomicU32,
    waker: AtomicWaker,
    woken: AtomicBool,
}

/// A change, as interest is asked about it.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    resource_type: ResourceType,
    bits: [u64; 2],
    star: bool,
}

impl Topic {
    /// `star`: a wildcard covers the name.
    pub fn new(resource_type: ResourceType, name: &str, star: bool) -> Self {
        Self { resource_type, bits: bits(resource_type, name), star }
    }
}

impl Default for Interest {
    fn default() -> Self {
        Self {
            names: [const { AtomicU64::new(0) }; WORDS],
            stars: AtomicU32::new(0),
            waker: AtomicWaker::new(),
            woken: AtomicBool::new(false),
        }
    }
}

impl Interest {
    /// A name is wanted. To be called before the snapshot is read in which it is looked for: the catalog publishes
    /// first and tests then, so that one of the two sees the other.
    pub fn add(&self, resource_type: ResourceType, name: &str) {
        for bit in bits(resource_type, name) {
            if let Some(word) = self.names.get(word(bit)) {
                word.fetch_or(mask(bit), SeqCst);
            }
        }
    }

    /// Whether everything of a type is wanted.
    pub fn set_star(&self, resource_type: ResourceType, wanted: bool) {
        let star = 1 << resource_type.index();
        if wanted {
            self.stars.fetch_or(star, SeqCst);
        } else {
            self.stars.fetch_and(!star, SeqCst);
        }
    }

    pub fn wants(&self, topic: Topic) -> bool {
        let is_set = |bit| self.names.get(word(bit)).is_some_and(|word| word.load(SeqCst) & mask(bit) != 0);
        topic.bits.into_iter().all(is_set)
            || (topic.star && self.stars.load(SeqCst) & (1 << topic.resource_type.index()) != 0)
    }

    /// Wakes the stream: there is a new snapshot, or a question.
    pub fn wake(&self) {
        if !self.woken.swap(true, SeqCst) {
            self.waker.wake();
        }
    }

    /// Ready if the stream was woken since it was last ready.
    pub fn poll_woken(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.woken.swap(false, SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }
}

fn bits(resource_type: ResourceType, name: &str) -> [u64; 2] {
    let hash = xxh3_64_with_seed(name.as_bytes(), resource_type.index() as u64);
    [hash % BITS, (hash >> 32) % BITS]
}

fn word(bit: u64) -> usize {
    usize::try_from(bit / 64).unwrap_or_default()
}

fn mask(bit: u64) -> u64 {
    1 << (bit % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ResourceType::{Assignment, Cluster, Scope};

    #[test]
    fn what_was_asked_for_is_wanted_and_little_else() {
        let interest = Interest::default();
        for i in 0..200 {
            interest.add(Assignment, &format!("wanted-{i}"));
        }
        interest.set_star(Scope, true);
        assert!((0..200).all(|i| interest.wants(Topic::new(Assignment, &format!("wanted-{i}"), true))));
        assert!(interest.wants(Topic::new(Scope, "any", true)));
        assert!(!interest.wants(Topic::new(Scope, "any", false)), "not covered by the wildcard");
        let mistaken = (0..10_000).filter(|i| interest.wants(Topic::new(Assignment, &format!("other-{i}"), true)));
        assert!(mistaken.count() < 70, "0.7 % would be three times what is expected");
        let other_type = (0..200).filter(|i| interest.wants(Topic::new(Cluster, &format!("wanted-{i}"), true)));
        assert!(other_type.count() < 10);
        interest.set_star(Scope, false);
        assert!(!interest.wants(Topic::new(Scope, "any", true)));
    }
}
