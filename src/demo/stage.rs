//! Everything that runs: the world's folder, the pods, a control plane and an Envoy per region. Dropping the stage
//! leaves nothing behind.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::backends::Backends;
use super::envoy::{Identity, Proxy, claim_addresses};
use super::error::DemoError;
use super::planes::{self, Launch, Plane};
use super::scratch::Scratch;
use super::timetable;
use super::world::folder::Folder;
use super::world::{DemoFederation, NAMESPACE, yaml};

/// How long an Envoy may take to be ready.
const READY_LIMIT: Duration = Duration::from_secs(15);
const READY_PAUSE: Duration = Duration::from_millis(25);

#[derive(Debug)]
pub struct Stage {
    world: DemoFederation,
    folder: Folder,
    backends: Backends,
    planes: Vec<Plane>,
    proxies: Vec<Proxy>,
    /// Last, so that the folder goes after everything that writes into it.
    _scratch: Scratch,
}

/// Where the parts come from.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The program that has the `region` command.
    pub isthmus: PathBuf,
    pub envoy: PathBuf,
}

/// When a change happened (pods killed, else the first file written), and when all of it was in the folder.
#[derive(Clone, Copy, Debug)]
pub struct Changed {
    pub at: Instant,
    pub written: Instant,
}

impl Stage {
    /// Starts everything and returns when every proxy reaches the service. `progress` hears what is being waited for.
    pub async fn set(parts: &Parts, scratch: Scratch, progress: &dyn Fn(&str)) -> Result<Self, DemoError> {
        let world = timetable::world();
        let root = scratch.path();
        let logs = root.join("logs");
        std::fs::create_dir_all(&logs).map_err(|source| DemoError::Io {
            action: "make the folder",
            path: logs.clone(),
            source,
        })?;

        progress("starting the pods of 4 clusters");
        let mut backends = Backends::new(&timetable::every_pod()).await?;
        for (cluster, pod) in world.live() {
            backends.start(cluster, pod).await?;
        }
        let mut folder = Folder::create(root)?;
        folder.apply(&yaml::files(&world, backends.port()))?;

        progress("starting a control plane per region");
        let launch = Launch { program: &parts.isthmus, world: folder.path(), logs: &logs };
        let mut planes = Vec::new();
        for region in &world.regions {
            planes.push(launch.start(region.name, planes::free_addresses()?)?);
        }
        for plane in &mut planes {
            launch.until_ready(plane, planes::free_addresses).await?;
        }

        progress("starting an Envoy per region");
        let claims = claim_addresses(planes.len())?;
        let mut proxies = Vec::new();
        for (plane, claim) in planes.iter().zip(claims) {
            proxies.push(Proxy::start(&parts.envoy, identity(&world, plane.region), claim, plane.xds, root)?);
        }
        let mut stage = Self { world, folder, backends, planes, proxies, _scratch: scratch };
        progress("waiting for the first answers");
        for service in [timetable::SERVICE, timetable::REMOTE_SERVICE] {
            stage.until_answered(&host(service)).await?;
        }
        Ok(stage)
    }

    pub fn proxies(&self) -> &[Proxy] {
        &self.proxies
    }

    pub fn planes(&self) -> &[Plane] {
        &self.planes
    }

    /// Makes it the next world: new pods run first, then lost ones are killed, then the folder says so.
    pub async fn become_world(&mut self, next: DemoFederation) -> Result<Changed, DemoError> {
        for (cluster, pod) in next.live_only_here(&self.world) {
            self.backends.start(cluster, pod).await?;
        }
        let files = yaml::files(&next, self.backends.port());
        let lost: Vec<_> = self.world.live_only_here(&next).map(|(_, pod)| pod.ip).collect();
        let at = Instant::now();
        for ip in &lost {
            self.backends.kill(*ip);
        }
        self.folder.apply(&files)?;
        self.world = next;
        Ok(Changed { at, written: Instant::now() })
    }

    pub fn world(&self) -> &DemoFederation {
        &self.world
    }

    /// An error if a process has ended.
    pub fn check(&mut self) -> Result<(), DemoError> {
        for plane in &mut self.planes {
            plane.process.check()?;
        }
        for proxy in &mut self.proxies {
            proxy.process.check()?;
        }
        Ok(())
    }

    /// Ends all processes and waits for it. Dropping ends them too, but does not wait.
    pub async fn strike(self) {
        for proxy in self.proxies {
            proxy.process.stop().await;
        }
        for plane in self.planes {
            plane.process.stop().await;
        }
    }

    async fn until_answered(&mut self, host: &str) -> Result<(), DemoError> {
        let deadline = Instant::now() + READY_LIMIT;
        for index in 0..self.proxies.len() {
            loop {
                self.check()?;
                let Some(proxy) = self.proxies.get(index) else { break };
                match proxy.probe(host).await {
                    Ok(_) => break,
                    Err(reason) if Instant::now() >= deadline => {
                        return Err(DemoError::not_ready(&proxy.process, READY_LIMIT, reason));
                    }
                    Err(_) => tokio::time::sleep(READY_PAUSE).await,
                }
            }
        }
        Ok(())
    }
}

/// The Host header that picks a service.
pub fn host(service: &str) -> String {
    format!("{service}.{NAMESPACE}.svc.cluster.local")
}

/// A region's proxy runs in the first zone of the region's first cluster.
fn identity(world: &DemoFederation, region: &'static str) -> Identity {
    let cluster = world.clusters.iter().find(|cluster| cluster.region == region);
    Identity {
        region,
        zone: cluster.and_then(|cluster| cluster.pods.first()).map_or("", |pod| pod.zone),
        cluster: cluster.map_or("", |cluster| cluster.id),
        namespace: NAMESPACE,
    }
}
