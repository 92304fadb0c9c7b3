//! One copy of what many objects have in common: names, lists of ports, lists of zones. Each source makes copies of its own, and
//! each object of a service has its name.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use crate::model::{Label, Labels, Namespace, ServiceKey, ServicePort, SlicePort, Zone};

/// Values that are not searched for unused ones.
const FEW: usize = 64;

/// What all members' objects have in common.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    texts: Pool<str>,
    labels: Pool<[Label]>,
    service_ports: Pool<[ServicePort]>,
    slice_ports: Pool<[SlicePort]>,
    zones: Pool<[Option<Zone>]>,
}

impl Pools {
    pub fn text(&mut self, text: Arc<str>) -> Arc<str> {
        self.texts.shared(text)
    }

    pub fn namespace(&mut self, namespace: Namespace) -> Namespace {
        namespace.map_text(|text| self.text(text))
    }

    pub fn service_key(&mut self, ServiceKey { namespace, name }: ServiceKey) -> ServiceKey {
        ServiceKey { namespace: self.namespace(namespace), name: self.text(name) }
    }

    pub fn labels(&mut self, labels: Labels) -> Labels {
        let Self { texts, labels: lists, .. } = self;
        let label = |(key, value): &Label| (texts.shared(Arc::clone(key)), texts.shared(Arc::clone(value)));
        labels.map_list(|list| lists.shared_list(&list, label))
    }

    pub fn service_ports(&mut self, ports: &[ServicePort]) -> Arc<[ServicePort]> {
        let Self { texts, service_ports: lists, .. } = self;
        lists.shared_list(ports, |port| ServicePort {
            name: texts.shared(Arc::clone(&port.name)),
            app_protocol: port.app_protocol.clone().map(|text| texts.shared(text)),
            ..port.clone()
        })
    }

    pub fn slice_ports(&mut self, ports: &[SlicePort]) -> Arc<[SlicePort]> {
        let Self { texts, slice_ports: lists, .. } = self;
        lists.shared_list(ports, |port| SlicePort { name: texts.shared(Arc::clone(&port.name)), ..port.clone() })
    }

    pub fn zones(&mut self, zones: &[Option<Zone>]) -> Arc<[Option<Zone>]> {
        let Self { texts, zones: lists, .. } = self;
        lists.shared_list(zones, |zone| zone.clone().map(|zone| zone.map_text(|text| texts.shared(text))))
    }
}

/// Values, each of them once. Those that only the pool holds are searched for and dropped whenever it has grown to twice of what it held
/// after the last search. So it never holds more than twice of what was in use then, and sharing is O(1) on average.
#[derive(Debug)]
struct Pool<T: ?Sized> {
    held: HashSet<Arc<T>>,
    /// How many it holds when it is searched.
    full: usize,
}

impl<T: ?Sized> Default for Pool<T> {
    fn default() -> Self {
        Self { held: HashSet::new(), full: FEW }
    }
}

impl<T: ?Sized + Eq + Hash> Pool<T> {
    /// The one copy of a value.
    fn shared<V: Borrow<T> + Into<Arc<T>>>(&mut self, value: V) -> Arc<T> {
        match self.held.get(value.borrow()) {
            Some(held) => Arc::clone(held),
            None => self.add(value.into()),
        }
    }

    fn add(&mut self, value: Arc<T>) -> Arc<T> {
        if self.held.len() >= self.full {
            self.held.retain(|held| Arc::strong_count(held) > 1);
            self.full = FEW.max(self.held.len() * 2);
            self.held.shrink_to(self.full);
        }
        self.held.insert(Arc::clone(&value));
        value
    }
}

impl<I: Eq + Hash> Pool<[I]> {
    /// The one copy of a list. If it is new, it is made of the list's items by `copy`.
    fn shared_list(&mut self, list: &[I], copy: impl FnMut(&I) -> I) -> Arc<[I]> {
        match self.held.get(list) {
            Some(held) => Arc::clone(held),
            None => self.add(list.iter().map(copy).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one() {
        let mut pool: Pool<str> = Pool::default();
        let (first, again, other) = (pool.shared("a"), pool.shared(Arc::from("a")), pool.shared("b"));
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!((&*first, &*other), ("a", "b"));
    }

    #[test]
    fn what_nothing_uses_is_dropped_and_nothing_else() {
        let mut pool: Pool<str> = Pool::default();
        let used: Vec<_> = (0..100).map(|n| pool.shared(format!("used {n}"))).collect();
        for n in 0..10_000 {
            pool.shared(format!("unused {n}"));
            assert!(pool.held.len() <= 2 * used.len() + FEW, "{n}");
        }
        for (n, text) in used.iter().enumerate() {
            assert!(Arc::ptr_eq(text, &pool.shared(format!("used {n}"))), "{n}");
        }
        drop(used);
        (0..1_000).for_each(|n| drop(pool.shared(format!("more {n}"))));
        assert!(pool.held.len() <= 2 * FEW && pool.held.capacity() <= 8 * FEW, "{}", pool.held.capacity());
    }

    #[test]
    fn texts_in_lists_are_one() {
        let mut pools = Pools::default();
        let port = |name: &str, port| SlicePort { name: Arc::from(name), port, protocol: crate::model::Protocol::Tcp };
        let name = pools.text(Arc::from("http"));
        let lists = [vec![port("http", 80)], vec![port("http", 80)], vec![port("http", 81)]];
        let lists = lists.map(|list| pools.slice_ports(&list));
        assert!(Arc::ptr_eq(&lists[0], &lists[1]) && !Arc::ptr_eq(&lists[0], &lists[2]));
        assert!(lists.iter().all(|list| Arc::ptr_eq(&list[0].name, &name)));
    }
}
