//! Where the batches of a process come from.

use std::path::PathBuf;

use anyhow::Context;
use clusters::client::bounds::MemberBounds;
use clusters::client::hub::HubClient;
use clusters::client::secret::Access;
use clusters::problem::ProblemBook;
use clusters::shutdown::Shutdown;
use clusters::sources::feed::Feed;
use clusters::sources::registry::{HubOptions, Tables};
use federation::Awaits;
use tokio::task::JoinSet;

/// The source of a process.
pub enum Origin {
    Hub {
        hub: HubClient,
        /// Where the Secrets are that this process reads.
        secrets: String,
        access: Access,
        members: MemberBounds,
    },
    Folder(PathBuf),
}

impl Origin {
    /// The hub, and the namespace of the Secrets that this process reads.
    pub fn secrets(&self) -> Option<(HubClient, String)> {
        match self {
            Self::Hub { hub, secrets, .. } => Some((hub.clone(), secrets.clone())),
            Self::Folder(_) => None,
        }
    }

    /// A folder keeps no record of who was admitted, so that all of its members have to be known.
    pub fn awaits(&self) -> Awaits {
        match self {
            Self::Hub { .. } => Awaits::Admitted,
            Self::Folder(_) => Awaits::NotRefused,
        }
    }
}

/// Starts what feeds batches until the shutdown signal.
pub fn start_source(
    origin: Origin,
    feed: Feed,
    problems: ProblemBook,
    tables: Tables,
    mut shutdown: Shutdown,
    tasks: &mut JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    match origin {
        Origin::Folder(folder) => {
            let files = clusters::sources::folder::spawn(&folder, feed, problems)
                .with_context(|| format!("cannot follow the world in {}", folder.display()))?;
            tasks.spawn(async move {
                shutdown.wait().await;
                drop(files);
                Ok(())
            });
        }
        Origin::Hub { hub, secrets, access, members } => {
            let options = HubOptions { hub, namespace: secrets, access, members };
            tasks.spawn(async move {
                tokio::select! {
                    () = shutdown.wait() => {}
                    _closed = clusters::sources::run_hub(options, tables, feed, problems) => {}
                }
                Ok(())
            });
        }
    }
    Ok(())
}
