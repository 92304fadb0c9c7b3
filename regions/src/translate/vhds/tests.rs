use federation::model::AppProtocol::{Http, Tcp};

use super::*;
use crate::alias::{self, References};
use crate::testing::key;
use crate::translate::route::egress_scopes;

fn ports() -> Vec<RoutedPort> {
    [(70, Tcp), (80, Http), (81, Http)].map(|(port, app)| RoutedPort { port, app }).to_vec()
}

/// As a catalog finds it.
fn find(asked: &str) -> Option<pb::VirtualHost> {
    let all = hosts(&key("shop/web"), &ports());
    let name = full_name(asked).unwrap_or_else(|| asked.to_owned());
    let found = all.iter().find(|host| **host.name() == *name)?;
    let host = if *name == *asked {
        found.clone()
    } else {
        alias::rename(ResourceType::VirtualHost, found, asked, References::Plain)?
    };
    assert_eq!(&**host.name(), asked);
    host.message()
}

#[test]
fn every_form_of_a_host_leads_where_its_scope_leads() {
    let mut spellings = 0;
    for scope in egress_scopes(&key("shop/web"), &ports()) {
        let scope: pb::ScopedRouteConfiguration = scope.message().expect("a scope");
        for by_scope in scope.route_configuration.expect("an inline table").virtual_hosts {
            for domain in &by_scope.domains {
                let asked = format!("egress/{domain}");
                let host = find(&asked).unwrap_or_else(|| panic!("{asked} is not there"));
                assert_eq!((&host.name, &host.domains), (&asked, &vec![domain.clone()]));
                assert_eq!(host.routes, by_scope.routes, "{asked}");
                spellings += 1;
            }
        }
    }
    assert_eq!(spellings, 12, "three, without a port and with one of three");
}

#[test]
fn no_other_form_is_answered() {
    for asked in [
        "egress/",
        "egress/web",
        "egress/web.shop:82",
        "egress/web.shop:080",
        "egress/web.shop:",
        "egress/web.shop.example",
        "egress/web.shop.svc.cluster",
        "egress/web.shop.svc.cluster.example",
        "egress/WEB.shop",
        "egress/a.web.shop.svc",
        "egress/[fd00::7]:80",
        "egress/10.12.0.7",
        "other/web.shop",
        "egressweb.shop",
        "",
        "web.shop",
    ] {
        assert_eq!(find(asked), None, "{asked:?}");
    }
}

#[test]
fn nothing_is_an_alias_of_nothing() {
    use envoy_types::pb::envoy::service::discovery::v3 as discovery;
    use prost::Message;
    let resource = Resource::nothing("egress/who.shop");
    let message = discovery::Resource::decode(resource.delta_bytes().clone()).expect("a Resource message");
    assert_eq!((&*message.name, &*message.aliases), ("egress/who.shop", &["egress/who.shop".to_owned()][..]));
    assert_eq!(message.resource, None);
    let renamed =
        alias::rename(ResourceType::VirtualHost, &resource, "egress/who", References::Plain).expect("a resource");
    assert!(renamed.is_nothing() && &**renamed.name() == "egress/who");
}
