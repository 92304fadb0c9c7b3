//! One member, as long as it is one: connect, report who answered, run the watches, notice the loss, connect again,
//! forever. State belongs to the member and not to its credential, so a credential is exchanged under a running
//! connection, and one that does not work changes nothing but a note.
//!
//! To change when and how often a connection is tried: [`run`]; which of two credentials is used: [`open`]; what happens
//! while a connection lasts: [`held`], with [`exchange`] (a new credential), [`probe`] (is the API server there) and
//! [`unreadable`] (kinds that cannot be read); which kinds are watched and how: [`kinds`].

mod exchange;
mod exports;
mod held;
mod hints;
mod kinds;
mod open;
mod pending;
mod probe;
mod run;
#[cfg(test)]
mod tests;
mod unreadable;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use federation::change::{Batch, Epoch, LinkChange, MemberChanges};
use federation::model::ClusterId;
use tokio::sync::watch;

use crate::client::bounds::MemberBounds;
use crate::client::secret::Credential;
use crate::problem::ProblemBook;
use crate::sources::feed::{Feed, FeedClosed};
use crate::tables::{Clients, Notes, SeenMark};

/// Gives every connection of every member a number that is higher than all before.
#[derive(Clone, Debug, Default)]
pub struct Epochs(Arc<AtomicU64>);

impl Epochs {
    pub fn next(&self) -> Epoch {
        Epoch(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// What a member's task works with.
pub struct Member {
    pub id: ClusterId,
    pub feed: Feed,
    pub problems: ProblemBook,
    pub bounds: MemberBounds,
    pub seen: SeenMark,
    pub clients: Clients,
    pub notes: Notes,
    pub epochs: Epochs,
    /// The credential as the hub holds it; changes are noticed at once.
    pub credential: watch::Receiver<Credential>,
}

impl Member {
    async fn report_link(&self, epoch: Epoch, link: LinkChange) -> Result<(), FeedClosed> {
        let changes = MemberChanges::Link(link);
        self.feed.send(Batch::Member { cluster: self.id.clone(), epoch, changes }).await
    }
}
