//! The hub as a source: regions, members and policies go to the engine; each member with a credential gets a task of
//! its own. The hub being away changes nothing: what is known stays, members stay connected.

mod entries;
mod hub_entry;
mod roster;
mod split;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::convert::Infallible;

use federation::change::{Batch, Delta, HubChanges};
use federation::model::ClusterId;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::member::{Epochs, Member};
use super::watch::{Follow, Listener, Share, Sink, ToFeed, Trouble, follow};
use crate::client::answers::Fault;
use crate::client::bounds::MemberBounds;
use crate::client::hub::HubClient;
use crate::client::secret::{Access, Credential};
use crate::problem::{ProblemBook, ProblemOrigin};
use crate::sources::feed::{Feed, FeedClosed};
use crate::tables::observed::HubTable;
use crate::tables::{Clients, HubTroubles, Notes, SeenMark, SeenTable, TakeOvers};
use entries::{MemberEntry, SecretEntries, SecretEntry};
use hub_entry::{Entries, Members, Policies, Regions};
use roster::Roster;
use split::Split;

/// Lists and events from the hub that may wait for the roster.
const ROSTER_QUEUE: usize = 64;

pub struct HubOptions {
    /// The cluster that holds the custom resources.
    pub hub: HubClient,
    /// Where kubeconfig Secrets are. Secrets elsewhere are never read.
    pub namespace: String,
    /// Which of a member's credentials to use.
    pub access: Access,
    /// What is kept of each member, and where it may be.
    pub members: MemberBounds,
}

/// What sessions publish; writers hold clones.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub clients: Clients,
    pub seen: SeenTable,
    pub notes: Notes,
    pub hub: HubTroubles,
    pub take_overs: TakeOvers,
    /// The hub's objects, for those who compare their statuses.
    pub observed: HubTable,
}

/// Follows the hub and all its members until the engine ends. Everything that was started here ends when the future
/// is dropped. A hub that cannot be reached, now or later, is tried again forever.
pub async fn run_hub(options: HubOptions, tables: Tables, feed: Feed, problems: ProblemBook) -> FeedClosed {
    let (sender, mut inbox) = mpsc::channel(ROSTER_QUEUE);
    let mut hub = JoinSet::new();
    let client = &options.hub.client();
    let how = || Follow {
        origin: ProblemOrigin::Hub,
        problems: problems.clone(),
        seen: SeenMark::default(),
        listener: Complaints { hub: options.hub.clone(), reported: String::new(), troubles: tables.hub.clone() },
        // What changes nothing must not wake those who compare statuses.
        remember: true,
        relist: None,
        optional: None,
        share: Share::of_hub(),
    };
    let to = ToFeed { feed: feed.clone(), wrap: |delta| Batch::Hub(HubChanges::Regions(delta)) };
    let regions = Split::new(tables.observed.clone(), |table| &mut table.regions, to);
    hub.spawn(follow::<Entries<Regions>, _>(Api::all(client.clone()), how(), regions));
    let to = ToFeed { feed: feed.clone(), wrap: |delta| Batch::Hub(HubChanges::Policies(delta)) };
    let policies = Split::new(tables.observed.clone(), |table| &mut table.policies, to);
    hub.spawn(follow::<Entries<Policies>, _>(Api::all(client.clone()), how(), policies));
    let to = ToBoth { feed: feed.clone(), roster: sender.clone() };
    let members = Split::new(tables.observed.clone(), |table| &mut table.members, to);
    hub.spawn(follow::<Entries<Members>, _>(Api::all(client.clone()), how(), members));
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &options.namespace);
    hub.spawn(follow::<SecretEntries, _>(secrets, how(), ToRoster(sender)));

    let mut sessions = Sessions::new(tables, feed, problems, options.members);
    let mut roster = Roster::new(options.namespace, options.access);
    loop {
        tokio::select! {
            news = inbox.recv() => {
                let Some(news) = news else { return FeedClosed };
                match news {
                    News::Members(delta) => roster.members(delta),
                    News::Secrets(delta) => roster.secrets(delta),
                }
                sessions.follow(&roster);
            }
            // A watch ends when the feed is closed; it has no other reason to.
            Some(_) = hub.join_next() => return FeedClosed,
            _ = sessions.ended() => {}
        }
    }
}

enum News {
    Members(Delta<MemberEntry>),
    Secrets(Delta<SecretEntry>),
}

/// Members go to the engine and, with their credentials' places, to the roster.
struct ToBoth {
    feed: Feed,
    roster: mpsc::Sender<News>,
}

impl Sink<MemberEntry> for ToBoth {
    async fn take(&mut self, delta: Delta<MemberEntry>) -> Result<(), FeedClosed> {
        // The engine first: a session's first batches are about a member that the engine must know.
        self.feed.send(Batch::Hub(HubChanges::Members(entries::members(&delta)))).await?;
        self.roster.send(News::Members(delta)).await.map_err(|_| FeedClosed)
    }
}

struct ToRoster(mpsc::Sender<News>);

impl Sink<SecretEntry> for ToRoster {
    async fn take(&mut self, delta: Delta<SecretEntry>) -> Result<(), FeedClosed> {
        self.0.send(News::Secrets(delta)).await.map_err(|_| FeedClosed)
    }
}

/// The tasks of all members.
struct Sessions {
    tables: Tables,
    feed: Feed,
    problems: ProblemBook,
    bounds: MemberBounds,
    epochs: Epochs,
    tasks: JoinSet<FeedClosed>,
    running: BTreeMap<ClusterId, (watch::Sender<Credential>, AbortHandle)>,
}

impl Sessions {
    fn new(tables: Tables, feed: Feed, problems: ProblemBook, bounds: MemberBounds) -> Self {
        let epochs = Epochs::default();
        Self { tables, feed, problems, bounds, epochs, tasks: JoinSet::new(), running: BTreeMap::new() }
    }

    /// Starts, stops and updates sessions so that they match the roster.
    fn follow(&mut self, roster: &Roster) {
        self.tables.take_overs.publish(roster.take_overs());
        self.running.retain(|id, (_, task)| {
            let stays = roster.contains(id);
            if !stays {
                task.abort();
                self.problems.forget(&ProblemOrigin::from(id));
                self.tables.seen.forget(id);
            }
            stays
        });
        for (id, credential) in roster.credentials() {
            let alive = self.running.get(id).filter(|(_, task)| !task.is_finished());
            match alive {
                Some((sender, _)) => {
                    sender.send_if_modified(|known| {
                        let changed = *known != credential;
                        if changed {
                            *known = credential;
                        }
                        changed
                    });
                }
                None => self.start(id, credential),
            }
        }
    }

    fn start(&mut self, id: &ClusterId, credential: Credential) {
        let (sender, receiver) = watch::channel(credential);
        let member = Member {
            id: id.clone(),
            feed: self.feed.for_member(),
            problems: self.problems.clone(),
            bounds: self.bounds.clone(),
            seen: self.tables.seen.mark(id),
            clients: self.tables.clients.clone(),
            notes: self.tables.notes.clone(),
            epochs: self.epochs.clone(),
            credential: receiver,
        };
        let task = self.tasks.spawn(member.run());
        self.running.insert(id.clone(), (sender, task));
    }

    /// Reaps tasks of members that left; never ready while there are none.
    async fn ended(&mut self) -> Infallible {
        loop {
            match self.tasks.join_next().await {
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }
}

/// Whether other kinds may well be readable.
fn is_about_a_kind(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403) || Fault::of(error).is_some()
}

/// Says once what is wrong with a watch of the hub, and when it is something else.
struct Complaints {
    hub: HubClient,
    reported: String,
    troubles: HubTroubles,
}

impl Listener for Complaints {
    fn trouble(&mut self, plural: &str, trouble: Trouble) {
        let (Trouble::Broken(error) | Trouble::Refused(error) | Trouble::Unusable(error) | Trouble::Stuck(error)) =
            trouble;
        let text = match &error {
            kube::Error::Api(status) if status.code == 404 => self.hub.without_kind(plural),
            other if is_about_a_kind(other) => self.hub.describe(&format!("watch {plural}"), other),
            // The same for every kind, and so logged once.
            other => self.hub.describe("watch its objects", other),
        };
        let is_reported = self.troubles.texts().contains(&text);
        self.troubles.set(plural, Some(text.clone()));
        if text != self.reported && !is_reported {
            tracing::warn!("{text}");
            self.reported = text;
        }
    }

    fn listed(&mut self, plural: &str) {
        self.reported.clear();
        self.troubles.set(plural, None);
    }
}
