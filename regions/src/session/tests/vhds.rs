//! Clients that fetch virtual hosts when they need them (VHDS).

use envoy_types::pb::envoy::config::route::v3 as pb;
use federation::model::AppProtocol;

use super::ResourceType::{Assignment, Cluster, Listener, Route, Scope, VirtualHost};
use super::*;

const SHORT: &str = "egress/a.shop:80";
const MIDDLE: &str = "egress/a.shop.svc";
const FULL: &str = "egress/a.shop.svc.cluster.local";
const UNBORN: &str = "egress/c.shop";

fn catalog() -> Catalog {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    catalog.apply(&services(vec![web("shop/a", &["10.8.0.1:80"]), web("shop/b", &["10.8.0.2:80"])]));
    catalog.set_ready();
    catalog
}

/// A client that has everything but virtual hosts.
fn client() -> TestClient {
    let mut client = TestClient::of(Variant::Delta, vhds(), catalog());
    client.delta(Cluster, &[], &[]);
    client.ack(Cluster);
    client.delta(Assignment, &["a", "b"], &[]);
    client.ack(Assignment);
    assert_eq!(client.delta(Listener, &[], &[]), ["lds +egress"]);
    client.ack(Listener);
    assert_eq!(client.delta(Route, &["egress"], &[]), ["rds +egress"]);
    client.ack(Route);
    assert_eq!(client.delta(VirtualHost, &[], &[]), ["vhds +egress/"], "the first answer is not empty");
    client.ack(VirtualHost);
    client
}

/// The cluster that a virtual host leads to, if it is there.
fn leads_to(client: &TestClient, asked: &str) -> Option<String> {
    use pb::route::Action;
    use pb::route_action::ClusterSpecifier;
    let resource = client.view.snapshot().expect("a snapshot").find(VirtualHost, asked).expect("never nothing at all");
    assert_eq!(&**resource.name(), asked);
    if resource.is_nothing() {
        return None;
    }
    let host: pb::VirtualHost = resource.message().expect("a virtual host");
    assert_eq!(format!("egress/{}", host.domains.join(" ")), asked);
    assert_eq!(host.name, asked, "Envoy knows it by the name of its resource");
    match host.routes.into_iter().next()?.action? {
        Action::Route(pb::RouteAction { cluster_specifier: Some(ClusterSpecifier::Cluster(name)), .. }) => Some(name),
        _ => None,
    }
}

#[test]
fn c45_a_virtual_host_is_found_under_every_form_of_its_name_and_holds_the_one_that_was_asked_for() {
    let mut client = client();
    for asked in [SHORT, MIDDLE, FULL] {
        assert_eq!(client.delta(VirtualHost, &[asked], &[]), [format!("vhds +{asked}")]);
        assert_eq!(leads_to(&client, asked).as_deref(), Some("outbound|80||a.shop.svc.cluster.local"));
        assert_eq!(client.ack(VirtualHost), NOTHING);
    }
    assert_eq!(client.delta(VirtualHost, &[SHORT], &[]), [format!("vhds +{SHORT}")], "C21");
}

#[test]
fn c45_an_unknown_host_is_an_alias_of_nothing_until_it_exists() {
    let mut client = client();
    assert_eq!(client.delta(VirtualHost, &[UNBORN], &[]), [format!("vhds +{UNBORN}")], "C24, but never as removed");
    assert_eq!(leads_to(&client, UNBORN), None);
    client.ack(VirtualHost);
    let sent = client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])]));
    assert_eq!(sent, ["cds +c", "eds +c", &*format!("vhds +{UNBORN}")], "the cluster first");
    assert!(leads_to(&client, UNBORN).is_some());
}

#[test]
fn c45_a_service_that_goes_takes_its_virtual_hosts_away_and_brings_them_back() {
    let mut client = client();
    client.delta(VirtualHost, &[SHORT, FULL], &[]);
    client.ack(VirtualHost);
    assert_eq!(client.apply(&service_gone("shop/a")), [format!("vhds -{FULL} -{SHORT}")], "first what refers to it");
    assert_eq!(client.ack(VirtualHost), ["eds -a", "cds -a"]);
    client.ack(Cluster);
    client.ack(Assignment);
    assert_eq!(client.delta(VirtualHost, &[SHORT], &[]), [format!("vhds +{SHORT}")]);
    assert_eq!(leads_to(&client, SHORT), None);
    client.ack(VirtualHost);
    let sent = client.apply(&services(vec![web("shop/a", &["10.8.0.1:80"])]));
    assert_eq!(sent, ["cds +a".to_owned(), "eds +a".to_owned(), format!("vhds +{FULL} +{SHORT}")]);
}

#[test]
fn c45_a_host_without_a_port_follows_the_first_http_port() {
    let mut client = client();
    client.delta(VirtualHost, &[SHORT, MIDDLE], &[]);
    client.ack(VirtualHost);
    let more = |app: AppProtocol| {
        let hosts = || vec![backend("eu-1", "eu-a", &["10.8.0.1:80"])];
        services(vec![merged("shop/a", vec![port(79, app, hosts()), port(80, AppProtocol::Http, hosts())])])
    };
    let sent = client.apply(&more(AppProtocol::Tcp));
    assert!(!sent.concat().contains("vhds"), "bytes are none of its business: {sent:?}");
    for t in [Cluster, Assignment] {
        client.ack(t);
    }
    let sent = client.apply(&more(AppProtocol::Http));
    assert_eq!(sent.last(), Some(&format!("vhds +{MIDDLE}")), "and who named a port keeps it: {sent:?}");
    assert_eq!(leads_to(&client, MIDDLE).as_deref(), Some("outbound|79||a.shop.svc.cluster.local"));
}

#[test]
fn c45_endpoints_touch_no_virtual_host_and_unsubscribing_ends_it() {
    let mut client = client();
    client.delta(VirtualHost, &[SHORT], &[]);
    client.ack(VirtualHost);
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"]);
    client.ack(Assignment);
    client.delta(VirtualHost, &[], &[SHORT, "*"]);
    client.ack(VirtualHost);
    let sent = client.apply(&service_gone("shop/a"));
    assert_eq!(sent, ["eds -a", "cds -a"]);
}

#[test]
fn c45_only_streams_that_asked_for_a_host_are_woken() {
    let mut client = client();
    client.delta(VirtualHost, &[UNBORN], &[]);
    let woken = |client: &TestClient| {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        client.session.interest().poll_woken(&mut cx).is_ready()
    };
    woken(&client);
    // Its own cluster wakes this client in any case, so look at what is asked about the host alone.
    let wants = |name: &str| client.session.interest().wants(crate::interest::Topic::new(VirtualHost, name, false));
    assert!(wants("egress/c.shop.svc.cluster.local"), "what is kept under its full name");
    assert!(!wants("egress/d.shop.svc.cluster.local"));
}

#[test]
fn c37_a_resumed_stream_is_sent_the_difference() {
    let mut client = client();
    let same = client.version(VirtualHost, SHORT);
    let nothing = client.version(VirtualHost, "egress/");
    client.apply(&service_gone("shop/b"));
    client.reconnect();
    for t in [Cluster, Listener] {
        client.delta(t, &[], &[]);
        client.ack(t);
    }
    client.delta(Route, &["egress"], &[]);
    let gone = "egress/b.shop";
    let known = [("egress/", nothing), (SHORT, same), (MIDDLE, "0123456789abcdef".to_owned())];
    let sent = client.delta_full(VirtualHost, &["*", SHORT, MIDDLE, gone], &[], &known, "", None);
    assert_eq!(sent, [format!("vhds +{MIDDLE} +{gone}")]);
    assert_eq!(leads_to(&client, gone), None);
}

#[test]
fn c45_hosts_that_do_not_exist_are_answered_and_then_forgotten() {
    let mut client = client();
    client.delta(VirtualHost, &[SHORT], &[]);
    client.ack(VirtualHost);
    let made_up = |i: usize| format!("egress/made-up-{i}.shop");
    for round in 0..3 {
        let names: Vec<String> = (0..MAX_HOSTS).map(|i| made_up(round * MAX_HOSTS + i)).collect();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let sent = client.delta(VirtualHost, &names, &[]);
        assert_eq!(sent.concat().matches('+').count(), MAX_HOSTS, "each is answered");
        client.ack(VirtualHost);
        assert!(client.session.status(VirtualHost).names <= 2 * MAX_HOSTS + 1);
    }
    assert_eq!(client.apply(&service_gone("shop/a")), [format!("vhds -{SHORT}")], "what is there is not forgotten");
}

#[test]
fn c45_a_client_with_too_many_hosts_may_connect_again() {
    let mut client = client();
    client.reconnect();
    let mut names: Vec<String> = (0..=MAX_NAMES).map(|i| format!("egress/made-up-{i}.shop")).collect();
    names.push(SHORT.to_owned());
    let known = Known::new(names.iter().map(|name| (&**name, Some(1))));
    let ask = Ask::Delta { subscribe: names, unsubscribe: Vec::new(), known };
    // As on a stream that has its class already.
    client.session.on_snapshot(client.view.snapshot().expect("a snapshot"));
    let request = Request { resource_type: VirtualHost, nonce: String::new(), error: None, ask };
    assert_eq!(client.session.on_request(request), Ok(Answer::None));
    assert_eq!(client.session.status(VirtualHost).names, 1);
    for t in [Cluster, Listener] {
        client.delta(t, &[], &[]);
        client.ack(t);
    }
    assert_eq!(client.session.status(VirtualHost).sent, 1);
}

#[test]
fn other_clients_get_scopes_and_no_virtual_hosts() {
    let mut client = TestClient::of(Variant::Delta, class(None), catalog());
    client.delta(Cluster, &[], &[]);
    client.ack(Cluster);
    assert_eq!(client.delta(Scope, &[], &[]).len(), 1);
    assert_eq!(client.delta(VirtualHost, &[SHORT], &[]), [format!("vhds -{SHORT}")]);
    let mut client = self::client();
    assert_eq!(client.delta(Scope, &[], &[]), ["srds"], "none at all");
}
