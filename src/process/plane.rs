//! The wiring of a running process: a source feeds the engine, the engine feeds a region's catalog or the hub's writers,
//! and the admin port shows it all. `controller` and `region` differ only in what hangs on the engine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clusters::api::FOLDER_HUB;
use clusters::client::bounds::MemberBounds;
use clusters::client::hub::HubClient;
use clusters::client::secret::Access;
use clusters::conditions::progress::MirrorProgress;
use clusters::problem::ProblemBook;
use clusters::shutdown::Shutdown;
use clusters::sources::feed::Feed;
use clusters::sources::registry::{HubOptions, Tables};
use clusters::tables::HubTroubles;
use clusters::writers::mirror;
use clusters::writers::status;
use federation::model::{ClusterId, Digest, Namespace, RegionId};
use federation::{Authority, Awaits, Config, Effects, Engine};
use regions::catalog::{self, Catalog};
use regions::class::Defaults;
use regions::server::{self, Limits, Listening, Loads, Shared, StartLimits, Streams};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admin;
use crate::outcome::BadUsage;
use crate::process::descriptors;
use crate::process::engine::{self, Deadlines, Follower, Wiring};
use crate::process::tls::{self, Tls};

/// A process, before it runs.
pub struct Plane {
    pub origin: Origin,
    pub own_namespace: Namespace,
    pub authority: Authority,
    pub pages: admin::Addresses,
    pub deadlines: Deadlines,
    /// Set for a region's control plane.
    pub serve: Option<Serve>,
    /// Set for the hub's controller.
    pub writers: Option<Writers>,
}

/// Where the world comes from.
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

/// What a region's control plane serves.
pub struct Serve {
    pub region: RegionId,
    /// In plaintext.
    pub xds: SocketAddr,
    /// Whether sidecars get clusters on demand, unless they say otherwise.
    pub on_demand: bool,
    /// Over TLS, and with what.
    pub tls: Option<(SocketAddr, tls::Origin)>,
    pub limits: Limits,
}

/// Where mirrored objects and statuses are written.
pub enum Writers {
    /// `uid`: of the hub's `kube-system` namespace.
    Cluster {
        hub: kube::Client,
        uid: Arc<str>,
    },
    Folder(PathBuf),
}

impl Writers {
    /// The identity that mirrors carry.
    fn hub(&self) -> Digest {
        match self {
            Self::Cluster { uid, .. } => Digest::of(uid),
            Self::Folder(_) => Digest::of(FOLDER_HUB),
        }
    }
}

/// What writers show of themselves, for pages.
type Mirroring = tokio::sync::watch::Receiver<BTreeMap<ClusterId, MirrorProgress>>;

impl Origin {
    /// A folder keeps no record of who was admitted, so that all of its members have to be known.
    pub fn awaits(&self) -> Awaits {
        match self {
            Self::Hub { .. } => Awaits::Admitted,
            Self::Folder(_) => Awaits::NotRefused,
        }
    }
}

/// Runs until the shutdown signal.
pub async fn run(plane: Plane, shutdown: Shutdown) -> anyhow::Result<()> {
    let Plane { origin, own_namespace, authority, pages, deadlines, serve, writers } = plane;
    descriptors::raise(serve.as_ref().map_or(0, |serve| serve.limits.max_connections));
    // Ports first: a port in use should be the first thing that goes wrong, not the last.
    let page_ports = admin::Ports::bind(pages).await?;
    let mut ports = serve.as_ref().map(Ports::bind).transpose()?;

    let (feed, batches) = Feed::new();
    let problems = ProblemBook::default();
    let tables = Tables::default();
    let mut tasks = JoinSet::new();
    let certificate = match ports.as_mut() {
        Some(ports) => ports.secure(&origin, &problems, &shutdown, &mut tasks).await?,
        None => None,
    };
    let hub = writers.as_ref().map(Writers::hub);
    let started = writers.map(|writers| start_writers(writers, &tables, &problems, &shutdown));
    let (followers, mirrors) = started.unwrap_or_default();

    let stats = Arc::new(regions::stats::Stats::default());
    let (streams, loads) = (Streams::default(), Loads::default());
    let (catalog, handle) = match &serve {
        Some(_) => {
            let (handle, commands) = catalog::channel();
            (Some((Catalog::new(Arc::clone(&stats)), commands)), Some(handle))
        }
        None => (None, None),
    };
    let awaits = origin.awaits();
    let config = Config { authority, own_namespace, awaits, deadlines, hub };
    let region = serve.as_ref().map(|serve| serve.region.clone());
    let wiring = Wiring { config, region, feed: batches, catalog, followers };
    // Streams end one after another: those that end last are served until they do, so all that feeds them ends later.
    let (served, after_serving) = Shutdown::new();
    let last = if serve.is_some() { after_serving } else { shutdown.clone() };
    let engine = engine::start(wiring, last.clone()).context("cannot start the engine's thread")?;

    let proxies = serve.is_some().then(|| admin::Proxies {
        streams: streams.clone(),
        loads: loads.clone(),
        stats: Arc::clone(&stats),
        certificate,
    });
    let (seen, notes, hub) = (tables.seen.clone(), tables.notes.clone(), tables.hub.clone());
    let connections = admin::ConnectionCounts::default();
    let pages = admin::Sources { engine, problems: problems.clone(), seen, notes, hub, mirrors, proxies, connections };
    tasks.spawn(page_ports.serve(pages, last.clone()));
    if let (Some(serve), Some(ports), Some(catalog)) = (serve, ports, handle) {
        for Listening { listener, tls } in &ports.listeners {
            tracing::info!(region = %serve.region, address = %listener.local_addr()?, tls = tls.is_some(), "serving xDS");
        }
        let identifier = Arc::from(format!("isthmus/{}", serve.region));
        let Serve { region, on_demand, limits, .. } = serve;
        let defaults = Arc::new(Defaults { region, on_demand });
        let start_limits = StartLimits::counted(&stats);
        let shared = Shared { catalog, defaults, identifier, stats, streams, loads, start_limits };
        let mut ending = shutdown.clone();
        tasks.spawn(async move {
            server::serve(ports.listeners, shared, limits, async move { ending.wait().await }).await;
            served.fire();
            Ok(())
        });
    }
    start_source(origin, feed, problems, tables, last, &mut tasks)?;

    // The first to end decides: with the shutdown signal all end, without it one that ends is an error.
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

/// Where xDS is served.
struct Ports {
    listeners: Vec<Listening>,
    /// Bound, but of no use without a certificate.
    tls: Option<(TcpListener, tls::Origin)>,
}

impl Ports {
    fn bind(serve: &Serve) -> anyhow::Result<Self> {
        let plain = server::listen(serve.xds).context("choose another address with --xds")?;
        let tls = serve.tls.as_ref().map(|(at, origin)| {
            let listener = server::listen(*at).context("choose another address with --xds-tls")?;
            anyhow::Ok((listener, origin.clone()))
        });
        Ok(Self { listeners: vec![Listening { listener: plain, tls: None }], tls: tls.transpose()? })
    }

    /// Finds the certificate, and follows it until the shutdown signal.
    async fn secure(
        &mut self,
        world: &Origin,
        problems: &ProblemBook,
        shutdown: &Shutdown,
        tasks: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<Option<Arc<tls::Status>>> {
        let Some((listener, origin)) = self.tls.take() else { return Ok(None) };
        let hub = match world {
            Origin::Hub { hub, secrets, .. } => Some((hub.clone(), secrets.clone())),
            Origin::Folder(_) => None,
        };
        let started = Tls::start(origin, hub, problems.clone()).await;
        let Tls { source, status, follow } = started.map_err(|error| BadUsage(error.to_string()))?;
        self.listeners.push(Listening { listener, tls: Some(source) });
        let mut ending = shutdown.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = ending.wait() => {}
                () = follow => {}
            }
            Ok(())
        });
        Ok(Some(status))
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

/// Starts the writers that apply the engine's actions. They end with the shutdown signal.
fn start_writers(
    writers: Writers,
    tables: &Tables,
    problems: &ProblemBook,
    shutdown: &Shutdown,
) -> (Vec<Follower>, Option<Mirroring>) {
    match writers {
        Writers::Folder(folder) => {
            let mut writer = mirror::folder::Folder::new(folder);
            let follower: Follower = Box::new(move |engine: &Engine, effects: &Effects| {
                for error in writer.follow(effects, |id, key| engine.mirror_is_wanted(id, key)) {
                    tracing::warn!(%error, "--mirror-out");
                }
            });
            (vec![follower], None)
        }
        Writers::Cluster { hub, uid } => {
            let (mirror, status) = (mirror::Writer::new(uid), status::Writer::new());
            let progress = mirror.progress();
            let sources = status::Sources {
                client: hub,
                seen: tables.seen.clone(),
                notes: tables.notes.clone(),
                problems: problems.clone(),
                mirrors: mirror.progress(),
            };
            let (clients, take_overs) = (tables.clients.clone(), tables.take_overs.clone());
            let (writing, telling, mut ending) = (mirror.clone(), status.clone(), shutdown.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = ending.wait() => {}
                    () = writing.run(&clients, &take_overs) => {}
                    () = telling.run(sources) => {}
                }
            });
            let follower: Follower = Box::new(move |_: &Engine, effects: &Effects| {
                for (id, report) in &effects.members {
                    match report {
                        Some(report) => mirror.plan_for(id, report.listed && report.admitted.is_some()),
                        None => mirror.forget(id),
                    }
                }
                mirror.submit(effects.mirrors.clone());
                status.submit(effects.members.clone());
                status.submit_hub(effects.hub_notices.as_ref());
            });
            (vec![follower], Some(progress))
        }
    }
}

/// A standby controller: it lives, it is ready to take over, and it does nothing.
pub struct Standby {
    stop: clusters::shutdown::ShutdownTrigger,
    pages: tokio::task::JoinHandle<()>,
}

/// `leader`: see [`admin::Ports::serve_standby`]. `troubles`: why the hub does not say who it is, as long as it does not;
/// until then it is not ready to take over.
pub async fn standby(
    pages: admin::Addresses,
    leader: watch::Receiver<Option<Arc<str>>>,
    troubles: HubTroubles,
) -> anyhow::Result<Standby> {
    let ports = admin::Ports::bind(pages).await?;
    let (stop, shutdown) = Shutdown::new();
    Ok(Standby { stop, pages: tokio::spawn(ports.serve_standby(leader, troubles, shutdown)) })
}

impl Standby {
    /// Frees the ports for the controller that takes over.
    pub async fn end(self) {
        self.stop.fire();
        let _ = self.pages.await; // it served until now, and nothing more is asked of it
    }
}
