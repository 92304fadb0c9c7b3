use std::sync::Arc;

use federation::model::{NameError, ServiceKey, Time};
use federation::{Authority, Config, Effects, Engine};
use regions::catalog::Catalog;

use super::super::bounds::MAX_SERVICES;
use super::*;

fn small() -> SyntheticFederation {
    SyntheticFederation {
        services: 20,
        endpoints: 7,
        clusters: 3,
        regions: 2,
        zones: 2,
        namespaces: 4,
        tcp_percent: 25,
    }
}

fn engine_with(federation: &SyntheticFederation) -> Result<Engine, NameError> {
    Ok(engine_and_effects(federation)?.0)
}

fn engine_and_effects(federation: &SyntheticFederation) -> Result<(Engine, Effects), NameError> {
    let own_namespace = federation::model::Namespace::new("isthmus-system")?;
    let (awaits, deadlines) = (federation::Awaits::NotRefused, federation::Deadlines::NONE);
    let mut engine = Engine::new(Config { authority: Authority::Own, own_namespace, awaits, deadlines, hub: None });
    let mut batches = federation.hub()?;
    for cluster in 0..federation.clusters {
        batches.extend(federation.listing(cluster, &NotReady::new())?);
    }
    let effects = engine.apply(batches, Time::default());
    Ok((engine, effects))
}

/// Addresses of all endpoints of a merged service.
fn addresses(engine: &Engine, key: &ServiceKey) -> Vec<std::net::SocketAddr> {
    let Some(merged) = engine.merged().get(key) else { return Vec::new() };
    let hosts = merged.ports.iter().flat_map(|port| &port.backends).flat_map(|backend| &backend.hosts);
    hosts.map(federation::model::Host::address).collect()
}

#[test]
fn every_member_is_admitted_and_every_endpoint_has_an_address_of_its_own() -> Result<(), NameError> {
    let federation = small();
    let engine = engine_with(&federation)?;
    assert!(engine.synced());
    assert_eq!(engine.reports().len(), 3);
    for report in engine.reports().values() {
        assert_eq!(report.admission, federation::report::Verdict::Admitted, "{}", report.id);
    }
    assert_eq!(engine.merged().len(), 20);
    let mut all = BTreeSet::new();
    for service in 0..20 {
        let found = addresses(&engine, &federation.key(service)?);
        assert_eq!(found.len(), 7, "service {service}");
        all.extend(found);
    }
    assert_eq!(all.len(), 20 * 7);
    assert_eq!((0..20).filter(|service| federation.is_tcp(*service)).count(), 5);
    Ok(())
}

#[test]
fn a_flip_changes_one_service_and_a_service_can_be_added_and_removed() -> Result<(), NameError> {
    let federation = small();
    let mut engine = engine_with(&federation)?;
    let flipped = federation.flipped(3, 5, &NotReady::from([(3, 5)]))?;
    let effects = engine.apply(flipped, Time::default());
    assert_eq!(effects.services.iter().map(|(key, _)| key).collect::<Vec<_>>(), [&federation.key(3)?]);

    engine.apply(federation.added(20)?, Time::default());
    let before: BTreeSet<_> =
        (0..20).filter_map(|s| federation.key(s).ok()).flat_map(|key| addresses(&engine, &key)).collect();
    let new = addresses(&engine, &federation.key(20)?);
    assert_eq!(new.len(), 7);
    assert!(new.iter().all(|address| !before.contains(address)));
    engine.apply(federation.removed(20)?, Time::default());
    assert_eq!(engine.merged().len(), 20);
    Ok(())
}

#[test]
fn a_flip_updates_the_one_slice_that_holds_the_endpoint() -> Result<(), NameError> {
    let federation = SyntheticFederation { endpoints: 350, ..small() };
    let mut engine = engine_with(&federation)?;
    for endpoint in [0, 299, 300, 349] {
        let same = engine.apply(federation.flipped(3, endpoint, &NotReady::new())?, Time::default());
        assert!(same.services.is_empty(), "endpoint {endpoint}: nothing was flipped");
        let flipped = federation.flipped(3, endpoint, &NotReady::from([(3, endpoint)]))?;
        assert_eq!(flipped.len(), 1);
        assert_eq!(engine.apply(flipped, Time::default()).services.len(), 1, "endpoint {endpoint}");
        engine.apply(federation.flipped(3, endpoint, &NotReady::new())?, Time::default());
    }
    Ok(())
}

#[test]
fn an_endpoint_has_the_name_by_which_clients_fetch_it_alone() -> Result<(), NameError> {
    let federation = small();
    let mut engine = engine_with(&federation)?;
    engine.apply(federation.added(21)?, Time::default());
    for service in [0, 5, 19, 21] {
        let merged = engine.merged().get(&federation.key(service)?).expect("the service");
        let mut expected = BTreeSet::new();
        for port in &merged.ports {
            for backend in &port.backends {
                let zone = backend.zone.as_ref().expect("a zone");
                let key = &merged.key;
                let at = format!("{}.{}/{}/{}/{zone}", key.name, key.namespace, port.port, backend.cluster);
                expected.extend(backend.hosts.iter().map(|host| format!("{at}/{}-{}", host.ip, host.port)));
            }
        }
        let names = (0..7).map(|endpoint| federation.single_name(service, endpoint));
        let begin = "xdstp:///envoy.config.endpoint.v3.LbEndpoint/";
        let found: BTreeSet<_> = names.filter_map(|name| Some(name.strip_prefix(begin)?.to_owned())).collect();
        assert_eq!(found, expected, "service {service}");
    }
    Ok(())
}

#[test]
fn federations_of_impossible_size_are_refused() {
    assert!(small().check().is_ok());
    let largest = SyntheticFederation { services: MAX_SERVICES, endpoints: 10, clusters: 3, ..small() };
    assert!(largest.check().is_ok());
    assert!(SyntheticFederation { services: MAX_SERVICES, endpoints: 100, ..small() }.check().is_err());
    let scattered = SyntheticFederation { services: 117_000, endpoints: 34, clusters: 33, ..small() };
    assert!(matches!(scattered.check(), Err(BenchError::NoAddresses { .. })));
    assert!(SyntheticFederation { services: 1, endpoints: 100_000, ..small() }.check().is_ok());
}

/// What an engine and a catalog requested from the allocator for each endpoint, and hold: the federation of `isthmus bench`, before a client
/// asks for any encoded resource.
fn bytes_for_each_endpoint(services: usize) -> Result<(usize, usize), NameError> {
    let federation = SyntheticFederation { services, endpoints: 10, regions: 3, namespaces: 100, ..small() };
    let measured = |with_catalog: bool| {
        let mut held = Ok((None, None));
        let kept = allocation_counter::measure(|| {
            held = engine_and_effects(&federation).map(|(engine, effects)| {
                let mut catalog = Catalog::new(Arc::default());
                if with_catalog {
                    catalog.apply(&effects);
                }
                (Some(engine), Some(catalog))
            });
        });
        let bytes = usize::try_from(kept.bytes_current).unwrap_or_default();
        held.map(|_| bytes / (services * federation.endpoints))
    };
    Ok((measured(false)?, measured(true)?))
}

#[test]
fn an_endpoint_costs_few_bytes() -> Result<(), NameError> {
    let (engine, both) = bytes_for_each_endpoint(1_000)?;
    println!("1,000 services of 10 endpoints, for each endpoint: engine {engine} bytes, with the catalog {both}");
    assert!(both <= 400, "found {both} bytes for each endpoint; expected at most 400");
    Ok(())
}

/// The figures of `docs/figures.md`.
#[test]
#[ignore = "takes half a minute, and is only of interest to the page of figures"]
fn what_an_endpoint_costs_in_a_large_federation() -> Result<(), NameError> {
    let (engine, both) = bytes_for_each_endpoint(10_000)?;
    println!("10,000 services of 10 endpoints, for each endpoint: engine {engine} bytes, with the catalog {both}");
    Ok(())
}
