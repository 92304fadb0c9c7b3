//! `Accepted` of each `FederationPolicy`.

use std::collections::BTreeMap;
use std::sync::Arc;

use federation::change::{Change, Delta};
use federation::model::Time;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::conditions;
use super::events::Events;
use super::observed::{ObservedPolicy, apply};
use super::writer::{HubProblems, deadline};
use crate::api::{API_VERSION, FIELD_MANAGER, FederationPolicy, not_in_effect};

const KIND: &str = "FederationPolicy";

#[derive(Debug, Default)]
pub(super) struct Policies {
    rows: BTreeMap<Arc<str>, ObservedPolicy>,
}

impl Policies {
    pub(super) fn observe(&mut self, delta: Delta<ObservedPolicy>) {
        let keys = self.rows.keys().cloned().collect();
        apply(delta, keys, |change| match change {
            Change::Put(policy) => {
                self.rows.insert(policy.identity.name.clone(), policy);
            }
            Change::Delete(name) => {
                self.rows.remove(&name);
            }
        });
    }

    /// Writes what differs; false if something could not be written.
    pub(super) async fn write(
        &mut self,
        client: &kube::Client,
        problems: &HubProblems<'_>,
        events: &Events,
        now: Time,
    ) -> bool {
        let api: kube::Api<FederationPolicy> = kube::Api::all(client.clone());
        let mut good = true;
        for row in self.rows.values_mut() {
            let wanted = conditions::policy(&problems.of(KIND, &row.identity.name), &not_in_effect(&row.spec));
            let conditions = conditions::with_history(&row.conditions, &[wanted], now);
            if conditions == row.conditions {
                continue;
            }
            let body = json!({
                "apiVersion": API_VERSION,
                "kind": KIND,
                "metadata": {"name": &*row.identity.name, "uid": &*row.identity.uid},
                "status": {"conditions": conditions},
            });
            let params = PatchParams::apply(FIELD_MANAGER).force();
            match deadline(api.patch_status(&row.identity.name, &params, &Patch::Apply(&body))).await {
                Ok(()) => {
                    events.turned(KIND, &row.identity, &row.conditions, &conditions);
                    row.conditions = conditions;
                }
                Err(error) => {
                    tracing::warn!(policy = &*row.identity.name, "status not written: {error}");
                    good = false;
                }
            }
        }
        good
    }
}
