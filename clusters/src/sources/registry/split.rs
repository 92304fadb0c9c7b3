//! What one watch of the hub observes goes two ways: changes of what an object says to the engine, and its status into a table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use federation::change::{Change, Delta, Object};

use super::hub_entry::HubEntry;
use crate::sources::feed::FeedClosed;
use crate::sources::watch::Sink;
use crate::tables::observed::{HubObserved, HubTable, Observed, ObservedKind};

/// The rows of the table that one kind has.
pub(super) type Rows<S> = fn(&mut HubObserved) -> &mut ObservedKind<S>;

/// Puts statuses into a table, and forwards what changed besides.
pub(super) struct Split<M, S, K> {
    /// The last good state of each object, as it was forwarded.
    forwarded: BTreeMap<Arc<str>, M>,
    table: HubTable,
    rows: Rows<S>,
    to: K,
}

impl<M, S, K> Split<M, S, K>
where
    M: Object<Key: Send> + Clone + PartialEq + Send,
    S: Send + Sync,
    K: Sink<M>,
{
    pub(super) fn new(table: HubTable, rows: Rows<S>, to: K) -> Self {
        Self { forwarded: BTreeMap::new(), table, rows, to }
    }

    fn observe(&self, delta: &Delta<HubEntry<M, S>>) {
        self.table.update(|table| {
            let rows = Arc::make_mut((self.rows)(table));
            match delta {
                Delta::Full { objects, rejected } => {
                    let listed: BTreeSet<&Arc<str>> = objects.iter().map(Object::key).chain(rejected).collect();
                    rows.retain(|name, _| listed.contains(name));
                    objects.iter().for_each(|entry| put(rows, entry));
                }
                Delta::Partial(changes) => {
                    for change in changes {
                        match change {
                            Change::Put(entry) => put(rows, entry),
                            Change::Delete(name) => _ = rows.remove(name),
                        }
                    }
                }
            }
        });
    }

    /// What is to be forwarded of it.
    fn models(&mut self, delta: Delta<HubEntry<M, S>>) -> Option<Delta<M>> {
        match delta {
            Delta::Full { objects, rejected } => Some(self.full(objects, rejected)),
            Delta::Partial(changes) => {
                let changes: Vec<_> = changes.into_iter().filter_map(|change| self.change(change)).collect();
                (!changes.is_empty()).then_some(Delta::Partial(changes))
            }
        }
    }

    fn full(&mut self, objects: Vec<HubEntry<M, S>>, rejected: Vec<Arc<str>>) -> Delta<M> {
        let mut before = std::mem::take(&mut self.forwarded);
        let mut stays = rejected;
        let mut models = Vec::new();
        for HubEntry { name, model, .. } in objects {
            match model {
                Some(model) => {
                    models.push(model.clone());
                    self.forwarded.insert(name, model);
                }
                None => stays.push(name),
            }
        }
        let mut rejected = Vec::new();
        for name in stays {
            // Without a good state there is nothing that could stay.
            if let Some(last) = before.remove(&name) {
                rejected.push(last.key().clone());
                self.forwarded.entry(name).or_insert(last);
            }
        }
        Delta::Full { objects: models, rejected }
    }

    fn change(&mut self, change: Change<HubEntry<M, S>>) -> Option<Change<M>> {
        match change {
            Change::Put(HubEntry { name, model, .. }) => {
                let model = model.filter(|model| self.forwarded.get(&name) != Some(model))?;
                self.forwarded.insert(name, model.clone());
                Some(Change::Put(model))
            }
            Change::Delete(name) => self.forwarded.remove(&name).map(|last| Change::Delete(last.key().clone())),
        }
    }
}

fn put<M, S>(rows: &mut BTreeMap<Arc<str>, Arc<Observed<S>>>, entry: &HubEntry<M, S>) {
    match &entry.observed {
        Some(observed) => _ = rows.insert(Arc::clone(&entry.name), Arc::clone(observed)),
        None => _ = rows.remove(&entry.name),
    }
}

impl<M, S, K> Sink<HubEntry<M, S>> for Split<M, S, K>
where
    M: Object<Key: Send> + Clone + PartialEq + Send,
    S: Send + Sync,
    K: Sink<M>,
{
    async fn take(&mut self, delta: Delta<HubEntry<M, S>>) -> Result<(), FeedClosed> {
        // The table first: it never waits.
        self.observe(&delta);
        match self.models(delta) {
            Some(models) => self.to.take(models).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::DeserializeGuard;
    use serde_json::{Value, json};
    use tokio::sync::mpsc;

    use super::*;
    use crate::api::{FederationPolicy, MAX_CIDRS};
    use crate::sources::registry::hub_entry::{Entries, Policies};
    use crate::sources::watch::Reading as _;

    type Model = federation::model::Policy;
    type Entry = HubEntry<Model, Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>>;

    struct ToTest(mpsc::UnboundedSender<Delta<Model>>);

    impl Sink<Model> for ToTest {
        async fn take(&mut self, delta: Delta<Model>) -> Result<(), FeedClosed> {
            self.0.send(delta).map_err(|_| FeedClosed)
        }
    }

    /// A policy with this generation, spec, and text of its condition.
    fn policy(name: &str, generation: i64, spec: Value, message: &str) -> Entry {
        let condition = json!({
            "type": "Accepted", "status": "True", "reason": "Accepted", "message": message,
            "lastTransitionTime": "2026-11-01T00:00:00Z",
        });
        let wire: DeserializeGuard<FederationPolicy> = serde_json::from_value(json!({
            "metadata": {"name": name, "uid": format!("uid-{name}"), "generation": generation},
            "spec": spec, "status": {"conditions": [condition]},
        }))
        .unwrap();
        Entries::<Policies>::read(&wire).unwrap().object.unwrap()
    }

    fn good(name: &str, message: &str) -> Entry {
        policy(name, 1, json!({"federate": "All"}), message)
    }

    /// One whose spec is rejected by the conversion, and one that does not fit its schema at all.
    fn rejected(name: &str) -> Entry {
        policy(name, 2, json!({"reservedCidrs": vec!["10.0.0.0/8"; MAX_CIDRS + 1]}), "rejected")
    }

    fn unreadable(name: &str) -> Entry {
        policy(name, 3, json!({"federate": 7}), "unreadable")
    }

    struct Scene {
        split: Split<Model, Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>, ToTest>,
        table: HubTable,
        forwarded: mpsc::UnboundedReceiver<Delta<Model>>,
    }

    impl Scene {
        fn new() -> Self {
            let (sender, forwarded) = mpsc::unbounded_channel();
            let table = HubTable::default();
            Self { split: Split::new(table.clone(), |table| &mut table.policies, ToTest(sender)), table, forwarded }
        }

        /// What is forwarded, and the names, generations and texts that are in the table.
        async fn take(&mut self, delta: Delta<Entry>) -> (String, String) {
            self.split.take(delta).await.unwrap();
            let forwarded = match self.forwarded.try_recv() {
                Err(_) => "nothing".to_owned(),
                Ok(Delta::Full { objects, rejected }) => {
                    let objects = objects.iter().map(|policy| format!(" {}", policy.name));
                    let rejected = rejected.iter().map(|name| format!(" !{name}"));
                    format!("full{}", objects.chain(rejected).collect::<String>())
                }
                Ok(Delta::Partial(changes)) => {
                    let change = |change: &Change<Model>| match change {
                        Change::Put(policy) => format!("+{}", policy.name),
                        Change::Delete(name) => format!("-{name}"),
                    };
                    changes.iter().map(change).collect::<Vec<_>>().join(" ")
                }
            };
            let rows = self.table.subscribe().borrow().policies.clone();
            let rows = rows.iter().map(|(name, row)| {
                format!("{name} {} {}", row.identity.generation, row.status.first().unwrap().message)
            });
            (forwarded, rows.collect::<Vec<_>>().join(", "))
        }
    }

    fn of(forwarded: &str, table: &str) -> (String, String) {
        (forwarded.to_owned(), table.to_owned())
    }

    #[tokio::test]
    async fn a_status_is_observed_and_is_no_change_of_what_an_object_says() {
        let mut scene = Scene::new();
        assert_eq!(scene.take(Delta::full(vec![good("a", "1"), good("b", "1")])).await, of("full a b", "a 1 1, b 1 1"));
        assert_eq!(scene.take(Delta::put(good("a", "2"))).await, of("nothing", "a 1 2, b 1 1"));
        let other = policy("a", 2, json!({"federate": "None"}), "2");
        assert_eq!(scene.take(Delta::put(other)).await, of("+a", "a 2 2, b 1 1"));
    }

    /// Its status has to say that it is rejected.
    #[tokio::test]
    async fn a_rejected_object_is_observed_and_keeps_its_last_good_state() {
        let mut scene = Scene::new();
        scene.take(Delta::full(vec![good("a", "1")])).await;
        assert_eq!(scene.take(Delta::put(rejected("a"))).await, of("nothing", "a 2 rejected"));
        assert_eq!(scene.take(Delta::put(rejected("new"))).await, of("nothing", "a 2 rejected, new 2 rejected"));
        let list = vec![rejected("a"), rejected("new")];
        assert_eq!(scene.take(Delta::full(list)).await, of("full !a", "a 2 rejected, new 2 rejected"));
        assert_eq!(scene.take(Delta::put(good("a", "1"))).await, of("nothing", "a 1 1, new 2 rejected"));
        assert_eq!(scene.take(Delta::delete(Arc::from("new"))).await, of("nothing", "a 1 1"));
    }

    /// What its status holds is not known, so that it must not be written over.
    #[tokio::test]
    async fn an_object_that_cannot_be_read_is_not_observed_and_keeps_its_last_good_state() {
        let mut scene = Scene::new();
        scene.take(Delta::full(vec![good("a", "1"), good("b", "1")])).await;
        assert_eq!(scene.take(Delta::put(unreadable("a"))).await, of("nothing", "b 1 1"));
        assert_eq!(scene.take(Delta::full(vec![unreadable("a"), good("b", "1")])).await, of("full b !a", "b 1 1"));
        assert_eq!(
            scene.take(Delta::delete(Arc::from("a"))).await,
            of("-a", "b 1 1"),
            "the last good state goes with it"
        );
    }

    #[tokio::test]
    async fn what_was_deleted_is_gone_whether_an_event_or_a_list_says_so() {
        let mut scene = Scene::new();
        scene.take(Delta::full(vec![good("a", "1"), good("b", "1"), rejected("c")])).await;
        assert_eq!(scene.take(Delta::delete(Arc::from("a"))).await, of("-a", "b 1 1, c 2 rejected"));
        assert_eq!(scene.take(Delta::put(good("a", "1"))).await, of("+a", "a 1 1, b 1 1, c 2 rejected"));
        // Deleted while the watch was interrupted.
        assert_eq!(scene.take(Delta::full(vec![good("b", "1")])).await, of("full b", "b 1 1"));
        assert_eq!(scene.take(Delta::put(good("a", "1"))).await, of("+a", "a 1 1, b 1 1"));
    }
}
