//! The watches of one connection: six kinds, one task each.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use federation::change::{Batch, Delta, Epoch, MemberChanges, Object};
use federation::model::ClusterId;
use k8s_openapi::api::core::v1::{Namespace, Node, Service};
use k8s_openapi::api::networking::v1::ServiceCIDR;
use kube::Api;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::exports::OldServiceExport;
use crate::api::{MCS_GROUP, MCS_VERSIONS, ServiceExport};
use crate::clusters::connect::{CALL_TIMEOUT, ConnectError, Link, describe};
use crate::clusters::tables::SeenMark;
use crate::clusters::watch::{Follow, Guarded, Listener, Plain, Reading, RemoteSlices, ToFeed, Trouble, follow};
use crate::feed::{Feed, FeedClosed};
use crate::problem::{ProblemBook, ProblemOrigin};

/// Kinds that mirrors are written as are compared with the API server as a whole this often, up to twice as rarely.
const RELIST_AFTER: Duration = Duration::from_secs(900);
/// Troubles that may wait to be heard; more say nothing new.
const TROUBLES: usize = 16;

/// Which of the kinds that need not exist were there, over all connections of a member.
#[derive(Clone, Debug, Default)]
pub(super) struct Optional {
    service_cidrs: Arc<AtomicBool>,
    exports: Arc<AtomicBool>,
}

/// What a watch reports to the connection it belongs to.
#[derive(Debug)]
pub(super) enum Report {
    /// Find out whether the API server is there.
    Broken,
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
    pub(super) optional: Optional,
}

/// Running watches; dropping this ends them.
pub(super) struct Running {
    pub(super) tasks: JoinSet<FeedClosed>,
    pub(super) reports: mpsc::Receiver<Report>,
}

impl Watches {
    pub(super) fn start(&self, link: &Link) -> Running {
        let (sender, reports) = mpsc::channel(TROUBLES);
        let mut tasks = JoinSet::new();
        let listener = || ToSession { server: link.server.clone(), sender: sender.clone() };
        let client = &link.client.client;
        let set = &mut tasks;
        let written = || Follow { relist: Some(RELIST_AFTER), ..self.how(listener(), None, false) };
        self.add::<Plain<Namespace>>(set, client, MemberChanges::Namespaces, written());
        self.add::<Plain<Service>>(set, client, MemberChanges::Services, written());
        self.add::<RemoteSlices>(set, client, MemberChanges::Slices, self.how(listener(), None, false));
        // Nodes change all the time, their ranges never.
        self.add::<Plain<Node>>(set, client, MemberChanges::Nodes, self.how(listener(), None, true));
        let cidrs = Some(self.optional.service_cidrs.clone());
        self.add::<Plain<ServiceCIDR>>(set, client, MemberChanges::ServiceCidrs, self.how(listener(), cidrs, true));
        self.add_exports(set, client.clone(), listener());
        Running { tasks, reports }
    }

    fn add<R: Reading>(
        &self,
        tasks: &mut JoinSet<FeedClosed>,
        client: &kube::Client,
        changes: fn(Delta<R::Model>) -> MemberChanges,
        how: Follow<ToSession>,
    ) {
        tasks.spawn(follow::<R, _>(Api::all(client.clone()), how, self.sink(changes)));
    }

    /// In the version that the cluster serves. A definition that is installed later, and in the old version only, is
    /// seen by the next connection.
    fn add_exports(&self, tasks: &mut JoinSet<FeedClosed>, client: kube::Client, listener: ToSession) {
        let how = self.how(listener, Some(self.optional.exports.clone()), true);
        let sink = self.sink(MemberChanges::Exports);
        tasks.spawn(async move {
            if only_old(&client).await {
                follow::<Guarded<OldServiceExport>, _>(Api::all(client), how, sink).await
            } else {
                follow::<Guarded<ServiceExport>, _>(Api::all(client), how, sink).await
            }
        });
    }

    fn how(&self, listener: ToSession, optional: Option<Arc<AtomicBool>>, remember: bool) -> Follow<ToSession> {
        Follow {
            origin: ProblemOrigin::from(&self.id),
            problems: self.problems.clone(),
            seen: self.seen.clone(),
            listener,
            remember,
            relist: None,
            optional,
        }
    }

    fn sink<T: Object + 'static>(
        &self,
        changes: fn(Delta<T>) -> MemberChanges,
    ) -> ToFeed<impl Fn(Delta<T>) -> Batch + Send + 'static> {
        let (cluster, epoch) = (self.id.clone(), self.epoch);
        let wrap = move |delta| Batch::Member { cluster: cluster.clone(), epoch, changes: changes(delta) };
        ToFeed { feed: self.feed.clone(), wrap }
    }
}

/// Whether ServiceExports are served in the old version and not in the current one. In doubt: no.
async fn only_old(client: &kube::Client) -> bool {
    let [current, old] = MCS_VERSIONS;
    let Ok(Ok(groups)) = tokio::time::timeout(CALL_TIMEOUT, client.list_api_groups()).await else { return false };
    let Some(group) = groups.groups.iter().find(|group| group.name == MCS_GROUP) else { return false };
    let serves = |version: &str| group.versions.iter().any(|served| served.version == version);
    serves(old) && !serves(current)
}

struct ToSession {
    server: http::Uri,
    sender: mpsc::Sender<Report>,
}

impl Listener for ToSession {
    fn trouble(&mut self, plural: &str, trouble: Trouble) {
        let report = match trouble {
            Trouble::Broken(_) => Report::Broken,
            Trouble::Refused(error) | Trouble::Stuck(error) => {
                Report::Lost(describe(&self.server, &format!("watch {plural}"), &error))
            }
        };
        // A full channel holds reports enough.
        let _ = self.sender.try_send(report);
    }
}
