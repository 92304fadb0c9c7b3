//! The watches of one connection: six kinds, one task each.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use federation::change::{Batch, Delta, Epoch, MemberChanges, MemberKind, Object};
use federation::model::ClusterId;
use k8s_openapi::api::core::v1::{Namespace, Node, Service};
use k8s_openapi::api::networking::v1::ServiceCIDR;
use kube::{Api, Resource};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::exports::OldServiceExport;
use super::hints;
use crate::api::{MCS_GROUP, MCS_VERSIONS, ServiceExport};
use crate::client::answers;
use crate::client::bounds::CALL_TIMEOUT;
use crate::client::bounds::MemberBounds;
use crate::client::connect::{ConnectError, Link, describe};
use crate::foreign::Secrets;
use crate::problem::{ProblemBook, ProblemOrigin};
use crate::sources::feed::{Feed, FeedClosed};
use crate::sources::watch::{
    Follow, IsServed, Listener, Optional, Plain, Reading, RemoteSlices, Share, Sink, Trouble, follow,
};
use crate::tables::SeenMark;

/// Kinds that mirrors are written as are compared with the API server as a whole this often, up to twice as rarely.
const RELIST_AFTER: Duration = Duration::from_secs(900);
/// Troubles that may wait to be handled; more of them add nothing.
const TROUBLES: usize = 16;
/// Versions of one API group that are looked through for a kind.
const MAX_VERSIONS: usize = 16;

/// Which of the kinds that need not exist were there, over all connections of a member.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    service_cidrs: Arc<AtomicBool>,
    exports: Arc<AtomicBool>,
}

/// What a watch reports to the connection it belongs to.
#[derive(Debug)]
pub(super) enum Report {
    /// Find out whether the API server is there.
    Broken,
    /// This kind cannot be read, and why.
    Unreadable(MemberKind, ConnectError),
    /// What it sends of this kind cannot be used, and why. Another connection would be sent the same.
    Unusable(MemberKind, ConnectError),
    /// It can.
    Listed(MemberKind),
    /// This connection is no good.
    Lost(ConnectError),
}

/// What the watches of one connection share.
pub(super) struct Watches {
    pub(super) id: ClusterId,
    pub(super) epoch: Epoch,
    pub(super) feed: Feed,
    pub(super) problems: ProblemBook,
    pub(super) seen: SeenMark,
    pub(super) were_there: Seen,
    pub(super) bounds: MemberBounds,
}

/// Running watches; dropping this ends them.
pub(super) struct Running {
    pub(super) tasks: JoinSet<FeedClosed>,
    pub(super) reports: mpsc::Receiver<Report>,
}

impl Watches {
    pub(super) fn start(&mut self, link: &Link) -> Running {
        // The server knows this credential and those before it, and may send them back in any text.
        self.problems = self.problems.scrubbing(link.client.secrets());
        let (sender, reports) = mpsc::channel(TROUBLES);
        let mut tasks = JoinSet::new();
        let share = Share::of(&self.bounds);
        let listener = |kind| ToSession { kind, server: link.server.clone(), sender: sender.clone() };
        let client = &link.client.client;
        let set = &mut tasks;
        let written = |kind| Follow { relist: Some(RELIST_AFTER), ..self.how(listener(kind), None, false, &share) };
        self.add::<Plain<Namespace>>(set, client, MemberChanges::Namespaces, written(MemberKind::Namespaces));
        self.add::<Plain<Service>>(set, client, MemberChanges::Services, written(MemberKind::Services));
        let slices = self.how(listener(MemberKind::Slices), None, false, &share);
        self.add::<RemoteSlices>(set, client, MemberChanges::Slices, slices);
        // Nodes change all the time, their ranges never.
        let nodes = self.how(listener(MemberKind::Nodes), None, true, &share);
        self.add::<Plain<Node>>(set, client, MemberChanges::Nodes, nodes);
        let (was_there, is_served) = (self.were_there.service_cidrs.clone(), is_served::<ServiceCIDR>(client));
        let optional = Some(Optional { was_there, is_served });
        let cidrs = self.how(listener(MemberKind::ServiceCidrs), optional, true, &share);
        self.add::<Plain<ServiceCIDR>>(set, client, MemberChanges::ServiceCidrs, cidrs);
        self.add_exports(set, client.clone(), listener(MemberKind::Exports), &share);
        Running { tasks, reports }
    }

    fn add<R: Reading>(
        &self,
        tasks: &mut JoinSet<FeedClosed>,
        client: &kube::Client,
        changes: fn(Delta<R::Model>) -> MemberChanges,
        how: Follow<ToSession>,
    ) {
        let sink = self.sink(how.listener.kind, changes);
        tasks.spawn(follow::<R, _>(Api::all(client.clone()), how, sink));
    }

    /// In the version that the cluster serves. A definition that is installed later, and in the old version only, is
    /// seen by the next connection.
    fn add_exports(&self, tasks: &mut JoinSet<FeedClosed>, client: kube::Client, listener: ToSession, share: &Share) {
        let (was_there, is_served) = (self.were_there.exports.clone(), is_served::<ServiceExport>(&client));
        let how = self.how(listener, Some(Optional { was_there, is_served }), true, share);
        let sink = self.sink(MemberKind::Exports, MemberChanges::Exports);
        tasks.spawn(async move {
            if only_old(&client).await {
                follow::<Plain<OldServiceExport>, _>(Api::all(client), how, sink).await
            } else {
                follow::<Plain<ServiceExport>, _>(Api::all(client), how, sink).await
            }
        });
    }

    fn how(&self, listener: ToSession, optional: Option<Optional>, remember: bool, share: &Share) -> Follow<ToSession> {
        Follow {
            origin: ProblemOrigin::from(&self.id),
            problems: self.problems.clone(),
            seen: self.seen.clone(),
            listener,
            remember,
            relist: None,
            optional,
            share: share.clone(),
        }
    }

    fn sink<T>(&self, kind: MemberKind, changes: fn(Delta<T>) -> MemberChanges) -> ToEngine<T>
    where
        T: Object,
    {
        let secrets = self.problems.secrets().clone();
        ToEngine { feed: self.feed.clone(), cluster: self.id.clone(), epoch: self.epoch, kind, changes, secrets }
    }
}

/// One kind's way to the engine, on one connection.
struct ToEngine<T: Object> {
    feed: Feed,
    cluster: ClusterId,
    epoch: Epoch,
    kind: MemberKind,
    changes: fn(Delta<T>) -> MemberChanges,
    secrets: Secrets,
}

impl<T: Object> ToEngine<T> {
    fn batch(&self, changes: MemberChanges) -> Batch {
        Batch::Member { cluster: self.cluster.clone(), epoch: self.epoch, changes }
    }
}

impl<T> Sink<T> for ToEngine<T>
where
    T: Object + Send,
    T::Key: Send,
{
    async fn take(&mut self, delta: Delta<T>) -> Result<(), FeedClosed> {
        let changes = hints::scrubbed((self.changes)(delta), &self.secrets);
        self.feed.send(self.batch(changes)).await
    }

    async fn unreadable(&mut self, message: Arc<str>) -> Result<(), FeedClosed> {
        self.feed.send(self.batch(MemberChanges::Unreadable { kind: self.kind, message, partly: false })).await
    }
}

/// Asks the API server's discovery for a kind. Every authenticated client may do that, unless that right was taken away.
fn is_served<K: Resource<DynamicType = ()> + 'static>(client: &kube::Client) -> IsServed {
    let client = client.clone();
    Arc::new(move || {
        let client = client.clone();
        Box::pin(async move {
            let group = K::group(&());
            let groups = groups(&client).await?;
            let Some(group) = groups.groups.iter().find(|served| served.name == *group) else { return Some(false) };
            for version in group.versions.iter().take(MAX_VERSIONS) {
                let path = format!("/apis/{}", version.group_version);
                let asked = answers::get::<ApiResources>(&client, &path, "the list of resources", "an APIResourceList");
                let resources = answered(asked).await?.ok()?;
                if resources.resources.iter().any(|resource| resource.name == K::plural(&())) {
                    return Some(true);
                }
            }
            Some(false)
        })
    })
}

/// What is read of an API server's discovery.
#[derive(Deserialize)]
struct ApiGroups {
    groups: Vec<ApiGroup>,
}

#[derive(Deserialize)]
struct ApiGroup {
    name: String,
    versions: Vec<ApiVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiVersion {
    group_version: String,
    version: String,
}

#[derive(Deserialize)]
struct ApiResources {
    resources: Vec<ApiResource>,
}

#[derive(Deserialize)]
struct ApiResource {
    name: String,
}

async fn groups(client: &kube::Client) -> Option<ApiGroups> {
    answered(answers::get(client, "/apis", "the list of API groups", "an APIGroupList")).await?.ok()
}

async fn answered<T>(request: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(CALL_TIMEOUT, request).await.ok()
}

/// Whether ServiceExports are served in the old version and not in the current one. In doubt: no.
async fn only_old(client: &kube::Client) -> bool {
    let [current, old] = MCS_VERSIONS;
    let Some(groups) = groups(client).await else { return false };
    let Some(group) = groups.groups.iter().find(|group| group.name == MCS_GROUP) else { return false };
    let serves = |version: &str| group.versions.iter().any(|served| served.version == version);
    serves(old) && !serves(current)
}

struct ToSession {
    kind: MemberKind,
    server: http::Uri,
    sender: mpsc::Sender<Report>,
}

impl Listener for ToSession {
    fn trouble(&mut self, plural: &str, trouble: Trouble) {
        let report = match trouble {
            Trouble::Broken(_) => Report::Broken,
            Trouble::Refused(error) if is_unauthorized(&error) => Report::Lost(self.describe(plural, &error)),
            Trouble::Refused(error) | Trouble::Stuck(error) => {
                Report::Unreadable(self.kind, self.describe(plural, &error))
            }
            Trouble::Unusable(error) => {
                // An answer that ends in the middle may be the last of an API server.
                let _ = self.sender.try_send(Report::Broken);
                Report::Unusable(self.kind, self.describe(plural, &error))
            }
        };
        // A full channel holds reports enough.
        let _ = self.sender.try_send(report);
    }

    /// A credential that is refused as such concerns the connection and not this kind.
    fn unreadable(&self, plural: &str, error: &kube::Error) -> Option<Arc<str>> {
        (!is_unauthorized(error)).then(|| self.describe(plural, error).message)
    }

    fn listed(&mut self, _: &str) {
        let _ = self.sender.try_send(Report::Listed(self.kind));
    }
}

impl ToSession {
    fn describe(&self, plural: &str, error: &kube::Error) -> ConnectError {
        describe(&self.server, &format!("list and watch {plural}"), error)
    }
}

fn is_unauthorized(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 401)
}
