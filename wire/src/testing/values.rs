//! Names, addresses, texts.
#![allow(clippy::expect_used, reason = "the patterns only make names that can be used")]

use std::net::IpAddr;
use std::sync::Arc;

use federation::model::{
    ClusterId, HelmRelease, Labels, Namespace, Network, RegionId, ServiceKey, SliceKey, Time, Zone,
};
use ipnet::IpNet;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const LABEL: &str = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";

pub(super) fn cluster() -> impl Strategy<Value = ClusterId> + Clone {
    LABEL.prop_map(|text| ClusterId::new(&text).expect("a label"))
}

pub(super) fn region() -> impl Strategy<Value = RegionId> + Clone {
    LABEL.prop_map(|text| RegionId::new(&text).expect("a label"))
}

pub(super) fn namespace() -> impl Strategy<Value = Namespace> + Clone {
    LABEL.prop_map(|text| Namespace::new(&text).expect("a label"))
}

pub(super) fn key() -> impl Strategy<Value = ServiceKey> + Clone {
    (LABEL, LABEL).prop_map(|(namespace, name)| ServiceKey::new(&namespace, &name).expect("two labels"))
}

pub(super) fn slice_key() -> impl Strategy<Value = SliceKey> + Clone {
    (namespace(), name()).prop_map(|(namespace, name)| SliceKey { namespace, name })
}

pub(super) fn network() -> impl Strategy<Value = Network> + Clone {
    "[ -~]{1,63}".prop_map(|text| Network::new(&text).expect("a network"))
}

pub(super) fn zone() -> impl Strategy<Value = Zone> + Clone {
    prop_oneof!["z[123]", "[ -~]{1,63}"].prop_map(|text| Zone::new(&text).expect("a zone"))
}

/// A name that the model does not check.
pub(super) fn name() -> impl Strategy<Value = Arc<str>> + Clone {
    "[a-z0-9.-]{0,40}".prop_map(Arc::from)
}

/// Any text.
pub(super) fn text() -> impl Strategy<Value = Arc<str>> + Clone {
    prop_oneof![3 => "\\PC{0,20}", 1 => any::<String>()].prop_map(Arc::from)
}

pub(super) fn maybe_text() -> impl Strategy<Value = Option<Arc<str>>> + Clone {
    option::of(text())
}

pub(super) fn labels() -> impl Strategy<Value = Labels> + Clone {
    vec((any::<String>(), any::<String>()), 0..4).prop_map(|pairs| {
        let pairs = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        pairs.collect()
    })
}

pub(super) fn helm() -> impl Strategy<Value = Option<Arc<HelmRelease>>> + Clone {
    let release = (text(), text()).prop_map(|(name, namespace)| Arc::new(HelmRelease { name, namespace }));
    option::of(release)
}

pub(super) fn time() -> impl Strategy<Value = Time> + Clone {
    any::<i64>().prop_map(Time::from_unix_ms)
}

pub(super) fn ip() -> impl Strategy<Value = IpAddr> + Clone {
    any::<IpAddr>()
}

pub(super) fn range() -> impl Strategy<Value = IpNet> + Clone {
    (ip(), 0_u8..=128).prop_map(|(ip, length)| {
        let most = if ip.is_ipv4() { 32 } else { 128 };
        IpNet::new(ip, length.min(most)).expect("a prefix length")
    })
}

pub(super) fn ranges() -> impl Strategy<Value = Vec<IpNet>> + Clone {
    vec(range(), 0..3)
}
