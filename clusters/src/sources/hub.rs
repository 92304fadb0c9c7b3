//! The hub's objects, read once: for commands that look and leave. Members are not asked; what is known of them is
//! in their status.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use federation::change::{Batch, Delta, Epoch, HubChanges, LinkChange, MemberChanges};
use federation::model::{ClusterUid, Network};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::ListParams;

use crate::api::{FederationPolicy, MemberCluster, MemberClusterStatus, Region};
use crate::client::bounds::MAX_MEMBER_OBJECTS;
use crate::client::connect;
use crate::client::hub::HubClient;
use crate::conditions::json::{ConditionJson, MemberJson};
use crate::convert::{Accepted, Convert, parse_cidr};
use crate::problem::Problem;

/// One list of the hub must not take longer.
const LIST_TIMEOUT: Duration = Duration::from_secs(15);
/// Objects in one page of it: [`MAX_PAGE_BYTES`](crate::client::bounds::MAX_PAGE_BYTES) is far more than they take.
const PAGE_SIZE: u32 = 200;

/// Identity of the hub: UID of its `kube-system` namespace (KEP-2149). It survives everything but a hub that is built
/// again.
pub async fn uid(hub: &HubClient) -> anyhow::Result<Arc<str>> {
    const WHAT: &str = "get the namespace kube-system";
    let api: Api<Namespace> = Api::all(hub.client());
    let found = tokio::time::timeout(LIST_TIMEOUT, api.get("kube-system")).await;
    let found = found.map_err(|_| anyhow!(hub.late(WHAT, LIST_TIMEOUT)))?;
    let found = found.map_err(|error| anyhow!(hub.describe(WHAT, &error)))?;
    found.metadata.uid.map(Arc::from).context("namespace kube-system of the hub has no UID")
}

/// The hub's custom resources.
#[derive(Debug, Default)]
pub struct HubObjects {
    pub regions: Vec<Region>,
    pub members: Vec<MemberCluster>,
    pub policies: Vec<FederationPolicy>,
}

impl HubObjects {
    pub async fn read(hub: &HubClient) -> anyhow::Result<Self> {
        Ok(Self { regions: list(hub).await?, members: list(hub).await?, policies: list(hub).await? })
    }

    /// As the engine would receive them, with the members' identities and discovered ranges as their status records them.
    pub fn batches(&self) -> (Vec<Batch>, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut batches = vec![
            Batch::Hub(HubChanges::Regions(convert(&self.regions, &mut problems))),
            Batch::Hub(HubChanges::Policies(convert(&self.policies, &mut problems))),
        ];
        let status: BTreeMap<&str, &MemberClusterStatus> = self
            .members
            .iter()
            .filter_map(|member| Some((member.metadata.name.as_deref()?, member.status.as_ref()?)))
            .collect();
        let mut members = convert(&self.members, &mut problems);
        if let Delta::Full { objects, .. } = &mut members {
            for member in &mut *objects {
                let known = status.get(member.id.as_str()).and_then(|status| status.cidrs.as_ref());
                let ranges = |texts: &[String]| -> Option<Vec<_>> {
                    let ranges: Vec<_> = texts.iter().filter_map(|text| parse_cidr(text).ok()).collect();
                    (!ranges.is_empty()).then_some(ranges)
                };
                member.pods = member.pods.take().or_else(|| ranges(&known?.pods));
                member.services = member.services.take().or_else(|| ranges(&known?.services));
            }
        }
        batches.push(Batch::Hub(HubChanges::Members(members)));
        for member in &self.members {
            let Some(id) = crate::convert::key_member(&member.metadata) else { continue };
            // A cluster that was never reached is judged by its ranges; its identity is taken to be one of its own.
            let uid = member.status.as_ref().and_then(|status| status.cluster_uid.clone());
            let uid = ClusterUid(Arc::from(uid.unwrap_or_else(|| format!("unknown:{id}"))));
            let version =
                member.status.as_ref().and_then(|status| status.kubernetes_version.as_deref()).unwrap_or_default();
            let up = MemberChanges::Link(LinkChange::Up { uid, version: Arc::from(version) });
            batches.push(Batch::Member { cluster: id, epoch: Epoch(1), changes: up });
        }
        (batches, problems)
    }

    /// Members as their status shows them.
    pub fn views(&self) -> Vec<MemberJson> {
        self.members.iter().map(view).collect()
    }
}

async fn list<K>(hub: &HubClient) -> anyhow::Result<Vec<K>>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let what = format!("list {} objects", K::kind(&()));
    match tokio::time::timeout(LIST_TIMEOUT, pages::<K>(hub)).await {
        Ok(Ok(Some(items))) => Ok(items),
        Ok(Ok(None)) => {
            Err(anyhow!("the hub has more than {MAX_MEMBER_OBJECTS} {} objects; expected fewer", K::kind(&())))
        }
        Ok(Err(kube::Error::Api(status))) if status.code == 404 && is_api_server(hub).await => {
            Err(anyhow!(hub.without_kind(&K::kind(&()))))
        }
        Ok(Err(error)) => Err(anyhow!(hub.describe(&what, &error))),
        Err(_) => Err(anyhow!(hub.late(&what, LIST_TIMEOUT))),
    }
}

/// `None`: there are too many.
async fn pages<K>(hub: &HubClient) -> kube::Result<Option<Vec<K>>>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let api: Api<K> = Api::all(hub.client());
    let mut items = Vec::new();
    let mut page = ListParams::default().limit(PAGE_SIZE);
    while items.len() < MAX_MEMBER_OBJECTS {
        let found = api.list(&page).await?;
        items.extend(found.items);
        match found.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page.continue_token = Some(token),
            None => return Ok(Some(items)),
        }
    }
    Ok(None)
}

/// Whether what answers 404 is an API server at all: others say so to whatever they are asked.
async fn is_api_server(hub: &HubClient) -> bool {
    matches!(tokio::time::timeout(LIST_TIMEOUT, connect::version(&hub.client())).await, Ok(Ok(_)))
}

fn convert<K: Convert>(objects: &[K], problems: &mut Vec<Problem>) -> Delta<K::Model> {
    let (mut good, mut rejected) = (Vec::new(), Vec::new());
    for object in objects {
        match object.convert() {
            Ok(Accepted { object, problems: lost }) => {
                good.extend(object);
                problems.extend(lost);
            }
            Err(found) => {
                problems.extend(found);
                rejected.extend(K::key_of(object.meta()));
            }
        }
    }
    Delta::Full { objects: good, rejected }
}

fn view(member: &MemberCluster) -> MemberJson {
    let status = member.status.clone().unwrap_or_default();
    let conditions: Vec<ConditionJson> = status
        .conditions
        .into_iter()
        .map(|condition| ConditionJson {
            kind: condition.type_,
            status: condition.status,
            reason: condition.reason,
            message: condition.message,
        })
        .collect();
    let (counts, cidrs) = (status.counts.unwrap_or_default(), status.cidrs.unwrap_or_default());
    let view = MemberJson {
        region: member.spec.region.clone(),
        network: member.spec.network.clone().unwrap_or_else(|| Network::default_network().to_string()),
        traffic: member.spec.traffic.as_str().to_owned(),
        weight: member.spec.weight,
        uid: status.cluster_uid,
        kubernetes_version: status.kubernetes_version,
        pod_cidrs: cidrs.pods,
        service_cidrs: cidrs.services,
        services: counts.services,
        endpoints: counts.endpoints,
        mirrored: counts.mirrored,
        last_seen: status.last_seen.map(|seen| seen.0.to_string()),
        problems: status.problems,
        notes: status.notes,
        ..MemberJson::default()
    };
    view.with(member.metadata.name.clone().unwrap_or_default(), conditions)
}
