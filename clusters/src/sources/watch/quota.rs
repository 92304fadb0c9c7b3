//! How much of one member is kept. Its watches share one account: objects, ports, endpoints and bytes are charged when an
//! object is taken, and given back when it goes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::client::answers::Over;
use crate::client::bounds::{ENDPOINTS_PER_OBJECT, LIST_FACTOR, MemberBounds, PORTS_PER_OBJECT};

/// What an object, a list or a member comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sources) struct Weight {
    pub(in crate::sources) objects: u64,
    pub(in crate::sources) ports: u64,
    pub(in crate::sources) endpoints: u64,
    pub(in crate::sources) bytes: u64,
}

/// One member's account. Clones share it.
#[derive(Clone, Debug)]
pub struct Quota {
    used: Arc<Mutex<Weight>>,
    most: Weight,
}

impl Quota {
    pub fn new(bounds: &MemberBounds) -> Self {
        let objects = bounds.objects as u64;
        let most = Weight {
            objects,
            ports: objects.saturating_mul(PORTS_PER_OBJECT as u64),
            endpoints: objects.saturating_mul(ENDPOINTS_PER_OBJECT as u64),
            bytes: bounds.bytes,
        };
        Self { used: Arc::default(), most }
    }

    /// Exchanges what an object came to before for what it comes to now, unless that is too much.
    pub(super) fn exchange(&self, before: Weight, now: Weight) -> Result<(), Over> {
        let mut used = self.lock();
        let after = used.minus(before).plus(now);
        // What gets smaller is never too much.
        let over = |pick: &Pick| pick(&after) > pick(&used) && pick(&after) > pick(&self.most);
        if let Some((what, flag, pick)) = BOUNDS.iter().find(|(_, _, pick)| over(pick)) {
            return Err(Over { what, limit: pick(&self.most), flag, list: false });
        }
        *used = after;
        Ok(())
    }

    /// Takes an exchange back: what was before is charged again, whatever there is now.
    pub(super) fn restore(&self, now: Weight, before: Weight) {
        let mut used = self.lock();
        *used = used.minus(now).plus(before);
    }

    pub(super) fn give_back(&self, weight: Weight) {
        let mut used = self.lock();
        *used = used.minus(weight);
    }

    /// Whether one more small object would be taken.
    pub(super) fn has_room(&self) -> bool {
        let used = self.lock();
        BOUNDS.iter().all(|(_, _, pick)| pick(&used) < pick(&self.most))
    }

    /// Whether a list of this weight is too long to be of any use.
    pub(super) fn check_list(&self, weight: Weight) -> Result<(), Over> {
        let factor = LIST_FACTOR as u64;
        let over = BOUNDS.iter().find(|(_, _, pick)| pick(&weight) > pick(&self.most).saturating_mul(factor));
        over.map_or(Ok(()), |(what, flag, pick)| {
            Err(Over { what, limit: pick(&self.most).saturating_mul(factor), flag, list: true })
        })
    }

    fn lock(&self) -> MutexGuard<'_, Weight> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> Weight {
        *self.lock()
    }
}

type Pick = fn(&Weight) -> u64;

const BOUNDS: [(&str, &str, Pick); 4] = [
    ("objects", "--max-member-objects", |weight| weight.objects),
    ("ports", "--max-member-objects", |weight| weight.ports),
    ("endpoints", "--max-member-objects", |weight| weight.endpoints),
    ("bytes", "--max-member-bytes", |weight| weight.bytes),
];

impl Weight {
    pub(super) fn of(parts: (usize, usize), bytes: usize) -> Self {
        let (ports, endpoints) = parts;
        Self { objects: 1, ports: ports as u64, endpoints: endpoints as u64, bytes: bytes as u64 }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            objects: self.objects.saturating_add(other.objects),
            ports: self.ports.saturating_add(other.ports),
            endpoints: self.endpoints.saturating_add(other.endpoints),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            objects: self.objects.saturating_sub(other.objects),
            ports: self.ports.saturating_sub(other.ports),
            endpoints: self.endpoints.saturating_sub(other.endpoints),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}
