//! One member's slices, by their own keys and by their services.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::table::Table;
use crate::few::Few;
use crate::model::{ServiceKey, Slice, SliceKey};
use crate::packed::{ByKey, Objects, PackedSlice};

type SlicePointer = ByKey<Arc<PackedSlice>>;

#[derive(Debug, Default)]
pub(super) struct Slices {
    all: Objects<Arc<PackedSlice>>,
    by_service: HashSet<OfService>,
}

/// The slices of one service: never none, and mostly one.
#[derive(Debug)]
struct OfService {
    /// By key.
    first: SlicePointer,
    others: Option<Box<Few<SlicePointer>>>,
}

impl Slices {
    pub fn get(&self, key: &SliceKey) -> Option<&PackedSlice> {
        self.all.get(key)
    }

    /// The slices of a service, in the order of their keys.
    pub fn of_service(&self, service: &ServiceKey) -> impl Iterator<Item = &PackedSlice> {
        self.by_service.get(service).into_iter().flat_map(OfService::iter)
    }

    pub fn clear(&mut self) {
        self.all.clear();
        self.by_service.clear();
    }

    fn index(&mut self, slice: SlicePointer) {
        let of_service = match self.by_service.take(&slice.0.service) {
            Some(of_service) => of_service.with(slice),
            None => OfService { first: slice, others: None },
        };
        self.by_service.insert(of_service);
    }

    fn unindex(&mut self, slice: SlicePointer) {
        let rest = self.by_service.take(&slice.0.service).and_then(|of_service| of_service.without(&slice));
        if let Some(rest) = rest {
            self.by_service.insert(rest);
        }
    }
}

impl OfService {
    fn iter(&self) -> impl Iterator<Item = &PackedSlice> {
        let others = self.others.iter().flat_map(|others| others.iter());
        std::iter::once(&self.first).chain(others).map(|slice| &*slice.0)
    }

    fn with(mut self, mut slice: SlicePointer) -> Self {
        if slice < self.first {
            std::mem::swap(&mut slice, &mut self.first);
        }
        self.others.get_or_insert_default().insert(slice);
        self
    }

    /// `None`: it was the only one.
    fn without(mut self, slice: &SlicePointer) -> Option<Self> {
        if *slice == self.first {
            self.first = self.others.as_mut()?.take_first()?;
        } else if let Some(others) = &mut self.others {
            others.remove(slice);
        }
        self.others = self.others.filter(|others| !others.is_empty());
        Some(self)
    }
}

impl Borrow<ServiceKey> for OfService {
    fn borrow(&self) -> &ServiceKey {
        &self.first.0.service
    }
}

impl PartialEq for OfService {
    fn eq(&self, other: &Self) -> bool {
        self.first.0.service == other.first.0.service
    }
}

impl Eq for OfService {}

impl Hash for OfService {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.first.0.service.hash(state);
    }
}

impl Table<Slice> for Slices {
    type Kept = PackedSlice;
    type Holder = Arc<PackedSlice>;

    fn replace(&mut self, kept: PackedSlice) -> Option<Arc<PackedSlice>> {
        let kept = Arc::new(kept);
        let old = self.all.insert(Arc::clone(&kept));
        if let Some(old) = &old {
            self.unindex(ByKey(Arc::clone(old)));
        }
        self.index(ByKey(kept));
        old
    }

    fn take(&mut self, key: &SliceKey) -> Option<Arc<PackedSlice>> {
        let old = self.all.remove(key)?;
        self.unindex(ByKey(Arc::clone(&old)));
        Some(old)
    }

    fn keys_vec(&self) -> Vec<SliceKey> {
        self.all.keys().cloned().collect()
    }

    fn peek(&self, key: &SliceKey) -> Option<&PackedSlice> {
        self.get(key)
    }
}
