//! Who is there: three regions, four clusters, and a fifth that will ask to join.
//!
//! Every address range lies within 127.0.0.0/8, so each pod can have a real address of its own and nothing leaves the
//! machine.

use std::net::Ipv4Addr;

use super::super::world::{Cluster, DemoFederation, Pod, Region};

/// The service that every cluster has.
pub const SERVICE: &str = "web";
/// The service that only us-1 has.
pub const REMOTE_SERVICE: &str = "cart";

/// The federation at the start.
pub fn world() -> DemoFederation {
    let region = |name, failover: [&'static str; 2]| Region { name, failover: failover.to_vec() };
    DemoFederation {
        regions: vec![region("eu", ["us", "ap"]), region("us", ["eu", "ap"]), region("ap", ["us", "eu"])],
        clusters: vec![
            Cluster {
                id: "eu-1",
                region: "eu",
                created: "2026-01-12T09:00:00Z",
                pod_cidr: "127.8.0.0/16",
                service_cidr: "127.9.0.0/16",
                pods: vec![
                    web("web-a-1", "eu-a", [127, 8, 0, 11]),
                    web("web-a-2", "eu-a", [127, 8, 0, 12]),
                    web("web-b-1", "eu-b", [127, 8, 1, 11]),
                    web("web-b-2", "eu-b", [127, 8, 1, 12]),
                ],
            },
            Cluster {
                id: "eu-2",
                region: "eu",
                created: "2026-02-02T09:00:00Z",
                pod_cidr: "127.10.0.0/16",
                service_cidr: "127.11.0.0/16",
                pods: vec![web("web-c-1", "eu-c", [127, 10, 0, 11]), web("web-c-2", "eu-c", [127, 10, 0, 12])],
            },
            Cluster {
                id: "us-1",
                region: "us",
                created: "2026-03-09T09:00:00Z",
                pod_cidr: "127.16.0.0/16",
                service_cidr: "127.17.0.0/16",
                pods: vec![
                    web("web-a-1", "us-a", [127, 16, 0, 11]),
                    web("web-a-2", "us-a", [127, 16, 0, 12]),
                    Pod { service: REMOTE_SERVICE, ..web("cart-a-1", "us-a", [127, 16, 0, 21]) },
                ],
            },
            Cluster {
                id: "ap-1",
                region: "ap",
                created: "2026-04-20T09:00:00Z",
                pod_cidr: "127.24.0.0/16",
                service_cidr: "127.25.0.0/16",
                pods: vec![web("web-a-1", "ap-a", [127, 24, 0, 11]), web("web-a-2", "ap-a", [127, 24, 0, 12])],
            },
        ],
    }
}

/// us-2 with ranges of its own.
pub fn newcomer() -> Cluster {
    Cluster {
        id: "us-2",
        region: "us",
        created: "2026-06-01T09:00:00Z",
        pod_cidr: "127.20.0.0/16",
        service_cidr: "127.21.0.0/16",
        pods: vec![web("web-a-1", "us-a", [127, 20, 0, 11]), web("web-a-2", "us-a", [127, 20, 0, 12])],
    }
}

/// us-2 as it was built first: inside eu-1's pod range. Its pods run, so that traffic that reached them would show.
pub fn clashing_newcomer() -> Cluster {
    Cluster {
        pod_cidr: "127.8.128.0/17",
        pods: vec![web("web-a-1", "us-a", [127, 8, 128, 11]), web("web-a-2", "us-a", [127, 8, 128, 12])],
        ..newcomer()
    }
}

/// The address of every pod that ever runs.
pub fn every_pod() -> Vec<Ipv4Addr> {
    let mut clusters = world().clusters;
    clusters.extend([newcomer(), clashing_newcomer()]);
    clusters.iter().flat_map(|cluster| &cluster.pods).map(|pod| pod.ip).collect()
}

fn web(name: &'static str, zone: &'static str, ip: [u8; 4]) -> Pod {
    Pod { service: SERVICE, name, zone, ip: Ipv4Addr::from(ip), ready: true }
}
