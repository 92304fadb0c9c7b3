//! What must not move. A resourceVersion changes with every write, so two equal scenes prove that nothing was written
//! in between, not only that all came back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use super::{Federation, Isthmus};

const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Things by name, each with what identifies its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene(BTreeMap<String, String>);

impl Scene {
    /// One thing.
    pub fn of(name: &str, state: &impl std::fmt::Debug) -> Self {
        Self(BTreeMap::from([(name.to_owned(), format!("{state:?}"))]))
    }

    /// What differs, a line each.
    pub fn differences(&self, later: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for name in self.0.keys().chain(later.0.keys().filter(|name| !self.0.contains_key(*name))) {
            match (self.0.get(name), later.0.get(name)) {
                (Some(before), Some(after)) if before == after => {}
                (before, after) => lines.push(format!("{name}: {before:?} -> {after:?}")),
            }
        }
        lines
    }

    pub fn assert_same(&self, later: &Self, what: &str) {
        let differences = self.differences(later);
        assert!(differences.is_empty(), "{what}:\n{}", differences.join("\n"));
    }

    /// Only the things whose name contains one of these.
    pub fn only(mut self, parts: &[&str]) -> Self {
        self.0.retain(|name, _| parts.iter().any(|part| name.contains(part)));
        self
    }

    pub fn without(mut self, parts: &[&str]) -> Self {
        self.0.retain(|name, _| !parts.iter().any(|part| name.contains(part)));
        self
    }

    /// The states of all things, one after the other.
    pub fn text(&self) -> String {
        self.0.values().cloned().collect::<Vec<_>>().join("\n")
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Federation {
    /// Namespaces, Services and EndpointSlices of these members, by resourceVersion.
    pub async fn scene_in(&self, ids: &[&str]) -> Scene {
        let mut scene = BTreeMap::new();
        for id in ids {
            let client = self.member(id).cluster.client();
            versions(id, Api::<Namespace>::all(client.clone()), &mut scene).await;
            versions(id, Api::<Service>::all(client.clone()), &mut scene).await;
            versions(id, Api::<EndpointSlice>::all(client), &mut scene).await;
        }
        Scene(scene)
    }

    /// Statuses of these members, but for the time at which they were last seen.
    pub async fn scene_of_statuses(&self, ids: &[&str]) -> Scene {
        let mut scene = BTreeMap::new();
        for id in ids {
            let mut status = self.status(id).await;
            status.last_seen = None;
            scene.insert(format!("status of {id}"), serde_json::to_string(&status).expect("JSON"));
        }
        Scene(scene)
    }
}

impl Isthmus {
    /// The merged services, and the work that was done for them.
    pub async fn scene(&self) -> Scene {
        let services = self.services().await.into_iter();
        Scene(services.map(|(name, service)| (format!("merged {name}"), format!("{service:?}"))).collect())
    }
}

impl std::ops::Add for Scene {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

async fn versions<K>(id: &str, api: Api<K>, scene: &mut BTreeMap<String, String>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let kind = K::kind(&());
    let list = api.list_metadata(&ListParams::default()).await.unwrap_or_else(|error| panic!("{id}: {kind}: {error}"));
    for object in list {
        let name = format!("{id} {kind} {}/{}", object.namespace().unwrap_or_default(), object.name_any());
        let version = (object.uid(), object.resource_version(), object.metadata.deletion_timestamp.is_some());
        scene.insert(name, format!("{version:?}"));
    }
}

/// Looks all the time for `window`, and panics at the first look that shows anything else than the first one.
pub async fn still(what: &str, window: Duration, mut look: impl AsyncFnMut() -> Scene) {
    let begun = Instant::now();
    let before = look().await;
    assert!(!before.is_empty(), "{what}: there is nothing to look at");
    while begun.elapsed() < window {
        tokio::time::sleep(LOOK_EVERY).await;
        before.assert_same(&look().await, &format!("{what}, after {:.1?}", begun.elapsed()));
    }
}
