//! One task for each connected member that mirrors are planned for. It finds out who holds the member. What is known of a
//! member is forgotten with its connection: while it was lost, another hub may have taken it over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use federation::model::ClusterId;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::hold::Holder;
use crate::client::MemberClient;
use crate::conditions::progress::Hold;
use crate::tables::{Clients, TakeOvers};

pub(in crate::writers) struct Holders {
    /// UID of the hub's `kube-system` namespace.
    hub: Arc<str>,
    /// What they find out.
    holds: watch::Sender<BTreeMap<ClusterId, Hold>>,
    clients: Clients,
    take_overs: TakeOvers,
    tasks: JoinSet<()>,
    running: BTreeMap<ClusterId, AbortHandle>,
}

impl Holders {
    pub(in crate::writers) fn new(
        hub: Arc<str>,
        holds: watch::Sender<BTreeMap<ClusterId, Hold>>,
        clients: Clients,
        take_overs: TakeOvers,
    ) -> Self {
        Self { hub, holds, clients, take_overs, tasks: JoinSet::new(), running: BTreeMap::new() }
    }

    /// Starts and stops tasks, so that there is one for each member that is connected and planned for.
    pub(in crate::writers) fn follow(
        &mut self,
        connected: &BTreeMap<ClusterId, MemberClient>,
        planned: &BTreeSet<ClusterId>,
    ) {
        let holds = &self.holds;
        self.running.retain(|id, task| {
            let stays = connected.contains_key(id) && planned.contains(id) && !task.is_finished();
            if !stays {
                task.abort();
                holds.send_if_modified(|holds| holds.remove(id).is_some());
            }
            stays
        });
        for id in planned.iter().filter(|id| connected.contains_key(*id)) {
            if !self.running.contains_key(id) {
                let holder = Holder {
                    id: id.clone(),
                    hub: Arc::clone(&self.hub),
                    clients: self.clients.clone(),
                    take_overs: self.take_overs.subscribe(),
                    holds: holds.clone(),
                };
                self.running.insert(id.clone(), self.tasks.spawn(holder.run()));
            }
        }
    }

    /// Until one of the tasks ends; never while there is none.
    pub(in crate::writers) async fn ended(&mut self) {
        if self.tasks.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.holds.send_modify(BTreeMap::clear);
    }
}
