//! `Accepted` of each `FederationPolicy` and each `Region`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use federation::change::{Change, Delta};
use federation::model::Time;
use federation::references::HubNotice;
use k8s_openapi::ClusterResourceScope;
use kube::api::{Patch, PatchParams};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::deadline::deadline;
use super::events::Events;
use super::observed::{ObservedHub, apply};
use crate::api::{API_VERSION, FIELD_MANAGER};
use crate::conditions;
use crate::conditions::hub_problems::HubProblems;
use crate::conditions::text;

/// All objects of one kind, by name.
#[derive(Debug)]
pub(super) struct HubObjects {
    kind: &'static str,
    rows: BTreeMap<Arc<str>, ObservedHub>,
}

/// What the conditions are made from, besides the objects.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) problems: &'a HubProblems<'a>,
    pub(super) notices: &'a [HubNotice],
    pub(super) now: Time,
}

impl HubObjects {
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, rows: BTreeMap::new() }
    }

    pub(super) fn observe(&mut self, delta: Delta<ObservedHub>) {
        let keys = self.rows.keys().cloned().collect();
        apply(delta, keys, |change| match change {
            Change::Put(object) => {
                self.rows.insert(object.identity.name.clone(), object);
            }
            Change::Delete(name) => {
                self.rows.remove(&name);
            }
        });
    }

    /// Writes what differs; false if something could not be written.
    pub(super) async fn write<K>(&mut self, client: &kube::Client, inputs: Inputs<'_>, events: &Events) -> bool
    where
        K: kube::Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let api: kube::Api<K> = kube::Api::all(client.clone());
        let kind = self.kind;
        let mut good = true;
        for row in self.rows.values_mut() {
            let name = &*row.identity.name;
            let problems = inputs.problems.of(kind, name);
            let notices: Vec<_> = of(inputs.notices, kind, name).map(text::hub_notice).collect();
            let wanted = conditions::accepted(kind, &problems, &row.idle, &notices);
            let generation = Some(row.identity.generation);
            let conditions = conditions::with_history(&row.conditions, &[wanted], generation, inputs.now);
            if conditions == row.conditions {
                continue;
            }
            let body = json!({
                "apiVersion": API_VERSION,
                "kind": kind,
                "metadata": {"name": name, "uid": &*row.identity.uid},
                "status": {"conditions": conditions},
            });
            let params = PatchParams::apply(FIELD_MANAGER).force();
            match deadline(api.patch_status(name, &params, &Patch::Apply(&body))).await {
                Ok(()) => {
                    events.changed(kind, &row.identity, &row.conditions, &conditions);
                    row.conditions = conditions;
                }
                Err(error) => {
                    tracing::warn!(kind, name, "status not written: {error}");
                    good = false;
                }
            }
        }
        good
    }
}

/// Those about one object.
fn of<'a>(notices: &'a [HubNotice], kind: &'a str, name: &'a str) -> impl Iterator<Item = &'a HubNotice> {
    notices.iter().filter(move |notice| text::hub_subject(notice) == (kind, name))
}
