//! Small inputs for this crate's tests.

pub(crate) mod envoy;
pub(crate) mod memory;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use federation::model::{
    Affinity, AppProtocol, Backend, ClusterId, Family, Health, Host, Merged, MergedPort, Network, Protocol, RegionId,
    SecondAddresses, ServiceKey, Traffic, Zone,
};
use federation::ranking::ClientClass;
use federation::{Effects, Place, Topology, Vips};

use crate::class::{Class, Defaults, EnvoyProfile, Interception, Profile};

pub(crate) fn key(text: &str) -> ServiceKey {
    let (namespace, name) = text.split_once('/').expect("namespace/name");
    ServiceKey::new(namespace, name).expect("a service key")
}

pub(crate) fn cluster_id(text: &str) -> ClusterId {
    ClusterId::new(text).expect("a cluster id")
}

pub(crate) fn defaults() -> Defaults {
    Defaults { region: RegionId::new("eu").expect("a region"), on_demand: true }
}

pub(crate) fn zone(text: &str) -> Zone {
    Zone::new(text).expect("a zone")
}

/// A client in region `eu`, zone `eu-a`; with a member, in it and intercepted.
pub(crate) fn class(member: Option<&str>) -> Class {
    envoy(member, false)
}

/// A sidecar in `eu-1` that fetches clusters when it needs them.
pub(crate) fn on_demand() -> Class {
    envoy(Some("eu-1"), true)
}

/// An Envoy that is not intercepted and fetches virtual hosts when it needs them.
pub(crate) fn vhds() -> Class {
    let mut class = class(None);
    if let Profile::Envoy(envoy) = &mut class.profile {
        envoy.vhds = true;
    }
    class
}

/// A gRPC client without a proxy.
pub(crate) fn grpc() -> Class {
    Class { profile: Profile::Grpc, ..class(None) }
}

fn envoy(member: Option<&str>, on_demand: bool) -> Class {
    let client = ClientClass {
        region: RegionId::new("eu").expect("a region"),
        zone: Some(zone("eu-a")),
        network: Network::default_network(),
        cluster: member.map(cluster_id),
        families: None,
    };
    let interception = if member.is_some() { Interception::Redirect } else { Interception::None };
    let profile = Profile::Envoy(EnvoyProfile {
        listen: IpAddr::from([0, 0, 0, 0]),
        interception,
        on_demand,
        leds: false,
        vhds: false,
    });
    Class { client, network_named: false, profile }
}

/// `10.0.0.1:8080`, followed by `!` for not ready, `~` for draining or `#` for ended.
pub(crate) fn host(text: &str) -> Host {
    let marks = [('!', Health::NotReady), ('~', Health::Draining), ('#', Health::Ended)];
    let marked = marks.into_iter().find_map(|(mark, health)| Some((text.strip_suffix(mark)?, health)));
    let (address, health) = marked.unwrap_or((text, Health::Ready));
    Host::new(address.parse::<SocketAddr>().expect("an address"), health)
}

pub(crate) fn backend(cluster: &str, in_zone: &str, hosts: &[&str]) -> Backend {
    let hosts = hosts.iter().map(|text| host(text)).collect();
    Backend { cluster: cluster_id(cluster), zone: Some(zone(in_zone)), hosts, second: SecondAddresses::default() }
}

/// Hosts with an address of each family, as in [`host`] and, after a `+`, the second address.
pub(crate) fn dual(cluster: &str, in_zone: &str, hosts: &[&str]) -> Backend {
    let pairs: Vec<(&str, Option<&str>)> = hosts
        .iter()
        .map(|text| text.split_once('+').map_or((*text, None), |(first, second)| (first, Some(second))))
        .collect();
    let firsts: Vec<&str> = pairs.iter().map(|(first, _)| *first).collect();
    let seconds = (0..)
        .zip(&pairs)
        .filter_map(|(index, (_, second))| Some((index, second.as_ref()?.parse().expect("an address"))));
    Backend { second: SecondAddresses::new(seconds.collect()), ..backend(cluster, in_zone, &firsts) }
}

pub(crate) fn port(number: u16, app: AppProtocol, backends: Vec<Backend>) -> MergedPort {
    MergedPort {
        name: Arc::from(format!("p{number}")),
        port: number,
        protocol: Protocol::Tcp,
        app,
        app_protocol: None,
        backends,
    }
}

pub(crate) fn merged(name: &str, ports: Vec<MergedPort>) -> Merged {
    Merged {
        key: key(name),
        sources: vec![cluster_id("eu-1")],
        headless: false,
        affinity: Affinity::None,
        family: Family::V4,
        ports,
    }
}

/// A service with one HTTP port 80 and these hosts in `eu-1`, zone `eu-a`.
pub(crate) fn web(name: &str, hosts: &[&str]) -> Merged {
    merged(name, vec![port(80, AppProtocol::Http, vec![backend("eu-1", "eu-a", hosts)])])
}

pub(crate) fn services(services: Vec<Merged>) -> Effects {
    let services = services.into_iter().map(|merged| (merged.key.clone(), Some(Arc::new(merged)))).collect();
    Effects { services, ..Effects::default() }
}

pub(crate) fn service_gone(name: &str) -> Effects {
    Effects { services: vec![(key(name), None)], ..Effects::default() }
}

pub(crate) fn vips(member: &str, name: &str, ips: &[&str], ports: &[u16], federated: bool) -> Effects {
    let vips = Vips {
        ips: ips.iter().map(|ip| ip.parse().expect("an address")).collect(),
        ports: ports.iter().map(|port| (*port, Protocol::Tcp)).collect(),
        federated,
        awaits_source: false,
    };
    Effects { vips: vec![(cluster_id(member), key(name), Some(Arc::new(vips)))], ..Effects::default() }
}

pub(crate) fn vips_gone(member: &str, name: &str) -> Effects {
    Effects { vips: vec![(cluster_id(member), key(name), None)], ..Effects::default() }
}

/// Members as (cluster, region, service ranges).
pub(crate) fn topology(members: &[(&str, &str, &[&str])]) -> Effects {
    let place = |(cluster, region, services): &(&str, &str, &[&str])| {
        let place = Place {
            region: RegionId::new(region).expect("a region"),
            network: Network::default_network(),
            traffic: Traffic::Active,
            weight: None,
            families: None,
            services: services.iter().map(|net| net.parse().expect("a prefix")).collect(),
        };
        (cluster_id(cluster), place)
    };
    let topology = Topology { members: members.iter().map(place).collect(), ..Topology::default() };
    Effects { topology: Some(Arc::new(topology)), ..Effects::default() }
}

/// Members `eu-1` (region `eu`, VIPs in 10.12.0.0/20) and `us-1` (region `us`).
pub(crate) fn two_members() -> Effects {
    topology(&[("eu-1", "eu", &["10.12.0.0/20"]), ("us-1", "us", &["10.13.0.0/20"])])
}
