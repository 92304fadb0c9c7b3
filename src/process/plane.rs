//! The wiring of a running process: a source feeds the engine, the engine feeds a region's catalog or the hub's writers,
//! and the admin port shows it all. `controller` and `region` differ only in what follows the engine.

mod input;
mod origin;
mod ports;
mod serve;
mod server;
mod standby;
mod writers;

use anyhow::Context;
use clusters::problem::ProblemBook;
use clusters::shutdown::Shutdown;
use clusters::sources::feed::Feed;
use clusters::sources::registry::Tables;
use federation::model::Namespace;
use federation::{Authority, Config};
use tokio::task::JoinSet;

use crate::admin;
use crate::process::descriptors;
use crate::process::engine::{self, Deadlines, Wiring};
use ports::Ports;
use server::Server;

pub use input::{BatchSource, Input, Running, Served};
pub use origin::{Origin, start_source};
pub use serve::Serve;
pub use standby::{Standby, standby};
pub use writers::Writers;

/// A process, before it runs.
pub struct Plane {
    pub input: Input,
    pub own_namespace: Namespace,
    pub authority: Authority,
    pub pages: admin::Addresses,
    pub deadlines: Deadlines,
    /// Set for a region's control plane.
    pub serve: Option<Serve>,
    /// Set for the hub's controller.
    pub writers: Option<Writers>,
}

/// Runs until the shutdown signal.
pub async fn run(plane: Plane, shutdown: Shutdown) -> anyhow::Result<()> {
    let Plane { input, own_namespace, authority, pages, deadlines, serve, writers } = plane;
    descriptors::raise(serve.as_ref().map_or(0, |serve| serve.limits.max_connections));
    // Ports first: a port in use should be the first thing that goes wrong, not the last.
    let page_ports = admin::Ports::bind(pages).await?;
    let mut ports = serve.as_ref().map(Ports::bind).transpose()?;

    let (feed, batches) = Feed::new();
    let (problems, tables) = (ProblemBook::default(), Tables::default());
    let mut tasks = JoinSet::new();
    let certificate = match ports.as_mut() {
        Some(ports) => ports.secure(input.secrets(), &problems, &shutdown, &mut tasks).await?,
        None => None,
    };
    let hub = writers.as_ref().map(Writers::hub);
    let started = writers.map(|writers| writers::start(writers, &tables, &problems, &shutdown));
    let (followers, mirrors) = started.unwrap_or_default();
    let config = Config { authority, own_namespace, awaits: input.awaits(), deadlines, hub };

    // Streams end one after another: those that end last are served until they do, so all that feeds them ends later.
    let (all_ended, after_serving) = Shutdown::new();
    let last = if serve.is_some() { after_serving } else { shutdown.clone() };
    let server = serve.zip(ports).map(|(serve, ports)| Server::new(serve, ports, certificate));
    let (server, catalog) = server.unzip();
    let region = server.as_ref().map(Server::region);
    let served = server.as_ref().map(Server::served);
    let wiring = Wiring { config, region, feed: batches, catalog, followers };
    let engine = engine::start(wiring, last.clone()).context("cannot start the engine's thread")?;
    let pages = admin::Sources {
        engine: engine.clone(),
        problems: problems.clone(),
        seen: tables.seen.clone(),
        notes: tables.notes.clone(),
        hub: tables.hub.clone(),
        mirrors,
        proxies: server.as_ref().map(Server::proxies),
        connections: admin::ConnectionCounts::default(),
    };
    tasks.spawn(page_ports.serve(pages, last.clone()));
    if let Some(server) = server {
        server.start(shutdown.clone(), all_ended, &mut tasks)?;
    }
    input.start(Running { feed, engine, served }, problems, tables, last, &mut tasks)?;
    until_ended(tasks, &shutdown).await
}

/// The first to end decides: with the shutdown signal all end, without it one that ends is an error.
async fn until_ended(mut tasks: JoinSet<anyhow::Result<()>>, shutdown: &Shutdown) -> anyhow::Result<()> {
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.context("a task was lost").and_then(|inner| inner);
        if ended.is_err() && result.is_ok() {
            result = ended;
        }
        if !shutdown.fired() {
            break;
        }
    }
    result
}
