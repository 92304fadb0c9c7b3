//! One member's slices, by their own keys and by their services.

use std::borrow::Borrow;
use std::cmp::Ordering;
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

    /// With this one, instead of the one of the same key if there is one.
    fn with(mut self, mut slice: SlicePointer) -> Self {
        match slice.cmp(&self.first) {
            Ordering::Equal => self.first = slice,
            Ordering::Less => {
                std::mem::swap(&mut slice, &mut self.first);
                self.others.get_or_insert_default().insert(slice);
            }
            Ordering::Greater => {
                let others = self.others.get_or_insert_default();
                others.remove(&slice);
                others.insert(slice);
            }
        }
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
        if let Some(old) = old.as_ref().filter(|old| old.service != kept.service) {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::packed::Pools;
    use crate::testing::make;

    /// A slice of a service is reported, or deleted.
    #[derive(Clone, Debug)]
    enum Step {
        Put { name: usize, service: usize },
        Delete { name: usize },
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..4_usize, 0..2_usize).prop_map(|(name, service)| Step::Put { name, service }),
            1 => (0..4_usize).prop_map(|name| Step::Delete { name }),
        ]
    }

    fn of(service: usize) -> String {
        format!("shop/s{service}")
    }

    fn slice(name: usize, service: usize) -> Slice {
        make::slice(&of(service), &format!("slice-{name}"), "http:80", &["10.0.0.1"])
    }

    proptest! {
        #[test]
        fn each_service_has_its_slices_in_order(steps in vec(any_step(), 0..24)) {
            let (mut slices, mut pools) = (Slices::default(), Pools::default());
            let mut expected: BTreeMap<SliceKey, usize> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Put { name, service } => {
                        let slice = slice(name, service);
                        let old = expected.insert(slice.key.clone(), service);
                        let replaced = slices.replace(PackedSlice::pack(slice, &mut pools));
                        prop_assert_eq!(replaced.map(|slice| slice.service.clone()), old.map(|old| make::key(&of(old))));
                    }
                    Step::Delete { name } => {
                        let key = slice(name, 0).key;
                        prop_assert_eq!(slices.take(&key).is_some(), expected.remove(&key).is_some());
                    }
                }
                for service in 0..2 {
                    let found: Vec<_> = slices.of_service(&make::key(&of(service))).collect();
                    let newest = found.iter().all(|slice| slices.get(&slice.key).is_some_and(|held| std::ptr::eq(held, *slice)));
                    prop_assert!(newest, "the index holds what was stored last");
                    let found: Vec<_> = found.into_iter().map(|slice| &slice.key).collect();
                    let all = expected.iter().filter(|(_, of)| **of == service).map(|(key, _)| key);
                    prop_assert_eq!(found, all.collect::<Vec<_>>());
                }
                let services = expected.values().collect::<std::collections::BTreeSet<_>>().len();
                prop_assert_eq!(slices.by_service.len(), services);
            }
        }
    }
}
